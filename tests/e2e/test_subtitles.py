"""Subtitles on a video's page: those of the file, and those that somebody adds while it plays."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_product import (
    Product,
    member,  # noqa: F401  # a fixture
    product,  # noqa: F401  # a fixture
    until_ready,
    upload,
)
from tests.e2e.watching import until
from tests.engine.test_subtitles import SRT, with_subtitles

pytestmark = pytest.mark.e2e

TRACKS = "[...document.querySelector('video').textTracks].filter((track) => track.kind !== 'metadata')"
SHOWN = f"{TRACKS}.map((track) => track.label)"
SHOWING = f"{TRACKS}.filter((track) => track.mode === 'showing').map((track) => track.label).join()"
CUES = f"{TRACKS}.flatMap((track) => [...(track.activeCues ?? [])].map((cue) => cue.text))"


def test_subtitles_are_in_the_menu_and_on_the_picture(
    member: Page,  # noqa: F811
    product: Product,  # noqa: F811
    tmp_path: Path,
) -> None:
    page = member
    marks = ["-metadata:s:s:0", "language=ger", "-disposition:s:0", "default"]
    source = with_subtitles(tmp_path / "a.mkv", [SRT], ["-c:s", "srt", *marks])
    address = upload(page, product, source, "With subtitles.mkv")
    until(page, f"{SHOWN}.includes('Deutsch')")
    until_ready(page, product, address)
    page.evaluate("() => { const v = document.querySelector('video'); v.pause(); v.currentTime = 0.7 }")
    until(page, f"{CUES}.some((text) => text.includes('Hallo'))")

    # The menu, shut, takes no room: the bars lie at the foot of the picture.
    feet = [page.locator(part).bounding_box() for part in ("media-controller", ".buttons")]
    assert feet[0]
    assert feet[1]
    assert abs(sum(feet[0][side] - feet[1][side] for side in ("y", "height"))) < 1

    # More of them, without leaving the page.
    form = page.locator("#add-subtitles")
    text = SRT.replace("Hallo", "Bonjour").encode()
    form.get_by_label("Subtitle file").set_input_files(
        {"name": "a.srt", "mimeType": "text/plain", "buffer": text}
    )
    form.get_by_label("Language").fill("fr")
    form.get_by_role("button", name="Add subtitles").click()
    expect(page.locator("#messages")).to_contain_text("Français")
    until(page, f"{SHOWN}.includes('Français')")
    until(page, f"{SHOWING} === 'Deutsch'")
    page.locator("media-captions-menu-button").click()
    page.locator("media-captions-menu").get_by_role("menuitemradio", name="Français").click()
    until(page, f"{CUES}.some((text) => text.includes('Bonjour'))")
    assert page.evaluate(SHOWING) == "Français"

    # Whoever comes later, when there is a storyboard, sees at once those that are shown without being asked for.
    page.goto(address)
    until(page, f"{SHOWN}.length === 2")
    until(page, f"{SHOWING} === 'Deutsch'")

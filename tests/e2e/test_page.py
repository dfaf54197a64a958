"""The page of `rushes play`, as people meet it."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from rushes.engine import EngineError
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots
from tests.e2e.watching import start, until
from tests.play.serving import Served, opener, serving, wait_until

pytestmark = pytest.mark.e2e

TINY = Settings(rungs=(180, 144), copy=False)


@pytest.fixture(scope="module")
def finished(clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A clip with two languages, all of it encoded."""
    source = clip(
        duration_s=8,
        audio_tracks=2,
        options=("-metadata:s:a:0", "language=eng", "-metadata:s:a:1", "language=deu"),
    )
    with serving(opener(source, tmp_path_factory.mktemp("finished"), settings=TINY)) as served:
        assert served.session.join(60)
        yield served


def test_the_page_says_that_the_file_is_read_and_then_plays_it(
    page: Page, clip: Callable[..., Path], tmp_path: Path
) -> None:
    may_read = threading.Event()

    def prepare() -> Session:
        assert may_read.wait(60)
        return opener(clip(duration_s=4), tmp_path, settings=TINY)()

    with serving(prepare) as served:
        page.goto(served.url)
        expect(page.locator("#state")).to_have_text("Reading the file …")
        may_read.set()
        until(page, "document.querySelector('video').readyState > 2")


def test_the_page_says_why_a_file_cannot_be_played(page: Page) -> None:
    def prepare() -> Session:
        raise EngineError("this is a shopping list")

    with serving(prepare) as served:
        page.goto(served.url)
        expect(page.get_by_role("alert")).to_contain_text("this is a shopping list")


def test_the_page_says_why_a_part_cannot_be_shown(
    page: Page, clip: Callable[..., Path], tmp_path: Path
) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(clip(duration_s=16).read_bytes())
    open_session = opener(source, tmp_path / "out", settings=TINY)

    def prepare() -> Session:
        session = open_session()
        source.unlink()
        return session

    with serving(prepare) as served:
        page.goto(served.url)
        expect(page.get_by_role("alert")).to_contain_text("This part can't be shown", timeout=20_000)
        expect(page.get_by_role("alert")).to_contain_text("cannot be decoded")
        expect(page.get_by_role("button", name="Try again")).to_be_visible()


def test_the_page_tells_how_far_the_encode_is(page: Page, clip: Callable[..., Path], tmp_path: Path) -> None:
    slots = Slots(tmp_path / "slots", 1, reserved=1)
    source = clip(duration_s=120, rate=10)
    with serving(opener(source, tmp_path / "out", settings=TINY, slots=slots)) as served:
        with slots.background():
            page.goto(served.url)
            expect(page.locator("#state")).to_have_text(re.compile(r"^Encoding \d+ %"))
            wait_until(lambda: served.session.status().speed)
            expect(page.locator("#state")).to_have_text(
                re.compile(r"^Encoding \d+ %, \d+\.\d\S, about .* left$")
            )
            expect(page.get_by_role("progressbar", name="Encoded so far")).to_be_visible()
            expect(page.locator("#rungs li")).to_have_count(2)
            expect(page.locator("#rungs li").last).to_contain_text("plays now")
        expect(page.locator("#state")).to_have_text("Finished: every quality is ready.", timeout=60_000)
        expect(page.locator("#rungs li").first).to_contain_text("ready")


def test_the_page_says_when_the_server_is_gone(page: Page, clip: Callable[..., Path], tmp_path: Path) -> None:
    with serving(opener(clip(), tmp_path, settings=TINY)) as served:
        page.goto(served.url)
        expect(page.locator("#facts")).to_contain_text("2 s")
    expect(page.get_by_role("alert")).to_contain_text("No connection to Rushes")


def test_nothing_is_loaded_from_elsewhere(page: Page, finished: Served) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for path in ("/", "/shaka", "/dash", "/native"):
        start(page, finished.url + path)
    elsewhere = [url for url in asked if not url.startswith((finished.url, "blob:", "data:"))]
    assert not elsewhere


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_its_window(browser: Browser, finished: Served, width: int, scheme: str) -> None:
    context = browser.new_context(viewport={"width": width, "height": 740}, color_scheme=scheme)
    page = context.new_page()
    page.goto(finished.url)
    expect(page.locator("#rungs li")).to_have_count(2)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    play_button = page.locator("media-play-button").bounding_box()
    fullscreen_button = page.locator("media-fullscreen-button").bounding_box()
    assert play_button is not None
    assert fullscreen_button is not None
    assert play_button["height"] >= 44  # WCAG 2.5.5, a finger's target
    assert fullscreen_button["x"] + fullscreen_button["width"] <= width
    context.close()


def test_a_keyboard_is_enough(page: Page, finished: Served) -> None:
    page.goto(finished.url)
    until(page, "document.querySelector('video').readyState > 2")
    focused = []
    for _ in range(20):
        page.keyboard.press("Tab")
        focused.append(
            page.evaluate(
                "document.activeElement.localName + (document.activeElement.id && '#' + document.activeElement.id)"
            )
        )
    for wanted in (
        "media-play-button",
        "media-time-range",
        "media-fullscreen-button",
        "select#quality",
        "select#audio",
    ):
        assert wanted in focused, focused
    page.locator("media-play-button").focus()
    page.keyboard.press("Space")
    until(page, "!document.querySelector('video').paused")
    page.keyboard.press("Space")
    until(page, "document.querySelector('video').paused")


def test_every_control_has_a_name(page: Page, finished: Served) -> None:
    page.goto(finished.url)
    expect(page.get_by_role("main")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_have_text("clip.mp4")
    for name in ("play", "mute", "enter fullscreen mode"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_attached()
    expect(page.get_by_label("Quality")).to_be_visible()
    expect(page.get_by_label("Sound")).to_be_visible()
    expect(page.get_by_label("Sound").locator("option")).to_have_count(2)
    expect(page.get_by_role("status")).to_have_text("Finished: every quality is ready.")


def test_a_rung_can_be_chosen(page: Page, finished: Served) -> None:
    start(page, finished.url)
    until(page, "document.querySelector('video').videoHeight === 180")
    page.get_by_label("Quality").select_option("144p")
    until(page, "document.querySelector('video').videoHeight === 144")


def test_without_javascript_the_browser_plays_by_itself(browser: Browser, finished: Served) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(finished.url)
    video = page.locator("video.plain")
    expect(video).to_be_visible()
    expect(page.locator("media-controller")).to_be_hidden()
    assert video.get_attribute("src") == "/master.m3u8"
    context.close()

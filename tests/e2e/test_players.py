"""Players in Chromium on a stream that is still being encoded."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from starlette.types import ASGIApp, Receive, Scope, Send

from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots
from tests.e2e.watching import record, seek, start, until, until_ended
from tests.engine.test_subtitles import SRT, with_subtitles
from tests.play.serving import Served, opener, serving, text_reader, wait_until
from tests.proof.soundtracks import make_source

pytestmark = pytest.mark.e2e

EVERY_PLAYER = ("/", "/native", "/shaka", "/shaka?manifest.mpd", "/dash")
TWO_RUNGS = Settings(rungs=(720, 360), copy=False)
SMALL = Settings(rungs=(360, 180), copy=False)
TINY = Settings(rungs=(180, 144), copy=False)


def assert_played_whole(page: Page, served: Served) -> None:
    seen = record(page)
    assert seen["fatal"] == 0, seen
    assert seen["ended"] is not None, seen
    assert seen["duration"] == pytest.approx(float(served.plan.duration_s), abs=0.1)
    assert seen["position"] == pytest.approx(seen["duration"], abs=0.1)
    assert len(seen["ranges"]) == 1, seen
    assert seen["ranges"][0][1] == pytest.approx(seen["duration"], abs=0.1)


@pytest.mark.parametrize("path", EVERY_PLAYER)
def test_a_player_plays_from_start_to_end_while_the_clip_is_encoded(
    page: Page, clip: Callable[..., Path], tmp_path: Path, path: str
) -> None:
    source = clip(duration_s=16, size=(1280, 720))
    with serving(opener(source, tmp_path / "out", settings=TWO_RUNGS)) as served:
        start(page, served.url + path, rate=2)
        assert served.session.status().state == "encoding"
        until_ended(page)
        assert_played_whole(page, served)


#: What makes a player that does not choose by itself show the first subtitles.
CHOOSE_TEXT = {
    "/": "true",
    "/shaka": "(player => player.selectTextTrack(player.getTextTracks()[0]))(window.__rushes.shaka)",
    "/dash": "(player => { player.enableText(true); player.setTextTrack(0) })(window.__rushes.dash)",
}
CUES = """[...document.querySelector('video').textTracks].flatMap(track => [...(track.activeCues ?? [])])
          .map(cue => cue.text)"""


@pytest.mark.parametrize("path", ["/", "/shaka", "/shaka?manifest.mpd", "/dash"])
def test_a_player_shows_subtitles_of_the_file(page: Page, tmp_path: Path, path: str) -> None:
    marks = [
        "-metadata:s:s:0",
        "language=ger",
        "-disposition:s:0",
        "default",
        "-metadata:s:s:1",
        "language=fre",
    ]
    texts = [SRT, SRT.replace("Hallo", "Bonjour")]
    source = with_subtitles(tmp_path / "a.mkv", texts, ["-c:s", "srt", *marks], duration_s=40)
    prepare = opener(source, tmp_path / "out", settings=Settings(rungs=(90,)))
    with serving(prepare, read_texts=text_reader(source, tmp_path / "scratch")) as served:
        wait_until(lambda: served.screening.texts)
        start(page, served.url + path, rate=4)
        page.evaluate(CHOOSE_TEXT[path.partition("?")[0]])
        # Shaka knows where subtitles belong with the next segment of the picture that it takes.
        until(page, "[...document.querySelector('video').textTracks].some(track => track.cues?.length)")
        page.evaluate("() => { const v = document.querySelector('video'); v.pause(); v.currentTime = 0.7 }")
        until(page, f"{CUES}.some(text => text.includes('Hallo'))")
        assert not page.evaluate(f"{CUES}.some(text => text.includes('Bonjour'))")
        seen = record(page)
        assert seen["fatal"] == 0, seen


def test_the_browsers_own_player_is_not_confused_by_subtitles(page: Page, tmp_path: Path) -> None:
    source = with_subtitles(tmp_path / "a.mkv", [SRT], ["-c:s", "srt"], duration_s=6)
    prepare = opener(source, tmp_path / "out", settings=Settings(rungs=(90,)))
    with serving(prepare, read_texts=text_reader(source, tmp_path / "scratch")) as served:
        wait_until(lambda: served.screening.texts)
        start(page, served.url + "/native", rate=2)
        until_ended(page)
        assert_played_whole(page, served)


@pytest.mark.parametrize("path", EVERY_PLAYER)
def test_a_player_plays_a_film_with_surround(page: Page, tmp_path: Path, path: str) -> None:
    source = tmp_path / "film.mkv"
    layout = ["-f", "lavfi", "-i", "aevalsrc=exprs='" + "|".join(["0.1*sin(880*t)"] * 6) + "':c=5.1:d=6"]
    make_source(source, layout, ["-map", "0:a", "-map", "1:v", "-c:a", "ac3", "-c:v", "libx264"], picture_s=6)
    with serving(opener(source, tmp_path / "out")) as served:
        assert {track.channels for track in served.plan.audio} == {2, 6}
        start(page, served.url + path, rate=2)
        until_ended(page)
        assert_played_whole(page, served)


@pytest.mark.alone
@pytest.mark.parametrize("path", EVERY_PLAYER)
def test_a_seek_far_ahead_of_the_encoder_plays_within_seconds(
    page: Page, clip: Callable[..., Path], tmp_path: Path, path: str
) -> None:
    slots = Slots(tmp_path / "slots", 1, reserved=1)
    source = clip(duration_s=600, rate=10, size=(320, 180))
    # Only what is waited for is made: the background has no slot.
    with (
        slots.background(),
        serving(opener(source, tmp_path / "out", settings=TINY, slots=slots)) as served,
    ):
        start(page, served.url + path)
        assert not served.session.published(served.plan.rungs[-1].segment_name(120))
        seek(page, 480)
        until(page, "window.__rushes.seeks.length > 0 || window.__rushes.fatal")
        seen = record(page)
        assert seen["fatal"] == 0, seen
        assert seen["seeks"][0]["duration"] < 3 * 2.5, seen


class SlowToAnswer:
    """Holds every other video segment back, as an encoder does that makes two at a time and is just not fast enough."""

    def __init__(self, app: ASGIApp, delay_s: float) -> None:
        self._app, self._delay_s = app, delay_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if re.search(r"/\d+p/\w+/\d*[02468]\.m4s$", scope.get("path", "")):
            await asyncio.sleep(self._delay_s)
        await self._app(scope, receive, send)


@pytest.mark.parametrize("path", ["/", "/shaka"])
def test_holds_do_not_pin_a_player_to_the_lowest_rung(
    page: Page, clip: Callable[..., Path], tmp_path: Path, path: str
) -> None:
    source = clip(duration_s=16, size=(640, 360))
    prepare = opener(source, tmp_path / "out", settings=SMALL)
    session = prepare()
    session.start()
    assert session.join(60)
    session.close()
    with serving(prepare, middleware=SlowToAnswer, delay_s=5) as served:
        start(page, served.url + path)
        until_ended(page)
        assert_played_whole(page, served)
        assert record(page)["levels"][-1]["name"] == "360p", record(page)
        if path == "/":  # it knows from the start what is there
            assert [level["name"] for level in record(page)["levels"]] == ["360p"]


def test_a_rung_that_becomes_ready_is_taken_up_without_interruption(
    page: Page, clip: Callable[..., Path], tmp_path: Path
) -> None:
    slots = Slots(tmp_path / "slots", 1, reserved=1)
    source = clip(duration_s=36, size=(640, 360))
    with serving(opener(source, tmp_path / "out", settings=SMALL, slots=slots)) as served:
        with slots.background():  # until it is given back, only what is waited for is made
            start(page, served.url + "/")
            before = record(page)
            assert [level["name"] for level in before["levels"]] == ["180p"]
            expect(page.locator("#quality option", has_text="360p")).to_be_disabled()
        page.evaluate("document.querySelector('video').playbackRate = 0.25")  # a slow machine has its time
        wait_until(lambda: served.session.complete("360p"))
        page.evaluate("document.querySelector('video').playbackRate = 1")
        ready = record(page)["position"]
        until(page, "document.querySelector('video').videoHeight === 360")
        # At most the rest of a segment, the next one, and the one that the event of it took; 30 s were buffered.
        assert record(page)["position"] - ready < 3 * 4
        page.evaluate("document.querySelector('video').playbackRate = 4")
        until_ended(page)
        assert_played_whole(page, served)
        seen = record(page)
        assert [level["name"] for level in seen["levels"]] == ["180p", "360p"]
        stalls = seen["stalls"][len(before["stalls"]) :]
        assert all(stall["duration"] < 1 for stall in stalls), stalls


@pytest.mark.parametrize("path", ["/", "/native", "/shaka", "/dash"])
def test_a_source_whose_tail_is_missing_plays_to_its_promised_end(
    page: Page, clip: Callable[..., Path], tmp_path: Path, path: str
) -> None:
    whole = clip(duration_s=20, size=(320, 180), options=("-movflags", "+faststart"))
    source = tmp_path / "source.mp4"
    source.write_bytes(whole.read_bytes())
    open_session = opener(source, tmp_path / "out", settings=TINY)

    def prepare() -> Session:
        session = open_session()
        with source.open("r+b") as file:
            file.truncate(source.stat().st_size // 2)
        return session

    with serving(prepare) as served:
        start(page, served.url + path, rate=4)
        until_ended(page)
        assert_played_whole(page, served)
        assert served.session.join(60)
        assert any("damaged" in warning for warning in served.session.status().warnings)


def test_sound_alone_plays_to_its_end(page: Page, clip: Callable[..., Path], tmp_path: Path) -> None:
    source = clip(duration_s=12, codec="", suffix=".m4a")
    with serving(opener(source, tmp_path / "out")) as served:
        start(page, served.url, rate=4)
        until_ended(page)
        assert_played_whole(page, served)


def test_a_copied_rung_plays_first_and_to_its_end(
    page: Page, clip: Callable[..., Path], tmp_path: Path
) -> None:
    source = clip(duration_s=16, size=(640, 360), gop=60, options=("-b:v", "400k"))
    with serving(opener(source, tmp_path / "out", settings=Settings(rungs=(360, 180)))) as served:
        assert served.plan.copied_rung is not None, served.plan.copy_refusal
        start(page, served.url, rate=4)
        until_ended(page)
        assert_played_whole(page, served)
        assert [level["name"] for level in record(page)["levels"]] == ["360p"]
        wait_until(lambda: served.session.status().state == "finished")


@pytest.mark.parametrize("path", EVERY_PLAYER)
def test_codecs_that_a_player_does_not_know_are_passed_over(
    page: Page, clip: Callable[..., Path], tmp_path: Path, path: str
) -> None:
    # Chromium plays AV1, and HEVC only on machines that decode it for it.
    source = clip(duration_s=8, size=(320, 180))
    wanted = Settings(rungs=(180, 144), copy=False, codecs=("h264", "hevc", "av1"))
    with serving(opener(source, tmp_path / "out", settings=wanted)) as served:
        assert served.session.join(120)
        assert len(served.session.fed_rungs()) == 6
        start(page, served.url + path, rate=2)
        until_ended(page)
        assert_played_whole(page, served)
        assert not [level["name"] for level in record(page)["levels"] if "hevc" in level["name"]]

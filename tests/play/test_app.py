import asyncio
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from rushes.engine import EngineError
from rushes.engine.session import Session
from rushes.engine.settings import Settings
from rushes.engine.slots import Slots
from rushes.engine.webvtt import TextTrack
from tests.engine.test_subtitles import SRT, with_subtitles
from tests.play.serving import Served, opener, serving, stopped_encoders, text_reader, wait_until

SMALL = Settings(rungs=(180, 144), copy=False)


@pytest.fixture(scope="module")
def finished(clip: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A clip of six seconds, all of it encoded."""
    folder = tmp_path_factory.mktemp("finished")
    with serving(opener(clip(duration_s=6), folder, settings=SMALL)) as served:
        assert served.session.join(60)
        yield served


def test_the_page_answers_while_the_file_is_still_being_read(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    may_read = threading.Event()

    def prepare() -> Session:
        assert may_read.wait(60)
        return opener(clip(), tmp_path)()

    with serving(prepare, hold_s=0.2) as served:
        page = httpx.get(served.url)
        assert page.status_code == 200
        assert "clip.mp4" in page.text
        assert httpx.get(f"{served.url}/status").json()["state"] == "reading"
        assert httpx.get(f"{served.url}/master.m3u8").status_code == 503
        may_read.set()
        wait_until(lambda: httpx.get(f"{served.url}/status").json()["state"] != "reading")
        assert httpx.get(f"{served.url}/master.m3u8").status_code == 200


def test_subtitles_of_the_file_are_told_and_served_when_they_have_been_read(tmp_path: Path) -> None:
    source = with_subtitles(tmp_path / "a.mkv", [SRT], ["-c:s", "srt", "-metadata:s:s:0", "language=ger"])
    prepare = opener(source, tmp_path / "out", settings=Settings(rungs=(90,)))
    with serving(prepare, read_texts=text_reader(source, tmp_path / "scratch")) as served:
        wait_until(lambda: httpx.get(f"{served.url}/status").json()["subtitles"])
        (told,) = httpx.get(f"{served.url}/status").json()["subtitles"]
        assert (told["label"], told["language"], told["kind"]) == ("Deutsch", "de", "subtitles")
        text = httpx.get(served.url + told["url"])
        assert (text.status_code, text.headers["content-type"]) == (200, "text/vtt; charset=utf-8")
        assert "auf Wiedersehen" in text.text
        assert 'TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch"' in httpx.get(f"{served.url}/master.m3u8").text
        # Our page is told of them by events.
        assert "SUBTITLES" not in httpx.get(f"{served.url}/all.m3u8").text
        assert told["url"].removeprefix("/") in httpx.get(f"{served.url}/manifest.mpd").text
        playlist = httpx.get(f"{served.url}/{told['name']}/subs.m3u8").text
        (segment,) = re.findall(r"^[^#\n]+$", playlist, re.MULTILINE)
        assert "Hallo" in httpx.get(f"{served.url}/{told['name']}/{segment}").text
        assert (
            httpx.get(f"{served.url}/{told['name']}/{segment.replace('0.vtt', '7.vtt')}").status_code == 404
        )
        assert httpx.get(f"{served.url}/subs-2-fr/subs.m3u8").status_code == 404


def test_subtitles_that_cannot_be_read_cost_the_picture_nothing(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    def read(_: Session, __: threading.Event) -> list[TextTrack]:
        raise OSError("the disk is gone")

    with serving(opener(clip(duration_s=2), tmp_path, settings=SMALL), read_texts=read) as served:
        assert served.session.join(60)
        assert httpx.get(f"{served.url}/status").json()["subtitles"] == []
        assert "SUBTITLES" not in httpx.get(f"{served.url}/master.m3u8").text


def test_a_file_that_cannot_be_played_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    def prepare() -> Session:
        raise EngineError("this is a shopping list")

    with serving(prepare) as served:
        wait_until(lambda: httpx.get(f"{served.url}/status").json()["state"] == "failed")
        assert httpx.get(f"{served.url}/status").json()["error"] == "this is a shopping list"
        answer = httpx.get(f"{served.url}/master.m3u8")
        assert answer.status_code == 503
        assert "shopping list" in answer.text


def test_a_segment_that_is_not_there_yet_is_waited_for(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one) as release,
        serving(opener(clip(duration_s=6), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
    ):
        rung = served.plan.rungs[-1]
        answers: list[httpx.Response] = []
        names = (rung.init_name, rung.segment_name(0), served.plan.audio[0].segment_name(0))

        def ask(name: str) -> None:
            answers.append(httpx.get(f"{served.url}/{name}", timeout=60))

        asking = [threading.Thread(target=ask, args=(name,)) for name in names]
        for thread in asking:
            thread.start()
        wait_until(lambda: served.screening.holds.count == len(names))
        assert not answers
        release()
        for thread in asking:
            thread.join()
        assert [answer.status_code for answer in answers] == [200] * len(names)
        assert served.screening.holds.count == 0


def test_a_wait_ends_in_503_and_never_in_404(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one),
        serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one), hold_s=0.3) as served,
    ):
        answer = httpx.get(f"{served.url}/{served.plan.rungs[0].segment_name(0)}")
        assert answer.status_code == 503
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text == "this part is not encoded yet\n"


def test_two_hundred_requests_wait_without_a_thread_of_their_own(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one) as release,
        serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
    ):
        url = f"{served.url}/{served.plan.rungs[-1].segment_name(0)}"

        async def ask() -> list[int]:
            limits = httpx.Limits(max_connections=None)
            async with httpx.AsyncClient(limits=limits, timeout=60) as client:
                threads = threading.active_count()
                asking = asyncio.gather(*(client.get(url) for _ in range(200)))
                while served.screening.holds.count < 200:
                    await asyncio.sleep(0.01)
                # A few apart: the client's own event loop resolves the address in threads of its own.
                assert threading.active_count() <= threads + 10
                release()
                return [answer.status_code for answer in await asking]

        assert asyncio.run(ask()) == [200] * 200


def test_a_client_that_goes_away_no_longer_waits(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one),
        serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
    ):
        url = f"{served.url}/{served.plan.rungs[0].segment_name(0)}"
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(url, timeout=0.3)
        wait_until(lambda: served.screening.holds.count == 0)


def test_a_chunk_that_failed_for_good_is_answered_at_once_with_the_reason(
    clip: Callable[..., Path], tmp_path: Path
) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(clip(duration_s=6).read_bytes())
    open_session = opener(source, tmp_path / "out", settings=SMALL)

    def prepare() -> Session:
        session = open_session()
        source.unlink()
        return session

    with serving(prepare) as served:
        rung = served.plan.rungs[0]
        wait_until(lambda: served.session.failure(rung.segment_name(0)))
        answer = httpx.get(f"{served.url}/{rung.segment_name(0)}", timeout=3)
        assert answer.status_code == 503
        assert "cannot be decoded" in answer.text
        wait_until(lambda: httpx.get(f"{served.url}/status").json()["failures"])
        failure = httpx.get(f"{served.url}/status").json()["failures"][0]
        assert failure["first_segment"] == 0
        assert failure["end_s"] == pytest.approx(6, abs=0.1)
        assert failure["reason"]


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/../../../../../../etc/passwd",
        "/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2f..%2fetc/passwd",
        "/.rushes/plan.json",
        "/{rung}/video.mp4",
        "/{rung}/{key}/",
        "/{rung}/{key}/00.m4s",
        "/{rung}/{key}/-1.m4s",
        "/{rung}/{key}/999.m4s",
        "/{rung}/{key}/%D9%A3.m4s",
        "/{rung}/{key}/0.m4s/",
        "/{rung}/{key}/0.m4s%00",
        "/{rung}/0123456789abcdef/0.m4s",
        "/{rung}/audio.m3u8",
        "/240p/index.m3u8",
        "/audio-1-und/index.m3u8",
        "/static/../pages.py",
        "/static/%2e%2e/__init__.py",
    ],
)
def test_a_name_that_the_plan_has_not_is_not_found(finished: Served, path: str) -> None:
    rung = finished.plan.rungs[0]
    path = path.replace("{rung}", rung.name).replace("{key}", rung.key)
    # httpx tidies addresses up; what is asked for here goes out as it stands.
    request = httpx.Request("GET", finished.url, extensions={"target": path.encode()})
    with httpx.Client(timeout=5) as client:
        assert client.send(request).status_code == 404


def test_segments_may_be_kept_for_ever_and_asked_for_in_parts(finished: Served) -> None:
    rung, track = finished.plan.rungs[0], finished.plan.audio[0]
    url = f"{finished.url}/{rung.segment_name(1)}"
    whole = httpx.get(url)
    assert whole.headers["content-type"] == "video/mp4"
    assert "immutable" in whole.headers["cache-control"]
    assert whole.content == (finished.session.folder / rung.segment_name(1)).read_bytes()
    assert httpx.get(f"{finished.url}/{track.init_name}").headers["content-type"] == "audio/mp4"

    part = httpx.get(url, headers={"range": "bytes=4-7"})
    assert part.status_code == 206
    assert part.content == whole.content[4:8]
    assert part.headers["content-range"] == f"bytes 4-7/{len(whole.content)}"
    assert httpx.get(url, headers={"range": "bytes=99999999-"}).status_code == 416

    head = httpx.head(url)
    assert head.status_code == 200
    assert head.headers["content-length"] == str(len(whole.content))
    assert head.content == b""

    again = httpx.get(url, headers={"if-none-match": whole.headers["etag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert httpx.post(url).status_code == 405


@pytest.mark.parametrize("origin", ["http://localhost:3000", "http://127.0.0.1:9", "http://[::1]:80"])
def test_a_page_of_this_machine_may_play_the_streams(finished: Served, origin: str) -> None:
    for path in ("master.m3u8", "manifest.mpd", finished.plan.rungs[0].segment_name(0)):
        answer = httpx.get(f"{finished.url}/{path}", headers={"origin": origin})
        assert answer.headers["access-control-allow-origin"] == origin
        asked = {"access-control-request-method": "GET", "access-control-request-headers": "range"}
        preflight = httpx.options(f"{finished.url}/{path}", headers={"origin": origin, **asked})
        assert preflight.status_code == 200


@pytest.mark.parametrize("origin", ["https://example.org", "http://localhost.example.org", "null"])
def test_a_website_that_is_open_in_the_browser_can_not_read_the_video(finished: Served, origin: str) -> None:
    for path in ("master.m3u8", finished.plan.rungs[0].segment_name(0), "status"):
        answer = httpx.get(f"{finished.url}/{path}", headers={"origin": origin})
        assert "access-control-allow-origin" not in answer.headers


def test_a_foreign_name_for_this_machine_is_refused(finished: Served) -> None:
    assert (
        httpx.get(f"{finished.url}/master.m3u8", headers={"host": "rebound.example.org"}).status_code == 400
    )
    assert httpx.get(f"{finished.url}/master.m3u8", headers={"host": "localhost:1"}).status_code == 200


def test_playlists_name_what_is_served(finished: Served) -> None:
    rung = finished.plan.rungs[0].name
    for path in ("/master.m3u8", "/all.m3u8", f"/{rung}/index.m3u8", f"/{rung}/video.m3u8", "/manifest.mpd"):
        answer = httpx.get(f"{finished.url}{path}")
        kind = "application/dash+xml" if path.endswith("mpd") else "application/vnd.apple.mpegurl"
        assert answer.headers["content-type"].startswith(kind), path
        assert httpx.head(f"{finished.url}{path}").status_code == 200
    playlist = httpx.get(f"{finished.url}/{rung}/video.m3u8")
    segments = re.findall(r"^[^#\n].*\.m4s$", playlist.text, re.MULTILINE)
    assert len(segments) == finished.plan.rungs[0].timeline.segment_count
    for segment in segments:
        assert httpx.get(f"{finished.url}/{rung}/{segment}").status_code == 200
    same = httpx.get(f"{finished.url}/{rung}/video.m3u8", headers={"if-none-match": playlist.headers["etag"]})
    assert same.status_code == 304


def test_the_public_playlist_names_only_rungs_that_can_be_fed(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    with (
        stopped_encoders(slots_of_one) as release,
        serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served,
    ):
        rungs = {rung.name for rung in served.plan.rungs}
        assert rungs == {"180p", "144p"}

        def named(path: str) -> set[str]:
            return set(re.findall(r"^(\w+)/", httpx.get(f"{served.url}{path}").text, re.MULTILINE))

        assert named("/master.m3u8") == {"144p"}
        assert httpx.get(f"{served.url}/master.m3u8").headers["cache-control"] == "no-store"
        assert named("/all.m3u8") == rungs
        release()
        assert served.session.join(60)
        assert named("/master.m3u8") == rungs


def test_the_pages_load_nothing_from_elsewhere(finished: Served) -> None:
    for path in ("/", "/shaka", "/dash", "/native"):
        page = httpx.get(f"{finished.url}{path}")
        assert page.status_code == 200
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        for address in re.findall(r'(?:src|href)="([^"]+)"', page.text):
            assert address.startswith("/"), address
            if address.startswith("/static/"):
                assert httpx.get(f"{finished.url}{address}").status_code == 200, address


def test_the_server_stops_at_once_whatever_is_waited_for(
    clip: Callable[..., Path], tmp_path: Path, slots_of_one: Slots
) -> None:
    answers: list[httpx.Response] = []
    with stopped_encoders(slots_of_one):
        with serving(opener(clip(), tmp_path / "out", settings=SMALL, slots=slots_of_one)) as served:
            url = f"{served.url}/{served.plan.rungs[0].segment_name(0)}"
            asking = threading.Thread(target=lambda: answers.append(httpx.get(url, timeout=60)))
            asking.start()
            wait_until(lambda: served.screening.holds.count == 1)
            with httpx.stream("GET", f"{served.url}/events") as events:
                next(events.iter_lines())
                served.server.stop()
                served.thread.join(6)
                assert not served.thread.is_alive()
        asking.join()
    assert answers[0].status_code == 503


def test_no_ffmpeg_is_left_when_the_server_has_stopped(clip: Callable[..., Path], tmp_path: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    source = clip(duration_s=20, size=(1280, 720))
    with serving(opener(source, tmp_path / "out", settings=Settings(copy=False))) as served:
        assert served.session
        wait_until(lambda: set(psutil.Process().children(recursive=True)) - before)
    assert not set(psutil.Process().children(recursive=True)) - before

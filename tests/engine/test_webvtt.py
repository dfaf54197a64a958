"""Published text: segments hold each cue wherever it is shown, and playlists are as long as the video."""

from fractions import Fraction
from pathlib import Path

from rushes.engine import dash, hls, webvtt
from rushes.engine.cues import Cue
from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from rushes.engine.subtitle_files import read_subtitles
from rushes.engine.webvtt import TextTrack
from tests.engine.sources import film, sound

CUES = (
    Cue(start_ms=1_000, end_ms=2_000, text="one"),
    Cue(start_ms=29_000, end_ms=31_000, text="over the edge", settings="line:0"),
    Cue(start_ms=70_000, end_ms=71_000, text="late"),
)


def published(folder: Path) -> tuple[FolderStore, TextTrack]:
    store = FolderStore(folder)
    key, count, size_bytes = webvtt.publish(store, "subs-1-de", CUES)
    label = webvtt.label_of(None, "de", 1)
    return store, TextTrack(
        name="subs-1-de", key=key, language="de", label=label, segment_count=count, size_bytes=size_bytes
    )


def test_segments_hold_their_cues_with_times_of_the_time_line(tmp_path: Path) -> None:
    store, text = published(tmp_path)
    assert text.segment_count == 3
    found = [store.read(text.segment_name(number)).decode() for number in range(4)]
    for segment in found:
        assert segment.startswith("WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n")
    assert ["over the edge" in segment for segment in found] == [True, True, False, False]
    assert "00:00:29.000 --> 00:00:31.000 line:0\nover the edge" in found[1]
    assert text.segment_name(3) == text.empty_name
    assert read_subtitles(store.read(text.whole_name))[1] == CUES


def test_the_same_text_has_the_same_names_and_another_has_others(tmp_path: Path) -> None:
    assert webvtt.key_of(CUES) == webvtt.publish(FolderStore(tmp_path), "subs-1-de", CUES)[0]
    assert webvtt.key_of(CUES) != webvtt.key_of(CUES[:2])


def test_a_playlist_is_as_long_as_the_video_however_early_the_text_ends(tmp_path: Path) -> None:
    _, text = published(tmp_path)
    lines = hls.text_playlist(text, Fraction(10001, 100)).splitlines()
    durations = [
        float(line.removeprefix("#EXTINF:").rstrip(",")) for line in lines if line.startswith("#EXTINF")
    ]
    assert durations == [30, 30, 30, 10.01]
    assert [line for line in lines if not line.startswith("#")] == [
        *(f"{text.key}/{number}.vtt" for number in range(3)),
        f"{text.key}/empty.vtt",
    ]
    assert lines[-1] == "#EXT-X-ENDLIST"


def test_a_video_shorter_than_its_subtitles_lists_what_is_shown(tmp_path: Path) -> None:
    _, text = published(tmp_path)
    lines = hls.text_playlist(text, Fraction(12)).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [f"{text.key}/0.vtt"]


def test_the_master_and_the_manifest_name_subtitles(tmp_path: Path) -> None:
    _, text = published(tmp_path)
    plan = make_plan(film(tracks=[sound(1)]), Settings(copy=False), "build")
    forced = TextTrack(
        name="subs-2-en",
        key="0",
        language="en",
        label="Deutsch",
        default=True,
        forced=True,
        hearing_impaired=True,
    )
    master = hls.multivariant(plan, ["720p"], texts=(text, forced)).splitlines()
    members = [line for line in master if "TYPE=SUBTITLES" in line]
    assert members[0] == (
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,'
        'FORCED=NO,URI="subs-1-de/subs.m3u8"'
    )
    # No two of a group have the same name (RFC 8216, 4.3.4.1).
    assert (
        'NAME="Deutsch (2)",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,FORCED=YES,CHARACTERISTICS='
        in members[1]
    )
    assert all('SUBTITLES="subs"' in line for line in master if line.startswith("#EXT-X-STREAM-INF"))
    assert "SUBTITLES" not in hls.multivariant(plan, ["720p"])
    assert 'URI="../subs-1-de/subs.m3u8"' in hls.rung_playlist(plan, "720p", texts=(text,))
    manifest = dash.manifest(plan, ["720p"], texts=(text, forced))
    assert f"<BaseURL>{text.whole_name}</BaseURL>" in manifest
    assert 'mimeType="text/vtt" lang="de"' in manifest
    assert 'value="forced-subtitle"' in manifest

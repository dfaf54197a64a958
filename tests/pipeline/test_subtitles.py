"""Subtitles, loudness and captions of videos, from an upload to what players get."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine.captions import Said, Transcript
from rushes.jobs.models import OPEN, Job, Status
from rushes.pipeline import beside, intake, streams, subtitles
from rushes.pipeline.progress import describe
from rushes.videos.models import Subtitle, Video, VideoStatus
from tests.engine.test_subtitles import SRT, with_subtitles
from tests.pipeline.hands import step, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture
def film(upload: Callable[..., Video], tmp_path: Path) -> Video:
    """A video with German subtitles in it, and no sound."""
    path = with_subtitles(tmp_path / "a.mkv", [SRT], ["-c:s", "srt", "-metadata:s:s:0", "language=ger"])
    return upload(path)


def test_subtitles_of_a_file_are_in_its_playlists_and_on_the_disk(film: Video, media: Path) -> None:
    work()
    film.refresh_from_db()
    assert (film.status, film.error) == (VideoStatus.READY, "")
    (row,) = film.subtitles.all()
    assert (row.name, row.language, row.status, row.origin) == ("subs-1-de", "de", "ready", "embedded")
    stream = streams.load_stream(film.public_id)
    assert stream is not None
    assert 'TYPE=SUBTITLES,GROUP-ID="subs",NAME="Deutsch",LANGUAGE="de"' in streams.master(stream)
    # Our own page is told of them by events, whenever they come.
    assert "SUBTITLES" not in streams.page_master(stream)
    folder = media / "hls" / str(film.pk)
    assert 'URI="subs-1-de/subs.m3u8"' in (folder / "master.m3u8").read_text()
    assert f"{row.key}/0.vtt" in (folder / "subs-1-de" / "subs.m3u8").read_text()
    assert "auf Wiedersehen" in (folder / "subs-1-de" / row.key / "0.vtt").read_text()
    assert f"{row.key}/all.vtt" in (folder / "manifest.mpd").read_text()


def test_the_source_is_kept_until_its_subtitles_are_out(film: Video, settings: Any) -> None:
    settings.RUSHES_KEEP_SOURCE = False
    kinds = []
    while (kind := step()) is not None:
        kinds.append(kind)
    assert kinds.index("subtitle") < kinds.index("finalise")
    film.refresh_from_db()
    assert film.source == ""
    assert film.subtitles.get().status == "ready"


def test_subtitles_that_cannot_be_read_keep_no_video_from_being_ready(
    film: Video, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ValueError("no way")

    monkeypatch.setattr(beside, "extract", broken)
    assert step() == "ingest"
    Job.objects.filter(kind="subtitle").update(max_failures=1)
    work()
    film.refresh_from_db()
    assert film.status == VideoStatus.READY
    row = film.subtitles.get()
    assert row.status == "failed"
    assert "no way" in row.reason


def test_an_uploaded_file_is_shown_at_once_and_outlives_a_re_encode(film: Video, media: Path) -> None:
    row = subtitles.add_subtitles(film, SRT.encode(), language="fre", default=True)
    assert (row.name, row.language, row.number) == ("subs-101-fr", "fr", 101)
    work()
    intake.transcode(film, None, force=True)
    work()
    film.refresh_from_db()
    assert film.active_encode is not None
    tracks = subtitles.text_tracks(film.pk, film.active_encode.pk)
    assert [(track.name, track.label, track.default) for track in tracks] == [
        ("subs-1-de", "Deutsch", False),
        ("subs-101-fr", "Français", True),
    ]
    subtitles.remove_subtitles(film, "subs-101-fr")
    work()
    assert not (media / "hls" / str(film.pk) / "subs-101-fr").exists()
    assert "subs-101" not in (media / "hls" / str(film.pk) / "master.m3u8").read_text()


def test_what_an_encode_had_of_text_goes_with_it_unless_another_needs_it(film: Video, media: Path) -> None:
    from rushes.pipeline.takeover import own_subtitles

    work()
    intake.transcode(film, None, force=True)
    work()
    film.refresh_from_db()
    first, second = film.encodes.order_by("pk")
    assert own_subtitles(first) == []
    Subtitle.objects.filter(encode=second).delete()
    row = first.subtitles.get()
    assert own_subtitles(first) == [f"subs-1-de/{row.key}", "subs-1-de"]


def test_loudness_is_measured_as_it_is_published(upload: Callable[..., Video]) -> None:
    video = upload(audio_codec="libmp3lame", suffix=".mkv")
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    (track,) = describe(video)["audio_tracks"]
    # A sine of ffmpeg's has an amplitude of 1/8: -21 dBFS, in one channel -21.8 LUFS or so.
    assert track["loudness"]["integrated_lufs"] == pytest.approx(-21.5, abs=1)
    assert track["loudness"]["true_peak_dbtp"] == pytest.approx(-18, abs=1)
    assert (track["gain_db"], track["channels"]) == (0, 1)


def test_loudness_is_brought_to_where_it_is_wanted(upload: Callable[..., Video], settings: Any) -> None:
    settings.RUSHES_LOUDNESS_LUFS = -25.0
    video = upload()
    work()
    video.refresh_from_db()
    (track,) = describe(video)["audio_tracks"]
    assert track["loudness"]["integrated_lufs"] == pytest.approx(-25, abs=0.3)
    assert track["gain_db"] < -2


class Parrot:
    def listen(self, sound: Path) -> Transcript:
        return Transcript(language="en", said=[Said(start_s=0.2, end_s=1.0, text="Polly")])


def test_captions_are_made_where_there_is_a_model(
    upload: Callable[..., Video], settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RUSHES_CAPTIONS_MODEL = tmp_path
    monkeypatch.setattr(beside, "listener", lambda model: Parrot())
    monkeypatch.setattr(beside, "check", lambda model: None)
    video = upload()
    work()
    video.refresh_from_db()
    row = video.subtitles.get()
    assert (row.origin, row.language, row.status) == ("captions", "en", "ready")
    assert subtitles.label_of(row) == "English (automatic)"
    beside.begin_captions(video)
    work()
    assert video.subtitles.count() == 1  # instead of the earlier ones


def test_captions_without_a_model_fail_with_a_sentence_and_the_video_is_ready(
    upload: Callable[..., Video], settings: Any, tmp_path: Path
) -> None:
    settings.RUSHES_CAPTIONS_MODEL = tmp_path / "nothing"
    video = upload()
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    job = Job.objects.get(kind="captions")
    assert job.status == Status.FAILED
    assert "RUSHES_CAPTIONS_MODEL" in job.error
    assert not Job.objects.filter(status__in=OPEN).exists()


def test_the_clip_with_ass_subtitles_has_them(
    upload: Callable[..., Video], real_clip: Callable[[str], Path], tmp_path: Path
) -> None:
    copy = tmp_path / "clip.mkv"
    shutil.copyfile(real_clip("media__sample_with_ass_subtitles.mkv"), copy)
    video = upload(copy)
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    (row,) = video.subtitles.all()
    assert (row.status, row.codec, row.default) == ("ready", "ass", True)

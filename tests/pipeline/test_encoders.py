"""Codecs, qualities and hardware that settings or a wish for one video choose, on the way of a video."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rushes.engine import choosing
from rushes.engine.encoders import Encoder
from rushes.engine.presets import parse_changes
from rushes.pipeline import intake, streams, workshop
from rushes.pipeline.choices import UnknownChoice
from rushes.pipeline.plans import plan_of
from rushes.videos.models import Video, VideoStatus
from tests.pipeline.hands import step, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

NVENC = Encoder(name="h264_nvenc", codec="h264", codec_form="avc1.6400{level:02x}", gpu="nvenc")


def encoders(video: Video) -> set[str | None]:
    video.refresh_from_db()
    assert video.active_encode_id is not None
    return {rung.encoder for rung in plan_of(video.active_encode_id).encoded_rungs}


def test_newer_codecs_are_made_beside_h264_and_every_file_is_published(
    upload: Callable[..., Video], settings: Any, media: Path
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    settings.RUSHES_CODECS = ("h264", "hevc", "av1")
    settings.RUSHES_QUALITY = "economy"
    settings.RUSHES_RUNGS = parse_changes("144p crf=30 preset=superfast bitrate=150k")
    video = upload(size=(256, 144), codec="mpeg4")
    work()
    video.refresh_from_db()
    assert (video.status, video.error, video.warnings) == (VideoStatus.READY, "", [])
    assert encoders(video) == {"libx264", "libx265", "libsvtav1"}
    folder = media / "hls" / str(video.pk)
    names = ["144p", "144p-hevc", "144p-av1"]
    assert sorted(path.parent.name for path in folder.glob("*/iframes.m3u8")) == sorted(names)
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    for name in names:
        served = streams.iframe_playlist(stream, name, lambda uri: f"{uri}?token=x")
        assert served.replace("?token=x", "") == (folder / name / "iframes.m3u8").read_text()
        assert served.count("?token=x") == 1 + stream.plan.rendition(name).timeline.segment_count
    for codec, name in (("", "144p"), ("-hevc", "144p-hevc"), ("-av1", "144p-av1")):
        master = (folder / f"master{codec}.m3u8").read_text()
        assert master == streams.master(stream, name=f"master{codec}.m3u8")
        assert re.findall(r"^[^#].*", master, re.MULTILINE) == [f"{name}/video.m3u8"]
        assert master.count("#EXT-X-I-FRAME-STREAM-INF:") == 1
    assert streams.page_master(stream).count("#EXT-X-STREAM-INF:") == 3
    settings.RUSHES_CODECS = ("h264",)
    intake.transcode(video)
    work()
    assert encoders(video) == {"libx264"}
    assert sorted(path.name for path in folder.glob("master*")) == ["master.m3u8"]
    with pytest.raises(KeyError):
        streams.iframe_playlist(stream, "audio-1-und")


def test_rungs_that_were_made_before_keyframes_were_noted_have_no_iframes(
    upload: Callable[..., Video], settings: Any
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    video = upload(gop=15)
    work()
    video.refresh_from_db()
    assert video.active_encode is not None
    video.active_encode.renditions.update(iframe_peak_bps=None, iframe_average_bps=None)
    stream = streams.load_stream(video.public_id)
    assert stream is not None
    assert "I-FRAME" not in streams.master(stream)
    with pytest.raises(KeyError):
        streams.iframe_playlist(stream, stream.plan.rungs[0].name)


def test_hardware_that_fails_its_test_is_replaced_and_the_video_says_so(
    upload: Callable[..., Video], settings: Any
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    settings.RUSHES_GPU = "vaapi"
    video = upload(size=(256, 144))
    work()
    video.refresh_from_db()
    assert video.status == VideoStatus.READY
    assert [w for w in video.warnings if "VAAPI" in w and "libx264 is used instead" in w]


def test_what_this_worker_has_no_hardware_for_is_planned_anew_with_software(
    upload: Callable[..., Video], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    settings.RUSHES_GPU = "nvenc"
    video = upload(size=(426, 240), codec="mpeg4")
    with monkeypatch.context() as elsewhere:
        # Another worker looked at the source; that one's card works.
        found = choosing.Choice(encoders=(NVENC,))
        elsewhere.setattr(workshop, "choose", lambda *_: found)
        assert step() == "ingest"
    assert encoders(video) == {"h264_nvenc"}
    work()
    assert encoders(video) == {"libx264"}
    assert video.status == VideoStatus.READY
    assert workshop.LOST_HARDWARE in video.warnings


def test_hardware_that_fails_at_a_chunk_is_replaced_by_software(
    upload: Callable[..., Video], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    settings.RUSHES_GPU = "nvenc"
    video = upload(size=(426, 240), codec="mpeg4")
    found = choosing.Choice(encoders=(NVENC,))
    passes = workshop.choose
    monkeypatch.setattr(
        workshop, "choose", lambda gpu, *rest: found if gpu == "nvenc" else passes(gpu, *rest)
    )
    work()
    assert encoders(video) == {"libx264"}
    assert video.status == VideoStatus.READY
    assert workshop.LOST_HARDWARE in video.warnings


def test_a_wish_for_one_video_goes_before_the_settings(upload: Callable[..., Video], settings: Any) -> None:
    settings.VIDEO_QUALITY_PRESETS = (144,)
    video = upload(size=(256, 144), codec="mpeg4")
    work()
    job = intake.transcode(video, quality="best", codecs=["av1", "h264"])
    assert job.args["settings"] == {"quality": "best", "codecs": ["h264", "av1"]}
    work()
    assert encoders(video) == {"libx264", "libsvtav1"}
    assert video.active_encode is not None
    assert {r.crf for r in plan_of(video.active_encode.pk).rungs} == {20, 30}
    for wrong in ({"quality": "good"}, {"codecs": ["av1"]}):
        with pytest.raises(UnknownChoice):
            intake.transcode(video, **wrong)  # type: ignore[arg-type]

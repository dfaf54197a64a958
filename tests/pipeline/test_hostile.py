"""Hostile uploads on the way through the product: they fail in words for the uploader, and the worker goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.jobs.models import OPEN, Job
from rushes.videos.models import Video, VideoStatus
from tests.hostile.bombs import hours_between, tracks
from tests.hostile.dressed import DRESSED
from tests.hostile.meeting import listening
from tests.pipeline.hands import work

pytestmark = pytest.mark.django_db(transaction=True)

KINDS: dict[str, tuple[Callable[[Path, str, Path], object], str]] = {
    "playlist": (
        lambda path, address, victim: path.write_bytes(DRESSED["hls, file"](victim, address)),
        "is a playlist",
    ),
    "svg": (
        lambda path, address, victim: path.write_bytes(DRESSED["svg"](victim, address)),
        "is not a video or sound",
    ),
    "reference movie": (
        lambda path, address, victim: path.write_bytes(DRESSED["mov, reference movie"](victim, address)),
        "holds neither pictures nor sound",
    ),
    "hours of nothing": (
        lambda path, address, victim: hours_between(path),
        "hours in which neither picture nor sound",
    ),
    "tracks": (lambda path, address, victim: tracks(path), "900 sound tracks; at most 32"),
}


def test_hostile_uploads_fail_in_words_and_leave_nothing_behind(
    upload: Callable[..., Video], media: Path, tmp_path: Path
) -> None:
    videos = {}
    victim = tmp_path / "another.mp4"
    victim.write_bytes(b"somebody else's")
    with listening() as listener:
        for kind, (make, _) in KINDS.items():
            path = tmp_path / f"{kind}.mp4"
            make(path, listener.address, victim)
            videos[kind] = upload(path)
        good = upload()
        work()
        assert listener.heard == []
    for kind, (_, sentence) in KINDS.items():
        video = videos[kind]
        video.refresh_from_db()
        assert (video.status, video.playable) == (VideoStatus.FAILED, False)
        assert sentence in video.error
        assert video.error.endswith(".")
        assert str(tmp_path) not in video.error
    good.refresh_from_db()
    assert good.status == VideoStatus.READY
    assert not Job.objects.filter(status__in=OPEN).exists()
    assert not list((media / "scratch").glob("run-*"))

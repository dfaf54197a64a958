"""What publishing removes from a video's folders."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

import pytest

from rushes.pipeline import publishing
from rushes.videos.models import Video
from rushes.videos.store import hls_store
from tests.pipeline.hands import work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

WRONG_S = 600.0


def test_what_another_host_is_writing_is_left_though_our_clock_is_ahead_of_its(
    upload: Callable[..., Video], monkeypatch: pytest.MonkeyPatch
) -> None:
    video = upload()
    work()
    video.refresh_from_db()
    root = hls_store(video.pk).root
    being_written, left_behind = root / ".master.m3u8.young", root / ".master.m3u8.old"
    for path in (being_written, left_behind):
        path.write_text("half")
    before_s = time.time() - 60
    os.utime(left_behind, (before_s, before_s))
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + WRONG_S)
    publishing._tidy(video)
    assert being_written.exists()
    assert not left_behind.exists()

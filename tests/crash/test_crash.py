"""`kill -9` of web, worker and ffmpeg processes at random moments: every video becomes ready, whole and verified.

`make test` kills a few; `benchmarks/bench_crash.py` a hundred (CRASH_KILLS), with a seed of its own (CRASH_SEED).
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from rushes.jobs.models import Job
from rushes.videos.models import Video
from tests.crash import checking
from tests.crash.instance import ROOT, Instance, ffmpegs_below, wait_until
from tests.crash.killing import Killer, Uploads
from tests.crash.viewers import Served, Viewer

KILLS = int(os.environ.get("CRASH_KILLS", "7"))
SEED = int(os.environ.get("CRASH_SEED", "1"))
#: A killed worker's jobs are run again at most 25 s later; three times that, and the work itself.
READY_LIMIT_S = 150.0 + 3 * KILLS
PRESETS = "360p,144p"
VIEWERS = 2
PRODUCT_SETTINGS = "tests.crash.settings"

pytestmark = [pytest.mark.databases, pytest.mark.timeout(600 + 20 * KILLS)]


@pytest.fixture(scope="module")
def sources(clip: Callable[..., Path]) -> list[Path]:
    """One that is encoded, one whose picture and sound are copied, one of sound alone."""
    return [
        clip(size=(320, 180), rate=25, duration_s=34, codec="mpeg4", suffix=".mkv"),
        clip(
            size=(640, 360), rate=25, duration_s=22, gop=50, options=["-preset", "veryfast", "-b:v", "600k"]
        ),
        clip(codec="", duration_s=40, audio_codec="libmp3lame", suffix=".mp3"),
    ]


@pytest.fixture(scope="module")
def undisturbed(sources: list[Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What `rushes encode` makes of each source, by its path."""
    made = {}
    for source in sources:
        folder = tmp_path_factory.mktemp("undisturbed")
        command = [
            sys.executable,
            "-m",
            "rushes",
            "encode",
            str(source),
            "-o",
            str(folder),
            "--rungs",
            PRESETS,
        ]
        subprocess.run(command, check=True, capture_output=True)
        made[str(source)] = folder
    return made


@pytest.fixture
def media(settings: Any, tmp_path: Path) -> Path:
    """MEDIA_ROOT of this test alone."""
    settings.MEDIA_ROOT = tmp_path / "media"
    return tmp_path / "media"


@pytest.fixture
def environment(
    product_environ: Callable[..., dict[str, str]], media: Path, tmp_path: Path
) -> dict[str, str]:
    return product_environ(
        RUSHES_VAR=str(tmp_path / "var"),
        VIDEO_QUALITY_PRESETS=PRESETS,
        DJANGO_SETTINGS_MODULE=PRODUCT_SETTINGS,
        PYTHONPATH=str(ROOT),
    )


@pytest.mark.django_db(transaction=True)
def test_whatever_is_killed_nothing_is_lost_wrong_or_done_twice(
    environment: dict[str, str],
    media: Path,
    sources: list[Path],
    undisturbed: dict[str, Path],
    tmp_path: Path,
) -> None:
    served, stop = Served(), threading.Event()
    with Instance(environment, tmp_path) as instance, ExitStack() as ends:
        ends.callback(stop.set)
        killer, api = Killer(instance, SEED), instance.client()
        viewers: list[Viewer] = []

        def watch(public_id: str) -> None:
            if len(viewers) < VIEWERS:
                viewer = Viewer(instance.client(), public_id, served, stop, SEED + len(viewers))
                viewer.start()
                viewers.append(viewer)

        uploads = Uploads(api, sources, watch)
        for _ in sources:
            uploads.one()
        while killer.killed.total() < KILLS:
            killer.kill_one(uploads.keep_busy)
            uploads.keep_busy()

        wait_until(
            lambda: uploads.unfinished() == 0 and not checking.work_left(),
            READY_LIMIT_S,
            "all videos are ready",
        )
        stop.set()
        for viewer in viewers:
            viewer.join()
        scratch, incoming = media / "scratch", media / "incoming"
        wait_until(lambda: not checking.leftovers(scratch, incoming), 60, "what was half-made is removed")
        assert ffmpegs_below(media) == []

    assert ffmpegs_below(media) == []
    assert Job.objects.filter(interruptions__gt=0).exists()  # else nothing was disturbed
    assert served.refusals == []
    count = checking.check_served(served.digests, media)
    assert count > 0
    print(
        f"{dict(killer.killed)} killed; {Video.objects.count()} videos, {count} segments and inits served; "
        f"jobs {dict(checking.how_jobs_ended())}"
    )
    checking.check_ledger()
    checking.check_videos(media)
    for video in Video.objects.select_related("active_encode"):
        checking.check_bytes(video, media, undisturbed[video.title])

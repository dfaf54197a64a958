"""Disks that are full, locked or gone, programs that are killed: said plainly, tried again, nothing half-published."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from rushes.engine.cmaf import boxes
from rushes.engine.process import FfmpegInterrupted
from rushes.engine.store import FolderStore
from rushes.jobs.attempts import attempt
from rushes.jobs.handlers import Claimed
from rushes.jobs.models import OPEN, Job, Status
from rushes.jobs.queues import CONTROL
from rushes.jobs.reporting import Running
from rushes.pipeline import finalise, ingest, intake, room
from rushes.videos.models import Encode, Rendition, Video, VideoStatus
from tests.jobs.conftest import wait_until
from tests.pipeline.hands import claim, step, until, work

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

Upload = Callable[..., Video]
MOUNT_BYTES = 24 << 20


@pytest.fixture
def disk(media: Path, settings: Any) -> Iterator[Path]:
    """A small file system of its own for the media; only root can have one."""
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={MOUNT_BYTES}", "tmpfs", str(media)], capture_output=True
        )
    except FileNotFoundError:
        pytest.skip("not on PATH: mount")
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.decode().strip()}")
    try:
        yield media
    finally:
        subprocess.run(["umount", "-l", str(media)], check=True)


def fill(disk: Path, leave_bytes: int = 0) -> Path:
    """Take all the room there is, but for so much."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - leave_bytes)
    return filler


def locked(disk: Path, *, read_only: bool) -> None:
    mode = "ro" if read_only else "rw"
    command = ["mount", "-o", f"remount,{mode}", str(disk)]
    # A process that is ending may hold a file for a moment more.
    wait_until(lambda: subprocess.run(command).returncode == 0, 30, f"{disk} is {mode}")


def hurry() -> None:
    """What was put off is due."""
    for job in Job.objects.filter(status=Status.PENDING).exclude(kind="retire"):
        Job.objects.filter(pk=job.pk).update(run_after=job.created_at)


def whole(media: Path) -> bool:
    """Whether no published file is half of one, and none is on its way."""
    published = [path for path in media.glob("hls/**/*") if path.is_file()]
    for path in published:
        list(boxes(path.read_bytes()))
    return not any(path.name.startswith(".") for path in published)


@pytest.mark.parametrize("leave_bytes", [0, 16_384, 65_536])
def test_a_disk_that_is_full_is_waited_for_and_the_work_goes_on_when_there_is_room(
    upload: Upload, disk: Path, leave_bytes: int
) -> None:
    video = upload(duration_s=4, size=(426, 240))
    assert step() == "ingest"
    until("chunk")
    filler = fill(disk, leave_bytes)
    while Job.objects.filter(status=Status.PENDING, kind="chunk", error="").exists():
        if step() is None:
            break
    waiting = Job.objects.filter(kind="chunk", status=Status.PENDING).exclude(error="")
    assert waiting.exists()
    for job in waiting:
        assert job.error == "There is no room left on the server for this video."
        assert (job.failures, job.interruptions) == (0, 1)
    assert whole(disk)
    assert not list((disk / "scratch").glob("run-*"))
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.PROCESSING, "")
    filler.unlink()
    hurry()
    work()
    video.refresh_from_db()
    assert (video.status, video.error, video.warnings) == (VideoStatus.READY, "", [])


def test_a_disk_that_stays_full_is_said_in_the_end_and_nothing_is_lost(
    upload: Upload, disk: Path, settings: Any
) -> None:
    settings.JOBS_MAX_INTERRUPTIONS = 2
    video = upload()
    assert step() == "ingest"
    filler = fill(disk)
    while Job.objects.filter(status__in=OPEN).exclude(kind="retire").exists():
        hurry()
        assert step() is not None
    video.refresh_from_db()
    assert video.status == VideoStatus.FAILED
    assert video.error == "There is no room left on the server for this video."
    assert not list((disk / "scratch").glob("run-*"))
    filler.unlink()
    intake.retry_video(video)
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_a_disk_that_is_full_when_all_is_encoded_delays_the_download_and_spoils_nothing(
    upload: Upload, disk: Path
) -> None:
    video = upload(duration_s=4)
    assert step() == "ingest"
    until("mp4")
    filler = fill(disk)
    assert step() == "mp4"
    job = Job.objects.get(kind="mp4")
    assert (job.status, job.error) == (Status.PENDING, "There is no room left on the server for this video.")
    assert not [path for path in (disk / "mp4").rglob("*") if path.is_file()]
    assert not (disk / "hls" / str(video.pk) / "master.m3u8").exists()
    filler.unlink()
    hurry()
    work()
    video.refresh_from_db()
    assert (video.status, video.warnings) == (VideoStatus.READY, [])
    assert (disk / "hls" / str(video.pk) / "master.m3u8").exists()


@pytest.mark.parametrize("kind", ["ingest", "chunk", "finalise", "publish"])
def test_a_disk_that_is_read_only_is_said_and_waited_for_whatever_the_step(
    upload: Upload, disk: Path, kind: str
) -> None:
    video = upload()
    until(kind)
    locked(disk, read_only=True)
    try:
        assert step() == kind
    finally:
        locked(disk, read_only=False)
    job = Job.objects.filter(kind=kind).exclude(error="").get()
    assert (job.status, job.failures) == (Status.PENDING, 0)
    assert job.error == "The server cannot write its files now."
    hurry()
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_a_scratch_folder_that_is_removed_under_a_step_costs_that_step_and_no_attempt(
    upload: Upload, media: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = upload()
    assert step() == "ingest"
    until("chunk")
    put = FolderStore.put

    def put_and_lose(self: FolderStore, name: str, path: Path) -> None:
        put(self, name, path)
        monkeypatch.setattr(FolderStore, "put", put)
        shutil.rmtree(media / "scratch")

    monkeypatch.setattr(FolderStore, "put", put_and_lose)
    assert step() == "chunk"
    job = Job.objects.get(kind="chunk", interruptions=1)
    assert (job.status, job.failures) == (Status.PENDING, 0)
    work()
    video.refresh_from_db()
    assert (video.status, video.error) == (VideoStatus.READY, "")


def test_an_ffmpeg_that_is_killed_for_memory_is_run_again_and_at_last_said(
    upload: Upload, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOBS_MAX_INTERRUPTIONS = 3

    def killed(*_: Any, **__: Any) -> None:
        raise FfmpegInterrupted("ffmpeg was ended by Killed; the machine may be out of memory")

    video = upload()
    assert step() == "ingest"
    until("finalise")
    assert step() == "finalise"  # verified
    until("finalise")
    monkeypatch.setattr(finalise, "write_playlists", killed)
    while Job.objects.filter(status__in=OPEN, kind="finalise").exists():
        hurry()
        assert step() == "finalise"
    video.refresh_from_db()
    assert (video.status, video.playable) == (VideoStatus.FAILED, True)
    assert "interrupted 3 times" in video.error
    assert video.error.endswith("Last time: ffmpeg was ended by Killed; the machine may be out of memory.")
    assert Job.objects.filter(kind="finalise").latest("pk").failures == 0


def test_what_is_promised_to_one_video_is_not_free_for_the_next(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = upload(), upload()
    assert step() == "ingest"
    promised = room.promised_bytes()
    assert promised > 0
    assert room.promised_bytes(without_video=first.pk) == 0
    usage = shutil.disk_usage("/")
    monkeypatch.setattr(
        "shutil.disk_usage", lambda _: usage._replace(free=promised + promised // 2)
    )  # enough for one at a time
    while Job.objects.filter(kind="ingest", status=Status.PENDING, error="").exists():
        assert step() is not None
    waits = Job.objects.get(kind="ingest", status=Status.PENDING)
    assert waits.group == str(second.pk)
    assert "promised to videos that came before" in waits.error
    work()
    first.refresh_from_db()
    assert (first.status, room.promised_bytes()) == (VideoStatus.READY, 0)
    hurry()
    work()
    second.refresh_from_db()
    assert second.status == VideoStatus.READY


def test_of_two_videos_that_are_looked_at_at_the_same_instant_one_is_promised_the_room(
    upload: Upload, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload()
    assert step() == "ingest"
    promised = room.promised_bytes()
    work()
    usage = shutil.disk_usage("/")
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage._replace(free=promised + promised // 2))
    upload(), upload()
    first, second = (claim(CONTROL.name) for _ in range(2))
    assert first is not None
    assert second is not None
    wrote, other_is_over = threading.Event(), threading.Event()
    begin = ingest.begin

    def begin_slowly(encode: Encode) -> None:
        wrote.set()
        other_is_over.wait(1)  # its end would be wrong: it has to wait for this transaction's
        begin(encode)

    monkeypatch.setattr(ingest, "begin", begin_slowly)

    def look(job: Claimed) -> None:
        attempt(Running(job))
        connections.close_all()

    one = threading.Thread(target=look, args=(first,))
    one.start()
    assert wrote.wait(60)
    other = threading.Thread(target=look, args=(second,))
    other.start()
    other.join(1)
    other_is_over.set()
    one.join()
    other.join()
    refused = Job.objects.get(kind="ingest", status=Status.PENDING)
    assert refused.pk == second.id
    assert "promised to videos that came before" in refused.error


def test_what_is_made_is_not_promised_any_more(upload: Upload) -> None:
    upload(duration_s=20, size=(256, 144), rate=10)
    assert step() == "ingest"
    before = room.promised_bytes()
    until("finalise")
    rows = Rendition.objects.all()
    assert room.promised_bytes() == max(row.promised_bytes for row in rows) < before
    Encode.objects.update(error="It failed.")
    assert room.promised_bytes() == 0

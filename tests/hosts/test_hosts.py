"""Two hosts, one database, a network that fails: what one cannot finish the other does, and nothing is done twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from rushes.jobs.clock import FromNow
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, JobLog, Status
from rushes.pipeline.intake import create_video
from rushes.videos.models import Chunk, Video, VideoStatus
from tests.crash import checking
from tests.crash.instance import wait_until
from tests.hosts.conftest import Hosts
from tests.jobs import kinds  # noqa: F401  # registers its kind

#: 25 s are promised from the cut to the claim by another; a test waits for three times that.
REDONE_LIMIT_S = 75.0
WORK_LIMIT_S = 180.0
CUTS = 5  # tries to find a host in the middle of a chunk

pytestmark = pytest.mark.timeout(600)


def held_by(host: str) -> dict[int, int]:
    """Jobs that the ledger says are in work there, with their claims."""
    rows = Job.objects.filter(status=Status.PROCESSING, worker__startswith=f"{host}-")
    return dict(rows.values_list("pk", "claim"))


def upload(clip: Path, folder: Path, title: str) -> Video:
    owner, _ = User.objects.get_or_create(username="somebody")
    path = folder / f"{title}{clip.suffix}"
    path.write_bytes(clip.read_bytes())
    return create_video(owner=owner, path=path, original_name=path.name, title=title)


def is_ready(video: Video) -> bool:
    video.refresh_from_db()
    assert video.status != VideoStatus.FAILED, video.error
    return video.status == VideoStatus.READY


def makers(video: Video) -> set[str]:
    """The hosts that have made chunks of it."""
    names = Chunk.objects.filter(rendition__encode__video=video).values_list("worker", flat=True)
    return {name.partition("-")[0] for name in names}


def wait_until_taken_over(held: dict[int, int]) -> float:
    """Until every job has been claimed anew; seconds."""
    began_s = time.monotonic()
    wait_until(
        lambda: all(
            claim > held[pk] for pk, claim in Job.objects.filter(pk__in=held).values_list("pk", "claim")
        ),
        REDONE_LIMIT_S,
        "what the other host held is claimed anew",
    )
    return time.monotonic() - began_s


@pytest.fixture(scope="module")
def film(clip: Callable[..., Path]) -> Path:
    """Ten chunks; large enough that each takes a while."""
    return clip(size=(1280, 720), rate=30, duration_s=80, codec="mpeg4", suffix=".mkv")


def test_a_host_that_is_cut_off_in_the_middle_costs_its_chunks_and_nothing_else(
    hosts: Hosts, film: Path, settings: Any, tmp_path: Path
) -> None:
    hosts.start_worker("a")
    hosts.start_worker("b")
    video = upload(film, tmp_path, "first")
    wait_until(lambda: makers(video) == {"a", "b"}, WORK_LIMIT_S, "both hosts have made chunks of one video")
    held = cut_in_the_middle(hosts, "b")
    took_s = wait_until_taken_over(held)
    wait_until(lambda: not hosts.ffmpegs("b"), REDONE_LIMIT_S, "b has heard nothing and ends its encoders")
    wait_until(lambda: is_ready(video), WORK_LIMIT_S, "the video is ready by a alone")
    print(f"{len(held)} jobs of the cut-off host were claimed anew {took_s:.1f} s after the cut")
    hosts.network.mend("b")

    second = upload(film, tmp_path, "second")
    wait_until(lambda: "b" in makers(second), WORK_LIMIT_S, "b works again")
    wait_until(lambda: is_ready(second) and not checking.work_left(), WORK_LIMIT_S, "the second is ready")
    checking.check_ledger()
    checking.check_videos(Path(settings.MEDIA_ROOT))
    assert Job.objects.filter(pk__in=held, interruptions=1).count() == len(held)


def cut_in_the_middle(hosts: Hosts, host: str) -> dict[int, int]:
    """Cut the host off while the ledger says that it makes chunks, and it does; what it held."""
    for _ in range(CUTS):
        wait_until(lambda: held_by(host) and hosts.ffmpegs(host), WORK_LIMIT_S, f"{host} makes a chunk")
        hosts.network.cut(host)
        if held := held_by(host):  # what it had sent before has arrived: nothing of it can end now
            return held
        hosts.network.mend(host)
    raise AssertionError(f"{host} was never in the middle of anything")


def test_what_a_host_finishes_after_it_was_given_up_changes_nothing(hosts: Hosts, tmp_path: Path) -> None:
    hosts.start_worker("b")
    end = tmp_path / "end"
    job = enqueue("scripted", args={"do": "until file", "path": str(end), "once": True})
    wait_until(lambda: held_by("b"), WORK_LIMIT_S, "b has it")
    hosts.start_worker("a")
    hosts.network.cut("b")
    # Finished within its lease: b tries to commit for as long as another lease, and is heard in the end.
    nearly_over = Job.objects.filter(pk=job.pk, lease_until__lt=FromNow(4))
    wait_until(nearly_over.exists, WORK_LIMIT_S, "b's lease has nearly run out")
    end.touch()
    wait_until_taken_over({job.pk: 1})
    hosts.network.mend("b")
    wait_until(
        lambda: "was not ours any more" in hosts.log("b").read_text(), WORK_LIMIT_S, "b hears that it is late"
    )
    job.refresh_from_db()
    assert (job.status, job.claim, job.interruptions) == (Status.COMPLETED, 2, 1)
    assert JobLog.objects.filter(job=job, text__startswith="committed").count() == 1


def test_what_a_host_has_locked_is_free_when_its_lease_has_run_out(hosts: Hosts) -> None:
    hosts.start_worker("b")
    job = enqueue("scripted", args={"do": "slow commit", "s": 120, "once": True})
    wait_until(
        lambda: b"commits slowly" in hosts.log("b").read_bytes(), WORK_LIMIT_S, "b is in its transaction"
    )
    hosts.network.cut("b")
    hosts.start_worker("a")
    print(f"claimed anew {wait_until_taken_over({job.pk: 1}):.1f} s after the cut")
    wait_until(
        lambda: Job.objects.get(pk=job.pk).status == Status.COMPLETED, WORK_LIMIT_S, "a has committed it"
    )
    assert Job.objects.get(pk=job.pk).claim == 2

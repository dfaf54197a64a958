"""What every delivery promises, whatever dies: nothing is lost, nothing is committed twice, nothing waits for ever."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from django.db import transaction
from django.db.models import Sum

from rushes.jobs.delivery.engine import chosen
from rushes.jobs.faults import Moment
from rushes.jobs.ledger import cancel, enqueue
from rushes.jobs.models import OPEN, Job, JobLog, Status
from rushes.jobs.queues import CONTROL, WAITING, Priority, Queue
from tests.contract import injections
from tests.contract.worlds import ROOT, World
from tests.jobs.conftest import freeze, send, wait_until
from tests.jobs.kinds import is_whole

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 60.0  # of what takes a few seconds on a quiet machine
RERUN_LIMIT_S = 75.0  # three times the promise

#: Of each delivery; `benchmarks/bench_kills.py` has many more.
KILLS = int(os.environ.get("KILLS", "2"))
KILL_SEED = os.environ.get("KILL_SEED", "1")
JOBS_PER_KILL = 2


def put(*, queue: Queue | None = None, run_after_s: float = 0.0, priority: int = 50, **script: object) -> Job:
    return enqueue("scripted", args=script, queue=queue, run_after_s=run_after_s, priority=priority)


def status_of(job: Job) -> str:
    job.refresh_from_db()
    return job.status


def wait_for(job: Job, status: Status, limit_s: float = LIMIT_S) -> None:
    wait_until(lambda: status_of(job) == status, limit_s, f"{job} is {status}")


def commits(job: Job) -> int:
    return JobLog.objects.filter(job=job, text__startswith="committed").count()


def test_every_job_of_every_queue_runs_once(world: World) -> None:
    world.ensure()
    jobs = [put(queue=queue) for queue in (None, CONTROL, WAITING) for _ in range(4)]
    for job in jobs:
        wait_for(job, Status.COMPLETED)
    assert [(job.claim, commits(job)) for job in jobs] == [(1, 1)] * len(jobs)


def test_what_is_rolled_back_is_never_delivered(world: World) -> None:
    world.ensure()
    with transaction.atomic():
        put(note="rolled back")
        transaction.set_rollback(True)
    after = put()
    wait_for(after, Status.COMPLETED)
    assert [job.pk for job in Job.objects.all()] == [after.pk]
    assert commits(after) == 1


def test_a_process_that_dies_as_it_enqueues_leaves_a_job_that_runs_or_none(
    world: World, tmp_path: Path
) -> None:
    world.ensure()
    dying = []
    for moment in (Moment.ENQUEUED, Moment.COMMITTED):
        folder = tmp_path / moment
        folder.mkdir()
        injections.arm(folder, moment, "kill")
        environ = world.environ(**{injections.FOLDER: str(folder)})
        dying.append(
            subprocess.Popen([sys.executable, "-m", "tests.jobs.enqueuer", "1", "1"], env=environ, cwd=ROOT)
        )
    ends = [process.wait(LIMIT_S) for process in dying]
    # The database itself wakes workers: there is nothing to be sent.
    assert ends == [-signal.SIGKILL, 0 if chosen() is None else -signal.SIGKILL]
    job = Job.objects.get()
    wait_for(job, Status.COMPLETED)
    assert (job.claim, commits(job)) == (1, 1)


def test_a_wakeup_that_is_delivered_again_and_again_runs_the_job_once(world: World) -> None:
    world.ensure()
    job = put(do="say", s=0.3)
    if engine := chosen():
        engine.send(job.queue, 5)
    wait_for(job, Status.COMPLETED)
    after = put()
    wait_for(after, Status.COMPLETED)
    assert (status_of(job), job.claim, commits(job)) == (Status.COMPLETED, 1, 1)


def test_a_delay_and_a_retry_are_delivered_when_their_time_comes(world: World) -> None:
    world.ensure()
    later = put(run_after_s=1.0)
    again = put(do="error", once=True)
    wait_for(later, Status.COMPLETED)
    wait_for(again, Status.COMPLETED)
    assert (again.claim, again.failures, commits(again)) == (2, 1, 1)


def test_cancelling_a_running_job_stops_its_ffmpeg_in_2_seconds(world: World) -> None:
    world.ensure()
    job = put(do="ffmpeg", s=120)
    ffmpeg = ffmpeg_of(job)
    assert cancel([job.pk]) == 1
    wait_until(lambda: not ffmpeg.is_running(), 6, "its ffmpeg has ended")  # three times the promise
    wait_for(job, Status.CANCELLED, 6)
    assert commits(job) == 0


def test_the_job_of_a_killed_process_is_done_by_another(world: World) -> None:
    world.ensure()
    job = put(do="ffmpeg", s=120, once=True)
    ffmpeg = ffmpeg_of(job)
    holder = ffmpeg.parent()  # the process that has the job
    assert holder is not None
    holder.kill()
    wait_until(lambda: not ffmpeg.is_running(), 6, "its ffmpeg has ended")  # three times the promise

    def is_done() -> bool:
        world.revive()
        return status_of(job) == Status.COMPLETED

    wait_until(is_done, RERUN_LIMIT_S, "it is done")
    assert (job.claim, job.failures, commits(job)) == (2, 0, 1)


def test_whatever_goes_wrong_at_any_moment_every_job_is_done_once(world: World) -> None:
    for moment in Moment:
        if moment == Moment.ENQUEUED:  # these workers write no jobs
            continue
        if moment == Moment.COMMITTED and chosen() is None:  # there is nothing to be sent
            continue
        injections.arm(world.faults, moment, "kill")
        injections.arm(world.faults, moment, "error")
    for moment in (Moment.CLAIMED, Moment.COMPLETING):
        injections.arm(world.faults, moment, "pause")
    world.ensure()
    jobs: list[Job] = []

    def all_done() -> bool:
        world.revive()
        is_done = not Job.objects.filter(status__in=OPEN).exists()
        if is_done and injections.armed(world.faults):
            jobs.extend([put(), put(do="say", s=1.2), put(do="error", once=True)])
            return False
        return is_done

    wait_until(all_done, 2 * LIMIT_S, "all is suffered and done")
    assert [(status_of(job), commits(job)) for job in jobs] == [(Status.COMPLETED, 1)] * len(jobs)
    assert sum(job.failures for job in jobs) <= len(jobs) / 3
    # Nobody revives in the next test what may be about to end, as Celery does when its broker goes at a bad moment.
    world.kill()


@pytest.mark.timeout(180 + 5 * KILLS)
def test_random_kills_lose_nothing_and_commit_nothing_twice(world: World, tmp_path: Path) -> None:
    rng = random.Random(f"{KILL_SEED} {type(world).__name__}")
    killed: Counter[str] = Counter()
    jobs: list[Job] = []

    def begun_since(before: int) -> bool:
        world.revive()
        return claims() > before

    world.ensure()
    for _ in range(KILLS):
        before = claims()
        jobs += [
            put(do="file", s=rng.uniform(0.05, 1.5), path=str(tmp_path / f"{len(jobs) + number}"))
            for number in range(JOBS_PER_KILL)
        ]
        wait_until(lambda before=before: begun_since(before), LIMIT_S, "work is begun")
        time.sleep(rng.uniform(0, 0.5))
        killed[world.kill_one(rng)] += 1

    def all_done() -> bool:
        world.revive()
        return not Job.objects.filter(status__in=OPEN).exists()

    wait_until(all_done, LIMIT_S + KILLS, "all is done")
    assert [(status_of(job), job.failures, commits(job)) for job in jobs] == [(Status.COMPLETED, 0, 1)] * len(
        jobs
    )
    assert all(is_whole(Path(job.args["path"])) for job in jobs)
    again = sum(job.claim for job in jobs) - len(jobs)
    print(
        f"{type(world).__name__}: {len(jobs)} jobs, killed {dict(killed)}; {again} done again; seed {KILL_SEED}"
    )
    world.kill()


def test_workers_that_are_told_to_stop_give_their_jobs_back_in_5_seconds(world: World) -> None:
    world.ensure()
    job = put(do="ffmpeg", s=120)
    ffmpeg = ffmpeg_of(job)
    world.stop()
    wait_for(job, Status.PENDING, 15)  # three times the promise
    assert not ffmpeg.is_running()
    world.wait(30)
    assert (status_of(job), job.interruptions, job.failures) == (Status.PENDING, 0, 0)
    cancel([job.pk])


def test_workers_of_which_a_process_hangs_end_when_they_are_told_to(world: World) -> None:
    world.kill()
    world.start()
    wait_for(put(), Status.COMPLETED)
    parents = {process.pid for process in world.processes()}
    last = [process for process in world.processes() if process.ppid() in parents]
    hanging = [process for process in last if "standby" not in process.cmdline()][-1:]
    send(signal.SIGSTOP, hanging)
    world.stop()
    world.wait(30)  # three times what `make run` promises
    assert not psutil.wait_procs(hanging, 15)[1]


def test_the_best_job_of_what_an_emptied_engine_has_forgotten_goes_first(world: World) -> None:
    world.kill()
    with transaction.atomic():
        jobs = [put(priority=Priority.BACKGROUND), put(priority=Priority.WAITED_FOR)]
        jobs += [put(queue=CONTROL) for _ in range(5)]
    world.wipe()
    world.ensure()
    for job in jobs:
        wait_for(job, Status.COMPLETED)
    background, waited_for, *_ = jobs
    assert waited_for.started_at is not None
    assert background.started_at is not None
    assert waited_for.started_at <= background.started_at
    world.wipe()  # under workers that run
    after = put()
    wait_for(after, Status.COMPLETED)
    assert [commits(job) for job in [*jobs, after]] == [1] * 8


def test_while_the_engine_is_away_an_embedded_worker_takes_over(world: World) -> None:
    if chosen() is None:
        pytest.skip("the database delivery has no engine that could be away")
    world.ensure()
    world.take_away()
    jobs = [put(), put(queue=CONTROL)]  # no request fails
    assert [job.status for job in jobs] == [Status.PENDING] * 2
    with world.standby():
        for job in jobs:
            wait_for(job, Status.COMPLETED)
        world.bring_back()
    world.ensure()
    after = put()
    wait_for(after, Status.COMPLETED)
    assert [(job.claim, commits(job)) for job in [*jobs, after]] == [(1, 1)] * 3


def test_a_tree_that_slept_through_its_leases_changes_nothing(world: World) -> None:
    world.kill()
    sleepers = world.start()
    job = put(do="deaf", s=1, once=True)
    wait_for(job, Status.PROCESSING)
    frozen = freeze(world.processes)
    world.start()
    wait_for(job, Status.COMPLETED, RERUN_LIMIT_S)
    send(signal.SIGCONT, frozen)
    for sleeper in sleepers:
        sleeper.terminate()
    for sleeper in sleepers:
        sleeper.wait(LIMIT_S)
    assert (status_of(job), job.claim, commits(job)) == (Status.COMPLETED, 2, 1)


def test_workers_have_the_name_they_are_given_and_are_exchanged_after_so_many_jobs(world: World) -> None:
    world.kill()
    world.start(WORKER_ID="attic", RUSHES_WORKER_MAX_JOBS="2")
    name = "attic" if chosen() is None else f"{world.delivery}-attic"
    processes: set[str] = set()

    def are_exchanged() -> bool:
        world.revive()
        job = put(do="tell")
        wait_until(lambda: (world.revive(), status_of(job))[1] == Status.COMPLETED, LIMIT_S, "it is done")
        if job.worker == name:  # and not an embedded one, while the engine is not there yet
            processes.update(log.text for log in JobLog.objects.filter(job=job, text__startswith="committed"))
        return len(processes) >= 3

    wait_until(are_exchanged, LIMIT_S, "three processes have worked")


def test_clocks_ten_minutes_apart_do_no_harm(world: World) -> None:
    world.kill()
    for shift in ("+10m", "-10m"):
        world.start(**world.shifted_clock(shift))
    jobs = [put(do="say", s=0.2, once=True) for _ in range(4)]
    later = put(run_after_s=1.0)
    for job in [*jobs, later]:
        wait_for(job, Status.COMPLETED)
    assert [(job.claim, commits(job)) for job in [*jobs, later]] == [(1, 1)] * 5
    world.kill()


def test_with_the_products_lease_the_jobs_of_a_killed_tree_are_done_in_25_seconds(world: World) -> None:
    world.kill()
    unhurried = {"DJANGO_SETTINGS_MODULE": "tests.contract.unhurried"}
    world.start(**unhurried)
    jobs = [put(do="ffmpeg", s=120, once=True), put()]
    ffmpeg_of(jobs[0])
    world.kill()
    killed_s = time.monotonic()
    world.start(**unhurried)
    for job in jobs:
        wait_for(job, Status.COMPLETED, RERUN_LIMIT_S)
    print(f"done {time.monotonic() - killed_s:.1f} s after the kill")
    assert (jobs[0].claim, jobs[0].failures) == (2, 0)
    assert [commits(job) for job in jobs] == [1, 1]
    world.kill()


def claims() -> int:
    return Job.objects.aggregate(all=Sum("claim"))["all"] or 0


def ffmpeg_of(job: Job) -> psutil.Process:
    """The ffmpeg that the job's handler has started and named in its message."""
    wait_until(lambda: status_of(job) == Status.PROCESSING and job.message.isdigit(), LIMIT_S, "its ffmpeg")
    return psutil.Process(int(job.message))

"""Many processes at one ledger: nothing is lost, nothing is done twice, nobody is locked out.

`make test` gives them a few jobs; `benchmarks/bench_ledger.py` two thousand (LEDGER_JOBS), with a seed (LEDGER_SEED).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from rushes.jobs.models import Job, JobLog, Status
from tests.jobs.conftest import ROOT, StartWorker, wait_until

JOBS = int(os.environ.get("LEDGER_JOBS", "240"))
SEED = int(os.environ.get("LEDGER_SEED", "1"))
PROCESSES = 4  # of each sort
LIMIT_S = 120.0 + JOBS / 10

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.databases,
    pytest.mark.timeout(120 + LIMIT_S),
]


def test_four_that_enqueue_and_four_that_work_lose_nothing_and_do_nothing_twice(
    start_worker: StartWorker, product_environ: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    for _ in range(PROCESSES):
        start_worker()
    began_s = time.monotonic()
    committed, said = enqueue_by_processes(
        product_environ(DJANGO_SETTINGS_MODULE="tests.jobs.worker_settings")
    )
    wait_until(
        lambda: not Job.objects.exclude(status=Status.COMPLETED).exists(), LIMIT_S, "all jobs are done"
    )
    took_s = time.monotonic() - began_s

    said += "".join(path.read_text() for path in tmp_path.glob("worker-*"))
    assert "database is locked" not in said
    assert "deadlock detected" not in said
    assert len(committed) == JOBS
    assert sorted(Job.objects.values_list("pk", flat=True)) == sorted(
        committed
    )  # what was rolled back is not there
    evidence = Counter(JobLog.objects.filter(text__startswith="committed").values_list("job_id", flat=True))
    assert evidence == Counter(committed)  # each once
    for job in Job.objects.all():
        assert (job.failures, job.claim) == (0, job.interruptions + 1), str(job)
    hands = Counter(Job.objects.values_list("worker", flat=True))
    print(
        f"{JOBS} jobs by {PROCESSES} that enqueue and {len(hands)} that work in {took_s:.1f} s, seed {SEED}"
    )


def enqueue_by_processes(environ: dict[str, str]) -> tuple[list[int], str]:
    """Let them write the jobs between them; the numbers of what they committed, and what they said."""
    share = JOBS // PROCESSES
    writers = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.jobs.enqueuer", str(share), str(SEED + number)],
            env=environ,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    told = [writer.communicate(timeout=LIMIT_S) for writer in writers]
    said = "".join(errors for _, errors in told)
    assert [writer.returncode for writer in writers] == [0] * PROCESSES, said
    return [int(number) for numbers, _ in told for number in numbers.split()], said

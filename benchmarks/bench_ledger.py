"""How much the ledger carries: enqueue and drain of jobs that do nothing, claims in a long table, many at one time.

BENCH_JOBS (2,000), BENCH_ROWS (1,000,000) and BENCH_CLAIMS (300) make it shorter. Run by hand it is the benchmark; in
the worker the same file is the module of the handler.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ledger import Kind, ledger, worker

JOBS = int(os.environ.get("BENCH_JOBS", "2000"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
CLAIMS = int(os.environ.get("BENCH_CLAIMS", "300"))
FEW_ROWS = 1000
ENQUEUE_BOUND, DRAIN_BOUND = 1000.0, 300.0
CLAIM_BOUND = 1.5
DRAIN_LIMIT_S = 600.0
ROOT = Path(__file__).resolve().parent.parent

#: Rows that have ended, and rows that wait in all queues; one in ten waits for its time.
_FILL = """
INSERT INTO jobs_job (kind, queue, "group", args, priority, run_after, status, claim, failures, max_failures,
    interruptions, worker, cancel_requested, progress_percentage, message, error, created_at, finished_at)
SELECT 'nothing',
    CASE n % 3 WHEN 0 THEN 'control' WHEN 1 THEN 'video:waiting' ELSE 'video:transcode' END,
    '', '{{}}', n % 5 * 10, {when}, '{status}', 0, 0, 3, 0, '', {false}, 0, '', '', {now}, {finished}
FROM {numbers}
"""
_SQLITE = {
    "now": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
    "later": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW', '+1 day')",
    "false": "0",
    "numbers": "(WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < {rows}) SELECT n FROM up)",
}
_POSTGRES = {
    "now": "now()",
    "later": "now() + interval '1 day'",
    "false": "false",
    "numbers": "generate_series(1, {rows}) AS n",
}


def register_handler() -> None:
    """The handler."""
    from rushes.jobs.handlers import Claimed, Handler, Report, register
    from rushes.jobs.queues import TRANSCODE

    class Nothing(Handler):
        """Does nothing."""

        kind = "nothing"
        queue = TRANSCODE

        def run(self, job: Claimed, report: Report) -> Any:
            """Do it."""

    register(Nothing())


def set_up() -> None:
    """Django and the handler, in this process."""
    import django

    django.setup()
    register_handler()


def enqueue_all(kind: str) -> None:
    """Each job in a transaction of its own, as a request would; one process."""
    set_up()
    from measuring import report

    from rushes.jobs.ledger import enqueue

    began_s = time.monotonic()
    for number in range(JOBS):
        enqueue("nothing", group=str(number % 10), args={"number": number})
    per_s = JOBS / (time.monotonic() - began_s)
    report(f"enqueue on {kind}, jobs/s", per_s, ENQUEUE_BOUND if kind == "sqlite" else None, least=True)


def drain(kind: str) -> None:
    """What the worker, which was started just before, needs from its first claim to its last commit."""
    set_up()
    from django.db.models import Max, Min
    from measuring import report

    from rushes.jobs.models import Job, Status

    left = Job.objects.exclude(status=Status.COMPLETED)
    deadline_s = time.monotonic() + DRAIN_LIMIT_S
    while left.exists():
        if time.monotonic() > deadline_s:
            raise TimeoutError(f"{left.count()} jobs are left")
        time.sleep(0.25)
    ends = Job.objects.aggregate(began=Min("started_at"), ended=Max("finished_at"))
    per_s = JOBS / (ends["ended"] - ends["began"]).total_seconds()
    report(
        f"drain on {kind} by one worker, jobs/s", per_s, DRAIN_BOUND if kind == "sqlite" else None, least=True
    )


def claims(kind: str) -> None:
    """The median claim with a thousand rows in the table and with a million, ended ones and waiting ones."""
    set_up()
    from measuring import report

    took_ms = {}
    for status in ("completed", "pending"):
        for rows in (FEW_ROWS, ROWS):
            _fill(rows, status)
            took_ms[rows] = _claim_ms()
            report(f"claim on {kind}, {rows} rows {status}, median", took_ms[rows], unit=" ms")
        report(
            f"claim on {kind}, {ROWS} rows {status}, times that of {FEW_ROWS}",
            took_ms[ROWS] / took_ms[FEW_ROWS],
            CLAIM_BOUND,
        )


def _fill(rows: int, status: str) -> None:
    from django.db import connection

    words = _SQLITE if connection.vendor == "sqlite" else _POSTGRES
    ended = status == "completed"
    sql = _FILL.format(
        when=words["now"] if ended else f"CASE n % 10 WHEN 9 THEN {words['later']} ELSE {words['now']} END",
        status=status,
        false=words["false"],
        now=words["now"],
        finished=words["now"] if ended else "NULL",
        numbers=words["numbers"].format(rows=rows),
    )
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM jobs_job")
        cursor.execute(sql)
        if connection.vendor == "postgresql":
            cursor.execute("VACUUM ANALYZE jobs_job")  # as its own cleaner would, sooner or later


def _claim_ms() -> float:
    """Of claims one after the other, each of the best of all queues; some jobs are there in any case."""
    from rushes.jobs.ledger import claim, enqueue
    from rushes.jobs.queues import QUEUES

    for _ in range(CLAIMS):
        enqueue("nothing")
    took_ms = []
    for _ in range(CLAIMS):
        began_s = time.monotonic()
        job = claim(list(QUEUES), "bench")
        took_ms.append((time.monotonic() - began_s) * 1e3)
        if job is None:
            raise RuntimeError("nothing was to be claimed")
    return statistics.median(took_ms)


def many(kind: Kind) -> int:
    """Four processes that enqueue and four that work, as the test does it, which counts and looks for each error."""
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-s", "tests/jobs/test_many.py"],
        env=os.environ | {"LEDGER_JOBS": str(JOBS), "RUSHES_TEST_DATABASE": kind},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    told = [line for line in run.stdout.splitlines() if " jobs by " in line]
    print("\n".join(told) if run.returncode == 0 else run.stdout)
    return run.returncode


def main() -> None:
    """Both databases, one after the other."""
    from measuring import machine, report, workshop

    print(f"# bench_ledger on {machine()}")
    failed = 0
    for kind in ("sqlite", "postgres"):

        def step(name: str, environ: dict[str, str], kind: str = kind) -> None:
            # A process of its own: Django is set up once a process, and there are two databases.
            subprocess.run([sys.executable, __file__, name, kind], env=environ, check=True)

        with workshop() as folder, ledger(kind, folder, "bench_ledger") as environ:
            step("enqueue", environ)
            with worker(environ):
                step("drain", environ)
            step("claims", environ)
        failed += many(kind) != 0
    report(
        "4 processes that enqueue and 4 that work: runs with a job lost, done twice or locked out", failed, 0
    )
    sys.exit(failed)


if __name__ != "__main__":
    register_handler()
elif len(sys.argv) > 1:
    {"enqueue": enqueue_all, "drain": drain, "claims": claims}[sys.argv[1]](sys.argv[2])
else:
    main()

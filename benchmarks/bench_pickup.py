"""From the commit of an enqueue to the first line of the handler in an idle worker; and what idling costs.

Run by hand it is the benchmark; in the worker the same file is the module of the handler.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import Any

from ledger import Kind, answer, committed_ns, ledger, listening, median_and_p99, pickups_ms, worker

JOBS = int(os.environ.get("BENCH_PICKUPS", "300"))
IDLE_S = 20.0
#: Median and 99th percentile.
BOUNDS_MS = {"sqlite": (5.0, 20.0), "postgres": (8.0, 30.0)}
IDLE_CPU_BOUND, RSS_BOUND_MB = 0.02, 120.0


def register_handler() -> None:
    """The handler: its first line looks at the clock."""
    from rushes.jobs.handlers import Claimed, Handler, Report, register
    from rushes.jobs.queues import CONTROL

    class Tick(Handler):
        """Says when it began."""

        kind = "tick"
        queue = CONTROL

        def run(self, job: Claimed, report: Report) -> Any:
            answer(job.args["to"])

    register(Tick())


def measure(kind: Kind) -> None:
    """Start a worker on an empty database in a process of its own, and measure from another."""
    from measuring import workshop

    with (
        workshop() as folder,
        ledger(kind, folder, "bench_pickup") as environ,
        worker(environ) as idle,
    ):
        # A process of its own: Django is set up once a process, and there are two databases.
        subprocess.run([sys.executable, __file__, kind, str(idle.pid)], env=environ, check=True)


def look(kind: str, pid: int) -> None:
    """Enqueue, wait for the answer, look at the clock; then look at the worker at rest."""
    import django
    import psutil
    from measuring import report

    django.setup()
    register_handler()
    from rushes.jobs.ledger import enqueue

    address = f"{os.environ['RUSHES_VAR']}/answers"
    with listening(address) as next_answer:
        taken_ms = pickups_ms(
            lambda: committed_ns(lambda: enqueue("tick", args={"to": address})), next_answer, JOBS
        )
    idle = psutil.Process(pid)
    time.sleep(2.0)
    before, began_s = sum(idle.cpu_times()[:2]), time.monotonic()
    time.sleep(IDLE_S)
    cpu = (sum(idle.cpu_times()[:2]) - before) / (time.monotonic() - began_s)
    median_ms, p99_ms = median_and_p99(taken_ms)
    median_bound_ms, p99_bound_ms = BOUNDS_MS[kind]
    report(f"pickup on {kind}, median of {JOBS}", median_ms, median_bound_ms, " ms")
    report(f"pickup on {kind}, p99", p99_ms, p99_bound_ms, " ms")
    report(f"idle worker on {kind}, share of a core", cpu, IDLE_CPU_BOUND)
    report(f"idle worker on {kind}, RSS", idle.memory_info().rss / 1e6, RSS_BOUND_MB, " MB")


def main() -> None:
    """Both databases, one after the other."""
    from measuring import machine

    print(machine())
    measure("sqlite")
    measure("postgres")


if __name__ != "__main__":
    register_handler()
elif len(sys.argv) > 1:
    look(sys.argv[1], int(sys.argv[2]))
else:
    main()

"""Random `kill -9` of workers and servers while jobs that write files run, over every delivery and both databases.

KILLS (200) are shared by the five deliveries, two jobs to a kill; KILL_SEED says which. Bounds: 0 lost, 0 committed
twice, which the test of the contract suite that this runs looks for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from measuring import machine, report

ROOT = Path(__file__).resolve().parent.parent
DELIVERIES = 5
KILLS = int(os.environ.get("KILLS", "200"))
SEED = os.environ.get("KILL_SEED", str(time.time_ns() % 1_000_000))
TEST = "test_random_kills_lose_nothing_and_commit_nothing_twice"


def main() -> None:
    """Run and print."""
    print(f"# bench_kills on {machine()}, {KILLS} kills, {2 * KILLS} jobs, seed {SEED}")
    failed = 0
    for database in ("sqlite", "postgres"):
        started_s = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "tests/contract/test_contract.py", "-k", TEST],
            env=os.environ
            | {"KILLS": str(KILLS // DELIVERIES), "KILL_SEED": SEED, "RUSHES_TEST_DATABASE": database},
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        failed += run.returncode != 0
        told = [line for line in run.stdout.splitlines() if " jobs, killed " in line]
        print("\n".join(told) if run.returncode == 0 else run.stdout)
        report(f"{database}: wall", time.monotonic() - started_s, unit=" s")
    report("runs with a job lost or committed twice", failed, 0)
    sys.exit(failed)


if __name__ == "__main__":
    main()

"""The crash test with a hundred kills, on SQLite and on Postgres; CRASH_KILLS and CRASH_SEED say how many and which.

Bound: none fails.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

from measuring import machine, report

KILLS = os.environ.get("CRASH_KILLS", "100")
SEED = os.environ.get("CRASH_SEED", str(time.time_ns() % 1_000_000))


def main() -> None:
    """Run and print."""
    print(f"# bench_crash on {machine()}, {KILLS} kills, seed {SEED}")
    failed = 0
    for database in ("sqlite", "postgres"):
        started_s = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", "tests/crash/test_crash.py"],
            env=os.environ | {"CRASH_KILLS": KILLS, "CRASH_SEED": SEED, "RUSHES_TEST_DATABASE": database},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        failed += run.returncode != 0
        told = [line for line in run.stdout.splitlines() if " killed; " in line]
        print("\n".join(told) if run.returncode == 0 else run.stdout)
        report(f"{database}: wall", time.monotonic() - started_s, unit=" s")
    report("runs that failed", failed, 0)
    sys.exit(failed)


if __name__ == "__main__":
    main()

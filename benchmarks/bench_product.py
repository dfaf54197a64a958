"""The product against `rushes encode` on the same 60 s source: from the last byte of the upload to `ready`.

Bound: wall at most 1.08. Both are encoded by the same settings; the product makes poster and MP4 besides.
BENCH_DURATION_S (60) and BENCH_SIZE (1920x1080) make it shorter, to see that it runs.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time

from measuring import RUSHES, Used, in_turn, machine, median_ratio, report, source, timed, workshop
from product import running, send, wait_until_quiet

DURATION_S = int(os.environ.get("BENCH_DURATION_S", "60"))
SIZE = os.environ.get("BENCH_SIZE", "1920x1080")
BITRATE = "18M"  # above what is copied


def main() -> None:
    """Measure and print."""
    print(f"# bench_product on {machine()}")
    with workshop() as folder:
        clip = source(folder, DURATION_S, size=SIZE, bitrate=BITRATE)
        out = folder / "out"
        with running(folder / "instance") as instance:
            api = instance.client()

            def product() -> Used:
                wait_until_quiet(instance)
                sent = send(api, clip, "the clip")
                wall_s = sent.until_ready(api)
                api.delete(sent.public_id)
                return Used(wall_s, 0.0)

            def command() -> Used:
                wait_until_quiet(instance)
                shutil.rmtree(out, ignore_errors=True)
                return timed([*RUSHES, "encode", clip, "-o", out])

            ours, theirs = in_turn([product, command])
            began_s = time.monotonic()
            wait_until_quiet(instance)
            idle_s = time.monotonic() - began_s
        report(
            "product / rushes encode, wall",
            median_ratio([used.wall_s for used in ours], [used.wall_s for used in theirs]),
            1.08,
        )
        report("product, last byte to ready", statistics.median(used.wall_s for used in ours), unit=" s")
        report("rushes encode", statistics.median(used.wall_s for used in theirs), unit=" s")
        report("until the instance was idle in the end", idle_s, unit=" s")


if __name__ == "__main__":
    main()

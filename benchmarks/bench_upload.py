"""From the last byte of an upload to `playable`: sources of 10, 60 and 600 s, copied and encoded.

Bounds: at most 3 s; 600 s at most 0.5 s more than 10 s; with a long encode running at most twice as long.
BENCH_DURATIONS_S (10,60,600) and BENCH_SIZE (1920x1080) make it shorter, to see that it runs.
"""

from __future__ import annotations

import os
import statistics
import time
from pathlib import Path

from measuring import ROUNDS, machine, report, source, workshop
from product import Api, Instance, running, send, wait_until_quiet

DURATIONS_S = tuple(int(part) for part in os.environ.get("BENCH_DURATIONS_S", "10,60,600").split(","))
SIZE = os.environ.get("BENCH_SIZE", "1920x1080")
#: Until the long source is on the disk: it is its encode that is to run beside, not its upload.
SETTLE_S = 15.0
#: 1080p at 30 fps is copied up to 12.5 Mbit/s.
BITRATES = {"copied": "8M", "encoded": "18M"}


def one_upload(instance: Instance, api: Api, clip: Path, *, idle: bool) -> float:
    """Seconds to playable; the video is removed again."""
    if idle:
        wait_until_quiet(instance)
    sent = send(api, clip, clip.name)
    took_s = sent.until_playable(api)
    api.delete(sent.public_id)
    return took_s


def median_s(instance: Instance, api: Api, clip: Path, *, idle: bool) -> float:
    """Of all rounds."""
    return statistics.median(one_upload(instance, api, clip, idle=idle) for _ in range(ROUNDS))


def main() -> None:
    """Measure and print."""
    print(f"# bench_upload on {machine()}")
    shortest_s, longest_s = min(DURATIONS_S), max(DURATIONS_S)
    with workshop() as folder:
        clips = {
            (what, duration_s): source(folder, duration_s, size=SIZE, bitrate=bitrate)
            for what, bitrate in BITRATES.items()
            for duration_s in DURATIONS_S
        }
        with running(folder / "instance") as instance:
            api = instance.client()
            one_upload(instance, api, clips["encoded", shortest_s], idle=True)  # caches, imports
            idle_s = {which: median_s(instance, api, clip, idle=True) for which, clip in clips.items()}
            for (what, duration_s), took_s in idle_s.items():
                report(f"{what}, {duration_s} s: last byte to playable", took_s, 3.0, " s")
            for what in BITRATES:
                more_s = idle_s[what, longest_s] - idle_s[what, shortest_s]
                report(f"{what}: {longest_s} s more than {shortest_s} s", more_s, 0.5, " s")

            long_one = send(api, clips["encoded", longest_s], "long")
            long_one.until_playable(api)
            time.sleep(SETTLE_S)
            for (what, duration_s), clip in clips.items():
                if duration_s == longest_s and longest_s != shortest_s:
                    continue
                busy_s = median_s(instance, api, clip, idle=False)
                report(
                    f"{what}, {duration_s} s, beside a long encode: times as long as alone",
                    busy_s / idle_s[what, duration_s],
                    2.0,
                )
            if api.video(long_one.public_id)["status"] == "ready":
                print("the long encode had ended meanwhile: the last figures are of an idle machine")


if __name__ == "__main__":
    main()

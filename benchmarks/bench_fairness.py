"""With a 600 s video in work: what a second upload's first chunks wait for.

Bounds: no further background chunk of the first is claimed while they are ready; the second is playable within 3 s.
BENCH_LONG_S (600) and BENCH_SIZE (1920x1080) make it shorter, to see that it runs.
"""

from __future__ import annotations

import os
import statistics

from measuring import ROUNDS, machine, report, source, workshop
from product import running, send, use_ledger, wait_until

LONG_S = int(os.environ.get("BENCH_LONG_S", "600"))
SIZE = os.environ.get("BENCH_SIZE", "1920x1080")
BITRATE = "18M"  # above what is copied
SHORT_S = 10


def main() -> None:
    """Measure and print."""
    print(f"# bench_fairness on {machine()}")
    with workshop() as folder:
        long_clip, short_clip = (source(folder, s, size=SIZE, bitrate=BITRATE) for s in (LONG_S, SHORT_S))
        with running(folder / "instance") as instance:
            use_ledger(folder / "instance")
            from rushes.jobs.models import Job
            from rushes.jobs.queues import Priority
            from rushes.videos.models import Video

            def jobs(public_id: str, priority: Priority) -> list[Job]:
                group = str(Video.objects.get(public_id=public_id).pk)
                return list(Job.objects.filter(group=group, priority=priority, started_at__isnull=False))

            api = instance.client()
            first = send(api, long_clip, "long")
            wait_until(lambda: jobs(first.public_id, Priority.BACKGROUND), 120, "the long one is in work")
            waits_s: list[float] = []
            playable_s: list[float] = []
            overtakers = 0
            for _ in range(ROUNDS):
                second = send(api, short_clip, "short")
                playable_s.append(second.until_playable(api))
                background = jobs(first.public_id, Priority.BACKGROUND)
                for job in jobs(second.public_id, Priority.FIRST):
                    assert job.started_at is not None
                    waits_s.append((job.started_at - job.created_at).total_seconds())
                    overtakers += sum(
                        job.created_at < other.started_at < job.started_at
                        for other in background
                        if other.started_at
                    )
                api.delete(second.public_id)
            report("background chunks of the first that were claimed before", overtakers, 0)
            report("first chunks of the second, enqueued to claimed, longest", max(waits_s), unit=" s")
            report("second upload, last byte to playable, median", statistics.median(playable_s), 3.0, " s")
            if api.video(first.public_id)["status"] == "ready":
                print("the long encode had ended meanwhile")


if __name__ == "__main__":
    main()

"""`python -m tests.jobs.enqueuer COUNT SEED`: write jobs of the kind `scripted`, and print the numbers of those that
were committed. Some are written several in a transaction, and some transactions are rolled back.
"""

from __future__ import annotations

import random
import sys

import django


def main(count: int, seed: int) -> None:
    """Enqueue until `count` jobs are committed."""
    django.setup()
    from django.db import transaction

    from rushes.jobs import handlers
    from rushes.jobs.ledger import enqueue
    from rushes.jobs.queues import QUEUES, Priority

    handlers.load()
    rng = random.Random(seed)
    written = 0
    while written < count:
        together = min(rng.choice((1, 1, 1, 1, 3)), count - written)
        with transaction.atomic():
            jobs = [
                enqueue(
                    "scripted",
                    queue=rng.choice(list(QUEUES.values())),
                    group=str(rng.randrange(5)),
                    priority=rng.choice(list(Priority)),
                )
                for _ in range(together)
            ]
            thrown_away = rng.random() < 0.1
            if thrown_away:
                transaction.set_rollback(True)
        if not thrown_away:
            written += together
            print(*(job.pk for job in jobs), sep="\n", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))

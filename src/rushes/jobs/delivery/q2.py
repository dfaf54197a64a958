"""django-q2 over the ORM: wake-ups are rows of its table in the ledger's own database."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, ClassVar

from django.conf import settings
from django.db import connections
from django.db.models import Count
from django.utils.timezone import now
from django_q import cluster as cluster_module
from django_q.brokers.orm import ORM
from django_q.cluster import Cluster, Sentinel
from django_q.models import OrmQ
from django_q.tasks import async_task

from rushes.jobs.clock import FromNow
from rushes.jobs.models import Worker
from rushes.jobs.queues import QUEUES

from . import lastword, stopline
from .attending import attend
from .database import Waker, make_waker
from .engine import Engine, EngineAway
from .names import q2_key, q2_queues

TASK = "rushes.jobs.delivery.q2.attend_to"
#: A cluster that was not heard of for so many beats is gone.
SILENT_BEATS = 3
LAST_WORD_S = 2.0


def attend_to(queue: str) -> None:
    """The task."""
    attend(queue)


class WakeupBroker(ORM):  # type: ignore[misc]
    """django-q2's ORM broker, for messages that may be lost and must never be late.

    A row is taken by deleting it, so nothing is tried again and no clock is asked; the most urgent queue goes first;
    and the database wakes the cluster where django-q2 would sleep.
    """

    _waker: ClassVar[Waker | None] = None

    def enqueue(self, task: str) -> int:
        """Write a row. Its lock is of no use here; the admin's pages show it."""
        row = self.get_connection().create(key=self.list_key, payload=task, lock=now())
        return int(row.pk)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """Take one row of the most urgent queue that has any; None after a short wait for one."""
        rows = self.get_connection()
        for queue in q2_queues(self.list_key):
            for row in rows.filter(key=q2_key(queue)).order_by("pk")[:5]:
                if rows.filter(pk=row.pk).delete()[0]:
                    return [(row.pk, row.payload)]
        if WakeupBroker._waker is None:  # in the one process of a cluster that takes
            WakeupBroker._waker = make_waker()
        WakeupBroker._waker.wait(0.5)
        return None

    def queue_size(self) -> int:
        """Rows that nobody has taken yet."""
        keys = [q2_key(queue) for queue in q2_queues(self.list_key)]
        return int(self.get_connection().filter(key__in=keys).count())


class Q2Engine(Engine):
    """Wake-ups as django-q2 tasks. Its server is the database; what can be away is the cluster."""

    title = "django-q2"
    patience_s = 15.0  # a cluster that is started together with the web process takes some seconds

    @property
    def server(self) -> str:
        """See Engine."""
        return "a cluster (manage.py qcluster)"

    @property
    def away_words(self) -> str:
        """See Engine."""
        return "No django-q2 cluster runs; running inline"

    def send(self, queue: str, count: int = 1) -> None:
        """See Engine."""
        for _ in range(count):
            async_task(TASK, queue, broker=WakeupBroker(list_key=q2_key(queue)), task_name=f"work in {queue}")

    def waiting(self) -> dict[str, int]:
        """See Engine."""
        silent_s = SILENT_BEATS * settings.JOBS_HEARTBEAT_S
        alive = Worker.objects.filter(name__startswith="q2-", stopped_at=None, seen_at__gt=FromNow(-silent_s))
        if not alive.exists():
            raise EngineAway("no django-q2 cluster was heard of")
        keys = {q2_key(name): name for name in QUEUES}
        counted = OrmQ.objects.filter(key__in=keys).values_list("key").annotate(Count("pk"))
        return {keys[key]: count for key, count in counted}


class GivingCluster(Cluster):  # type: ignore[misc]
    """django-q2's cluster, which tells its processes when it stops, and stops in any case."""

    _stops = False

    def sig_handler(self, signum: int, frame: Any) -> None:
        """What runs is given back. A second signal in the middle of it, of the guard, would wait for the first."""
        if self._stops:
            return
        self._stops = True
        stopline.pull()
        lastword.speak_later(self._end)
        super().sig_handler(signum, frame)

    def _end(self) -> None:
        """However it hangs. Its processes die with it; the sidecar sees its leash go."""
        if self.sentinel is not None:
            self.sentinel.kill()
        time.sleep(LAST_WORD_S)
        os._exit(1)


class WaryGuard(Sentinel):  # type: ignore[misc]
    """The guard of its processes, which trusts none of their locks when a signal has ended one of them.

    One that waits for work holds the lock of their queue: the others would wait for it for ever.
    """

    def reincarnate(self, process: Any) -> None:
        """End the cluster in order, for its supervisor to start it anew."""
        if (process.exitcode or 0) < 0:
            os.kill(os.getppid(), signal.SIGTERM)
        super().reincarnate(process)


def run_cluster() -> None:
    """Run the cluster that Q_CLUSTER_NAME names until a signal, or the violent end of one of its processes, ends it."""
    connections.close_all()  # no child may inherit one
    cluster_module.Sentinel = WaryGuard
    lastword.let_children_die_with_us()  # those of a guard that was killed hold each other's pipes open
    cluster = GivingCluster()
    cluster.start()
    if cluster.sentinel is not None:
        cluster.sentinel.join()


def make() -> Engine:
    """The engine of this process."""
    return Q2Engine()

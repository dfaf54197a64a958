"""RQ on Redis: a list per queue, and a process per job that is forked when one comes."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType
from urllib.parse import urlsplit

import rq
from django.conf import settings
from redis import Redis, RedisError
from rq.exceptions import StopRequested
from rq.job import Job

from rushes.jobs.queues import QUEUES

from . import lastword, stopline
from .attending import GRACE_S
from .engine import Engine, EngineAway
from .names import rq_name

TASK = "rushes.jobs.delivery.attending.attend"
CONNECT_LIMIT_S = 1.0
ANSWER_LIMIT_S = 2.0
KEEP_FAILED_S = 24 * 3600  # RQ's own record of a process that was killed, for its dashboard


class RQEngine(Engine):
    """Wake-ups as RQ jobs that are never tried again and leave nothing behind."""

    title = "RQ"

    def __init__(self, url: str, prefix: str) -> None:
        self._url = url
        self._prefix = prefix
        self._redis: Redis = Redis.from_url(
            url, socket_connect_timeout=CONNECT_LIMIT_S, socket_timeout=ANSWER_LIMIT_S
        )
        self._queues = {name: rq.Queue(rq_name(prefix, name), connection=self._redis) for name in QUEUES}

    @property
    def inline(self) -> bool:  # type: ignore[override]  # what is a constant elsewhere is a setting here
        """An empty RQ_QUEUE_TRANSCODE."""
        return not self._prefix

    @property
    def server(self) -> str:
        """See Engine."""
        return redis_server(self._url)

    @property
    def away_words(self) -> str:
        """As users of the product before this one know it."""
        return "RQ queue not available; running inline transcode"

    def send(self, queue: str, count: int = 1) -> None:
        """See Engine."""
        with self._reached(), self._redis.pipeline() as pipe:
            for _ in range(count):
                self._queues[queue].enqueue_call(
                    TASK,
                    args=(queue,),
                    timeout=-1,  # the ledger's leases end what hangs
                    result_ttl=0,
                    failure_ttl=KEEP_FAILED_S,
                    description=f"there is work in {queue}",
                    pipeline=pipe,
                )
            pipe.execute()

    def waiting(self) -> dict[str, int]:
        """See Engine."""
        with self._reached(), self._redis.pipeline() as pipe:
            for queue in self._queues.values():
                pipe.llen(queue.key)
            return dict(zip(self._queues, pipe.execute(), strict=True))

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (RedisError, OSError) as error:
            raise EngineAway(f"{self.server} does not answer: {error}") from error


class TranscodeWorker(rq.Worker):
    """RQ's worker, which tells the process of its job when it stops, and outlives Redis."""

    max_connection_wait_time = 2.0
    asked_to_stop = False
    executed = 0

    def execute_job(self, job: Job, queue: rq.Queue) -> None:
        """Count them: `work` does not say whether it ended for having done its number."""
        super().execute_job(job, queue)
        self.executed += 1

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """The first signal: what runs is given back."""
        self.asked_to_stop = True
        stopline.pull()
        lastword.speak_later(self.end_horse)
        try:
            super().request_stop(signum, frame)  # type: ignore[no-untyped-call]
        except RedisError:  # where it looks up its own state; the loop ends at the next look all the same
            self._stop_requested = True
            raise StopRequested from None

    def wait_for_last_job(self) -> None:
        """After `work`, which does not wait for its job when Redis went away: as long as giving it back may take."""
        deadline_s = time.monotonic() + GRACE_S + 1
        while self.horse_pid and time.monotonic() < deadline_s:
            try:
                if os.waitpid(self.horse_pid, os.WNOHANG)[0]:
                    return
            except ChildProcessError:
                return
            time.sleep(0.02)
        self.end_horse()

    def end_horse(self) -> None:
        """Kill the process of the job. Where there is none, RQ's own way would kill our process group."""
        if pid := self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def make_worker(queues: list[str]) -> TranscodeWorker:
    """A worker for queues of the ledger. Raises RedisError where Redis is away."""
    # The worker waits for a list longer than a request may: it sets the limits of its connection itself.
    connection: Redis = Redis.from_url(settings.RQ_URL, socket_connect_timeout=CONNECT_LIMIT_S)
    names = [rq_name(settings.RQ_QUEUE_TRANSCODE, queue) for queue in queues]
    return TranscodeWorker(names, connection=connection, log_job_description=False)


def redis_server(url: str) -> str:
    """ "Redis at host:port", without user and password."""
    parts = urlsplit(url)
    return f"Redis at {parts.path if parts.scheme == 'unix' else f'{parts.hostname}:{parts.port or 6379}'}"


def make() -> Engine:
    """The engine of this process."""
    return RQEngine(settings.RQ_URL, settings.RQ_QUEUE_TRANSCODE)

"""Celery on Redis or RabbitMQ: queues of our own, and processes that are forked beforehand."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from functools import partial
from typing import Any

from celery import Celery, signals
from django.conf import settings
from kombu.connection import Connection
from kombu.entity import Exchange, Queue
from kombu.exceptions import ChannelError, KombuError

from rushes.jobs import handlers
from rushes.jobs.queues import QUEUES

from . import lastword, stopline
from .attending import attend
from .engine import Engine, EngineAway
from .names import celery_name, in_order
from .sidecar import Sidecar

log = logging.getLogger(__name__)

CONNECT_LIMIT_S = 1.0
ANSWER_LIMIT_S = 10.0
_AT_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_KOMBU_TITLES = {
    "redis": "Redis",
    "rediss": "Redis",
    "amqp": "RabbitMQ",
    "amqps": "RabbitMQ",
    "pyamqp": "RabbitMQ",
}


def _queue(name: str) -> Queue:
    # The broker's own exchange, which knows each queue by its name: there is no binding that an emptied Redis could
    # have lost.
    default = Exchange("")  # type: ignore[no-untyped-call]
    return Queue(celery_name(name), default, routing_key=celery_name(name))  # type: ignore[no-untyped-call]


BY_QUEUE = {name: _queue(name) for name in in_order(QUEUES)}


def make_app(broker_url: str) -> Celery:
    """The application: one task, no results, nothing tried again."""
    made = Celery("rushes", set_as_current=False)
    made.conf.update(
        broker_url=broker_url,
        broker_connection_timeout=CONNECT_LIMIT_S,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        task_queues=list(BY_QUEUE.values()),
        task_create_missing_queues=False,
        task_ignore_result=True,
        task_acks_late=False,  # what is lost is announced again; what is delivered twice is claimed once
        worker_prefetch_multiplier=1,  # what a worker has taken ahead is out of the ledger's order
        worker_max_tasks_per_child=settings.JOBS_WORKER_MAX_JOBS or None,  # then the pool has another process
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
    )
    if broker_url.startswith(("redis", "rediss")):
        made.conf.broker_transport_options = {
            "queue_order_strategy": "priority",  # in the order of task_queues
            "socket_connect_timeout": CONNECT_LIMIT_S,
            "socket_timeout": ANSWER_LIMIT_S,
        }
    return made


class CeleryEngine(Engine):
    """Wake-ups as Celery messages that are acknowledged as they are taken."""

    title = "Celery"

    def __init__(self, app: Celery) -> None:
        self._app = app

    @property
    def server(self) -> str:
        """See Engine."""
        connection = self._app.connection_for_write()
        title = _KOMBU_TITLES.get(connection.transport_cls, connection.transport_cls)
        return f"{title} at {connection.hostname or '127.0.0.1'}:{connection.port or connection.default_port}"

    def send(self, queue: str, count: int = 1) -> None:
        """See Engine."""
        with self._reached(), self._app.producer_or_acquire() as producer:
            for _ in range(count):
                self._app.send_task(
                    TASK,
                    args=(queue,),
                    queue=BY_QUEUE[queue],
                    producer=producer,
                    retry=True,  # once: a pooled connection may be older than the broker
                    retry_policy=_AT_ONCE,
                    ignore_result=True,
                )

    def waiting(self) -> dict[str, int]:
        """See Engine."""
        with self._reached(), self._app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            return {name: _length(connection, queue.name) for name, queue in BY_QUEUE.items()}

    @contextlib.contextmanager
    def _reached(self) -> Iterator[None]:
        try:
            yield
        except (KombuError, ChannelError, OSError, *self._errors()) as error:
            raise EngineAway(f"{self.server} does not answer: {error}") from error

    def _errors(self) -> tuple[type[Exception], ...]:
        connection = self._app.connection_for_write()
        return (*connection.connection_errors, *connection.channel_errors)


def _length(connection: Connection, name: str) -> int:
    channel = connection.channel()  # type: ignore[no-untyped-call]
    try:
        return int(channel.queue_declare(name, passive=True).message_count)
    except connection.channel_errors:  # nobody has sent anything to it yet
        return 0
    finally:
        with contextlib.suppress(*connection.connection_errors, *connection.channel_errors):
            channel.close()


app = make_app(settings.CELERY_BROKER_URL)
TASK = "rushes.attend"


@app.task(name=TASK, ignore_result=True, max_retries=0)  # type: ignore[untyped-decorator]
def _attend(queue: str) -> None:
    attend(queue)


def make() -> Engine:
    """The engine of this process, on the broker that the settings name now."""
    return CeleryEngine(make_app(settings.CELERY_BROKER_URL))


# ------------------------------------------------------------------------------------------- the worker
_sidecar: Sidecar | None = None


@signals.worker_init.connect  # type: ignore[untyped-decorator]
def _begin(sender: Any, **_: Any) -> None:
    """Before the pool is forked."""
    global _sidecar
    handlers.load()
    lastword.let_children_die_with_us()
    served = set(sender.app.amqp.queues.consume_from)
    slots = {name: sender.concurrency for name, queue in BY_QUEUE.items() if queue.name in served}
    name = stopline.draw("celery")
    if slots:
        _sidecar = Sidecar(name, slots)


@signals.worker_shutting_down.connect  # type: ignore[untyped-decorator]
def _stop(**_: Any) -> None:
    """At the first signal: what runs is given back."""
    stopline.pull()
    lastword.speak_later(partial(os._exit, 1))


@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: Any) -> None:
    if _sidecar is not None:
        _sidecar.stop()

"""`manage.py rqworker_transcode`: a worker of RQ for the ledger's queues."""

from __future__ import annotations

import logging
import signal
import sys
import time
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from rushes.jobs import handlers
from rushes.jobs.delivery import names, stopline
from rushes.jobs.delivery.engine import EngineAway, engine
from rushes.jobs.delivery.sidecar import Sidecar
from rushes.jobs.queues import QUEUES
from rushes.jobs.slots import UnknownQueue, parse_slots
from rushes.jobs.worker import Worker

log = logging.getLogger(__name__)

AGAIN_AFTER_S = 1.0


class Command(BaseCommand):
    """Runs jobs one at a time; start several for more."""

    help = "Run jobs that RQ announces until stopped (SIGTERM, Ctrl-C): what runs is given back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of the command."""
        parser.add_argument("--burst", action="store_true", help="end when nothing is ready")
        parser.add_argument("--queues", help="queues to serve, with commas between them  [all of them]")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the worker."""
        if find_spec("django_rq") is None:
            raise CommandError("django_rq is not installed: pip install rushes[rq]")
        if settings.RUSHES_DELIVERY != "rq":
            raise CommandError(
                f"RUSHES_DELIVERY is {settings.RUSHES_DELIVERY}: nothing would be sent to RQ. Set RUSHES_DELIVERY=rq."
            )
        if not settings.RQ_QUEUE_TRANSCODE:
            raise CommandError(
                "RQ_QUEUE_TRANSCODE is empty: the web process does the work itself. Name a queue, as in "
                "RQ_QUEUE_TRANSCODE=transcode."
            )
        try:
            queues = names.in_order(parse_slots(options["queues"]) if options["queues"] else QUEUES)
        except UnknownQueue as error:
            raise CommandError(str(error)) from error
        handlers.load()
        if options["burst"]:
            self._burst(queues)
        else:
            self._run(queues)

    def _burst(self, queues: list[str]) -> None:
        from rushes.jobs.delivery import rq
        from rushes.jobs.delivery.wakeups import announce

        transcode = engine("rq")
        try:
            announce(transcode)
        except EngineAway as error:
            log.warning("%s", error)
            log.warning("%s", transcode.away_words)
            sys.exit(Worker(dict.fromkeys(queues, 1), burst=True).run())
        finally:
            connections.close_all()
        stopline.draw("rq")
        rq.make_worker(queues).work(burst=True, logging_level="WARNING")

    def _run(self, queues: list[str]) -> None:
        from redis import RedisError

        from rushes.jobs.delivery import rq

        connections.close_all()  # no child may inherit one
        sidecar = Sidecar(stopline.draw("rq"), dict.fromkeys(queues, 1))
        away = False
        left = settings.JOBS_WORKER_MAX_JOBS or None  # then another process takes over
        try:
            while True:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: sys.exit(0))
                worker = None
                try:
                    worker = rq.make_worker(queues)
                    away = False
                    worker.work(logging_level="WARNING", max_jobs=left)
                except RedisError as error:
                    if not away:
                        log.warning("%s does not answer: %s", rq.redis_server(settings.RQ_URL), error)
                    away = True
                if worker is not None:
                    worker.wait_for_last_job()
                    left = None if left is None else left - worker.executed
                    if worker.asked_to_stop or (left is not None and left <= 0):
                        return
                time.sleep(AGAIN_AFTER_S)
        finally:
            sidecar.stop()

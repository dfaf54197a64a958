"""`manage.py worker`: runs jobs until it is told to stop."""

from __future__ import annotations

import logging
import re
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rushes.jobs.queues import TRANSCODE
from rushes.jobs.slots import parse_slots
from rushes.jobs.worker import Worker


class Command(BaseCommand):
    """Runs jobs; each queue has slots of its own."""

    help = "Run jobs until stopped (SIGTERM, Ctrl-C): running ones are given back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of the command."""
        parser.add_argument("--queues", help=f"queues and their slots, e.g. control=2,{TRANSCODE.name}=1")
        parser.add_argument("--burst", action="store_true", help="end when nothing is ready")
        parser.add_argument(
            "--max-jobs",
            type=_count,
            metavar="N",
            help="end after N jobs, so that another process takes over",
        )
        parser.add_argument("--name", help="what it is called in the ledger; WORKER_ID where it is not given")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the worker."""
        try:
            slots = parse_slots(options["queues"]) if options["queues"] else None
        except ValueError as error:
            raise CommandError(str(error)) from error
        if options["verbosity"] > 1:
            logging.getLogger("rushes.jobs").setLevel(logging.INFO)
        most = options["max_jobs"] if options["max_jobs"] is not None else settings.JOBS_WORKER_MAX_JOBS
        worker = Worker(slots, burst=options["burst"], name=options["name"], max_jobs=most)
        sys.exit(worker.run())


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ArgumentTypeError(f"{text!r}: write how many jobs, 0 for no end")
    return int(text)

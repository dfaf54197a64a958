"""`manage.py qcluster`: a cluster of django-q2 for the ledger's queues; stands before django-q2's own command."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from rushes.jobs import handlers
from rushes.jobs.delivery import names, stopline
from rushes.jobs.delivery.sidecar import Sidecar


class Command(BaseCommand):
    """Runs jobs, as many at once as it has processes."""

    help = "Run jobs that django-q2 announces until stopped (SIGTERM, Ctrl-C): what runs is given back."

    def add_arguments(self, parser: CommandParser) -> None:
        """Options of the command."""
        parser.add_argument("-n", "--name", help=f"{names.Q2_QUICK} or {names.Q2_BULK}  [all queues]")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the cluster."""
        if find_spec("django_q") is None:
            raise CommandError("django-q2 is not installed: pip install rushes[q2]")
        if settings.RUSHES_DELIVERY != "q2":
            raise CommandError(
                f"RUSHES_DELIVERY is {settings.RUSHES_DELIVERY}: nothing would be sent to django-q2. Set "
                "RUSHES_DELIVERY=q2."
            )
        from django_q.conf import Conf

        from rushes.jobs.delivery import q2

        known = (names.Q2_ALL, names.Q2_QUICK, names.Q2_BULK)
        name = options["name"] or os.environ.get("Q_CLUSTER_NAME") or names.Q2_ALL
        if name not in known:
            raise CommandError(f"There is no cluster {name!r}; there are {', '.join(known)}.")
        Conf.CLUSTER_NAME = name
        Conf.WORKERS = {**settings.Q_CLUSTER, **settings.Q_CLUSTER["ALT_CLUSTERS"].get(name, {})}["workers"]
        handlers.load()
        slots = dict.fromkeys(names.q2_queues(name), Conf.WORKERS)
        sidecar = Sidecar(stopline.draw("q2"), slots, embeds=False)
        try:
            q2.run_cluster()
        finally:
            sidecar.stop()

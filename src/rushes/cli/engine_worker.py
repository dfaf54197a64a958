"""`rushes engine-worker quick|bulk`: the workers of the chosen engine as `make run` starts them.

Two kinds: what somebody waits for, and ingest and finalise, have processes of their own and never stand behind chunks.
Outside of `make run` each library's own command does the same for all queues.
"""

from __future__ import annotations

import os

import click

from rushes.cli.product import MAX_JOBS, leash_option, raise_open_files, set_up_django

#: RQ has a process per worker and each loads all of the product; the others fork as many as there are slots.
QUICK_PROCESSES = 2


@click.command(hidden=True)
@click.argument("part", type=click.Choice(["quick", "bulk"]))
@click.option("--name", help="What it is called in the ledger, behind the engine. [WORKER_ID]")
@leash_option
def engine_worker(part: str, name: str | None) -> None:
    """Run jobs that the chosen engine announces. SIGTERM gives back what is under way and ends it."""
    os.environ["Q_CLUSTER_NAME"] = f"rushes-{part}"  # read by django-q2 when it is imported
    if name:
        os.environ["WORKER_ID"] = name
    if not os.environ.get("RUSHES_WORKER_MAX_JOBS"):
        os.environ["RUSHES_WORKER_MAX_JOBS"] = str(MAX_JOBS)
    set_up_django()
    raise_open_files()
    from django.conf import settings
    from django.core.management import execute_from_command_line

    from rushes.jobs.delivery import names

    queues = names.QUICK if part == "quick" else names.bulk()
    match settings.RUSHES_DELIVERY:
        case "rq":
            execute_from_command_line(["rushes", "rqworker_transcode", "--queues", ",".join(queues)])
        case "q2":
            execute_from_command_line(["rushes", "qcluster"])
        case "celery":
            from rushes.config.celery import app

            processes = settings.ENGINE_QUICK_PROCESSES if part == "quick" else settings.ENGINE_BULK_PROCESSES
            app.worker_main(
                [
                    "worker",
                    f"--queues={','.join(names.celery_name(name) for name in queues)}",
                    f"--concurrency={processes}",
                    f"--hostname=rushes-{part}@%h",
                    "--loglevel=WARNING",
                    "--without-gossip",
                    "--without-mingle",
                ]
            )
        case other:
            raise click.ClickException(f"RUSHES_DELIVERY is {other}: run rushes worker.")

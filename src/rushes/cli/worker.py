"""`rushes worker`: takes jobs from the ledger and runs them; the same as `manage.py worker`."""

from __future__ import annotations

import click

from rushes.cli.product import leash_option, raise_open_files, set_up_django


@click.command()
@click.option("--queues", metavar="A=2,B=1", help="Queues to serve, each with its slots. [all of them]")
@click.option("--burst", is_flag=True, help="End when nothing is left to do.")
@click.option("--max-jobs", type=click.IntRange(0), metavar="N", help="End after N jobs; 0: never. [never]")
@click.option("--name", help="What it is called in the ledger. [WORKER_ID, else host and process]")
@leash_option
def worker(queues: str | None, burst: bool, max_jobs: int | None, name: str | None) -> None:
    """Take jobs from the ledger and run them. SIGTERM gives back what is under way and ends it."""
    set_up_django()
    raise_open_files()
    from django.core.management import execute_from_command_line

    arguments = [
        *(["--queues", queues] if queues else []),
        *(["--burst"] if burst else []),
        *(["--max-jobs", str(max_jobs)] if max_jobs is not None else []),
        *(["--name", name] if name else []),
    ]
    execute_from_command_line(["rushes", "worker", *arguments])

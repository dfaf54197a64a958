"""`rushes jobs`: the ledger on the command line, in the environment of the workers: it asks the database itself."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import click

from rushes.cli.jobs_changed import cancel, retry
from rushes.cli.jobs_chosen import LARGEST_ID, chosen_jobs, job_numbered, json_option, ledger_at_hand
from rushes.cli.jobs_drained import drain, resume

STATUSES = ("pending", "processing", "completed", "failed", "cancelled")

watch_option = click.option(
    "--watch", type=click.FloatRange(0.2, 3600), is_flag=False, flag_value=2.0, metavar="[SECONDS]",
    help="Show it again and again until Ctrl-C; every 2 s, or as said.",
)  # fmt: skip


@click.group(invoke_without_command=True)
@watch_option
@json_option
@click.pass_context
def jobs(context: click.Context, watch: float | None, as_json: bool) -> None:
    """Look at the jobs of the ledger, retry and cancel them, drain queues. Alone: the queues and workers."""
    if context.invoked_subcommand is not None:
        return
    with ledger_at_hand():
        from rushes.cli import jobs_shown as shown

        _tell(shown.overview_fields, shown.overview, watch=watch, as_json=as_json)


@jobs.command("list")
@click.option("--queue", metavar="QUEUE", help="Of this queue.")
@click.option("--status", type=click.Choice(STATUSES), multiple=True, help="Of this status; may be repeated.")
@click.option("--kind", metavar="KIND", help="Of this kind: ingest, chunk, finalise, ...")
@click.option("--video", metavar="VIDEO", help="For this video: its public id, or its primary key.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="The newest.")
@watch_option
@json_option
def list_jobs(
    queue: str | None,
    status: tuple[str, ...],
    kind: str | None,
    video: str | None,
    limit: int,
    watch: float | None,
    as_json: bool,
) -> None:
    """List jobs, the newest first."""
    with ledger_at_hand():
        from rushes.cli import jobs_shown as shown

        chosen = chosen_jobs(queue=queue, statuses=status, kind=kind, video=video)
        _tell(
            lambda: shown.list_fields(chosen.all(), limit),
            lambda: shown.listed(chosen.all(), limit),
            watch=watch,
            as_json=as_json,
        )


@jobs.command()
@click.argument("job", type=click.IntRange(1, LARGEST_ID))
@watch_option
@json_option
def show(job: int, watch: float | None, as_json: bool) -> None:
    """Show JOB (its number): arguments, error, attempts and log."""
    with ledger_at_hand():
        from rushes.cli import jobs_shown as shown

        _tell(
            lambda: shown.job_fields(job_numbered(job)),
            lambda: shown.one(job_numbered(job)),
            watch=watch,
            as_json=as_json,
        )


for command in (retry, cancel, drain, resume):
    jobs.add_command(command)


def _tell(
    fields: Callable[[], Any], picture: Callable[[], Any], *, watch: float | None, as_json: bool
) -> None:
    """Say it once, or again and again: JSON a line each time that something is different, or a live picture."""
    if not as_json:
        from rushes.cli.jobs_shown import show_live, show_once

        if watch is None:
            show_once(picture())
        else:
            show_live(picture, watch)
        return
    if watch is None:
        click.echo(json.dumps(fields(), indent=2))
        return
    last = None
    try:
        while True:
            line = json.dumps(fields())
            if line != last:
                last = line
                click.echo(line)
            time.sleep(watch)
    except KeyboardInterrupt:
        return

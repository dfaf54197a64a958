"""`rushes jobs retry` and `cancel`: one by one, each refusal in words."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from rushes.cli.jobs_chosen import chosen_jobs, job_numbered, ledger_at_hand, which_jobs

if TYPE_CHECKING:
    from rushes.jobs.models import Job


@click.command()
@which_jobs
def retry(**which: Any) -> None:
    """Let failed or cancelled JOBs run again, with all their attempts.

    By --queue, --kind, --video or --all only failed ones: what was cancelled, somebody did not want.
    """
    with ledger_at_hand():
        from rushes.jobs import ledger
        from rushes.jobs.models import Status

        def again(job: Job) -> str:
            if job.status not in (Status.FAILED, Status.CANCELLED):
                return f"is {job.status}: only failed and cancelled jobs can be tried again"
            try:
                done = ledger.retry(job.pk)
            except ledger.NothingToRetry as error:
                return str(error)
            return "" if done else "another open job does the same already"

        _change("retried", again, (Status.FAILED,), **which)


@click.command()
@which_jobs
def cancel(**which: Any) -> None:
    """Cancel JOBs that wait or run; a running one ends within two seconds.

    A video whose first step (ingest) is cancelled fails, and can be retried. Its other steps are begun again by
    themselves as long as the video is wanted: delete it, or drain a queue, to stop those.
    """
    with ledger_at_hand():
        from rushes.jobs import ledger
        from rushes.jobs.models import OPEN

        def end(job: Job) -> str:
            return "" if ledger.cancel([job.pk]) else f"is {job.status}: it has ended already"

        _change("cancelled", end, OPEN, **which)


def _change(
    done: str,
    change: Callable[[Job], str],
    wanted: tuple[str, ...],
    *,
    numbers: tuple[int, ...],
    queue: str | None,
    kind: str | None,
    video: str | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Change the chosen jobs one by one; `change` says why not, or nothing. Status 1 where a named one was not."""
    filters = any((queue, kind, video))
    if bool(numbers) + filters + everything != 1:
        raise click.UsageError(
            "Name jobs by their numbers, choose them by --queue, --kind, --video, or give --all."
        )
    if numbers:
        jobs = [job_numbered(number) for number in dict.fromkeys(numbers)]
    else:
        jobs = list(chosen_jobs(queue=queue, statuses=wanted, kind=kind, video=video).order_by("pk"))
    refused: dict[int, str] = {}
    for job in jobs:
        if not dry_run and (reason := change(job)):
            refused[job.pk] = reason
    changed = [job.pk for job in jobs if job.pk not in refused]
    if as_json:
        told = {"dry_run": dry_run, done: changed, "refused": {str(pk): why for pk, why in refused.items()}}
        click.echo(json.dumps(told))
    else:
        for job in jobs:
            verb = f"would be {done}" if dry_run else done
            click.echo(f"{job.kind} {job.pk}: {refused.get(job.pk, verb)}", err=job.pk in refused)
        if not jobs:
            click.echo(f"No job to be {done}.")
    if refused:
        sys.exit(1)

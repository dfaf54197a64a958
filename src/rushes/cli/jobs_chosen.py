"""Which jobs and queues the commands of `rushes jobs` mean, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from rushes.cli.product import set_up_django

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from rushes.jobs.models import Job

LARGEST_ID = 2**63 - 1

json_option = click.option("--json", "as_json", is_flag=True, help="The same for machines.")


class Refused(click.ClickException):
    """Something was named that is not there, or can't be done; exit status 1."""


@contextmanager
def ledger_at_hand() -> Iterator[None]:
    """Django set up, and the database's errors as one line."""
    set_up_django()
    from django.db import Error

    try:
        yield
    except Error as error:
        reason = " ".join(str(error).split())
        raise Refused(
            f"the database can't be used: {reason}; see DATABASE_URL and rushes manage migrate"
        ) from error


def which_jobs(command: Callable[..., None]) -> Callable[..., None]:
    """The options by which jobs are chosen to be changed."""
    for option in (
        click.argument("numbers", metavar="[JOB]...", type=click.IntRange(1, LARGEST_ID), nargs=-1),
        click.option("--queue", metavar="QUEUE", help="All of this queue."),
        click.option("--kind", metavar="KIND", help="All of this kind."),
        click.option(
            "--video", metavar="VIDEO", help="All for this video: its public id, or its primary key."
        ),
        click.option("--all", "everything", is_flag=True, help="All there are."),
        click.option("--dry-run", is_flag=True, help="Only say which those are."),
        json_option,
    ):
        command = option(command)
    return command


def chosen_jobs(
    *, queue: str | None, statuses: tuple[str, ...], kind: str | None, video: str | None
) -> QuerySet[Job]:
    """Jobs by what is said of them. Raises Refused for a name of none."""
    from rushes.jobs.handlers import kinds, load
    from rushes.jobs.models import Job
    from rushes.videos.references import UnknownVideo, find_video

    chosen = Job.objects.all()
    if queue is not None:
        if not chosen.filter(queue=queue).exists():
            queues_named((queue,), everything=False)
        chosen = chosen.filter(queue=queue)
    if kind is not None:
        load()
        if kind not in kinds() and not chosen.filter(kind=kind).exists():
            raise Refused(f"there is no kind {kind!r}; there are {', '.join(sorted(kinds()))}")
        chosen = chosen.filter(kind=kind)
    if video is not None:
        try:
            chosen = chosen.filter(group=str(find_video(video).pk))
        except UnknownVideo as error:
            raise Refused(str(error)) from error
    return chosen.filter(status__in=statuses) if statuses else chosen


def job_numbered(number: int) -> Job:
    """One job. Raises Refused."""
    from rushes.jobs.models import Job

    job = Job.objects.filter(pk=number).first()
    if job is None:
        raise Refused(
            f"there is no job {number}; ended ones are forgotten after a while. See rushes jobs list"
        )
    return job


def queues_named(names: tuple[str, ...], everything: bool) -> list[str]:
    """Queues by their names, or all of them. Raises Refused."""
    from rushes.jobs.queues import QUEUES

    if everything == bool(names):
        raise click.UsageError("Name queues, or give --all.")
    for name in names:
        if name not in QUEUES:
            raise Refused(f"there is no queue {name!r}; there are {', '.join(QUEUES)}")
    return list(dict.fromkeys(names)) or list(QUEUES)

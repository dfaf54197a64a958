"""What `rushes jobs` shows: tables for a person, plain values for machines."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from rushes.jobs import census
from rushes.jobs.clock import now
from rushes.jobs.models import Job, Status
from rushes.jobs.reasons import reason_of, with_error_lines
from rushes.videos.models import Video

COLOURS = {
    Status.PENDING: "yellow",
    Status.PROCESSING: "cyan",
    Status.COMPLETED: "green",
    Status.FAILED: "bold red",
    Status.CANCELLED: "dim",
}
#: Where output goes to a file, lines are not cut to the width of a terminal that is not there.
PLAIN_WIDTH = 200


def show_once(picture: RenderableType) -> None:
    """Print it."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    console.print(picture)


def show_live(picture: Callable[[], RenderableType], every_s: float) -> None:
    """Draw it again and again in place, until Ctrl-C; into a file, one after the other."""
    console = Console()
    try:
        if not console.is_terminal:
            while True:
                show_once(picture())
                time.sleep(every_s)
        with Live(picture(), console=console, auto_refresh=False, screen=True) as live:
            while True:
                time.sleep(every_s)
                live.update(picture(), refresh=True)
    except KeyboardInterrupt:
        return


def overview_fields() -> dict[str, Any]:
    """Queues and workers."""
    return {
        "queues": [census.queue_fields(queue) for queue in census.queue_states()],
        "workers": [census.worker_fields(worker) for worker in census.worker_states()],
    }


def overview() -> RenderableType:
    """A table of queues, and one of workers."""
    return Group(_queues(), Text(), _workers())


def list_fields(jobs: QuerySet[Job], limit: int) -> dict[str, Any]:
    """How many there are, and the newest of them."""
    rows = list(jobs.order_by("-pk")[:limit])
    names = _public_ids(rows)
    return {
        "count": jobs.count(),
        "jobs": [census.job_fields(job) | {"video": names.get(job.group)} for job in rows],
    }


def listed(jobs: QuerySet[Job], limit: int) -> RenderableType:
    """A table of the newest."""
    newest = with_error_lines(jobs.order_by("-pk"))
    rows, count = list(newest[:limit]), jobs.count()
    if not rows:
        return Text("No such job.")
    names, moment = _public_ids(rows), now()
    table = _table("job", "kind", "queue", "status", "video", "age", "tries", "what")
    for job in rows:
        what = reason_of(job) if job.error else job.message
        table.add_row(
            str(job.pk),
            job.kind,
            job.queue,
            _status(job),
            names.get(job.group, job.group),
            census.age_words((moment - job.created_at).total_seconds()),
            f"{job.failures}/{job.max_failures}",
            Text(what, overflow="ellipsis", no_wrap=True),
        )
    rest = Text(f"{len(rows)} of {count}; --limit shows more", style="dim") if count > len(rows) else Text()
    return Group(table, rest)


def job_fields(job: Job) -> dict[str, Any]:
    """All of a job, and its log."""
    lines = [
        {"at": line.at.isoformat(), "level": line.level, "claim": line.claim, "text": line.text}
        for line in job.log.all()
    ]
    return census.job_fields(job) | {"video": _public_ids([job]).get(job.group), "log": lines}


def one(job: Job) -> RenderableType:
    """Everything about a job, its error first."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    rows: list[tuple[str, RenderableType]] = [("job", f"{job.pk}, {job.kind} in {job.queue}")]
    rows.append(("status", _status(job)))
    if job.error:
        rows.append(("error", Text(job.error, style="red")))
    rows += [
        ("args", Text(json.dumps(job.args))),
        ("video", _public_ids([job]).get(job.group, job.group) or "none"),
        ("tries", f"{job.failures} of {job.max_failures} failed, {job.interruptions} interrupted"),
        ("priority", str(job.priority)),
        ("worker", Text(job.worker or "none yet")),
    ]
    rows += [(name, _time(at)) for name, at in _times(job) if at is not None]
    for name, value in rows:
        table.add_row(name, value)
    log = Table(show_header=False, box=None, pad_edge=False)
    for _ in range(2):
        log.add_column(no_wrap=True, style="dim")
    log.add_column(overflow="fold")
    for line in job.log.all():
        style = {"error": "red", "warning": "yellow"}.get(line.level, "")
        log.add_row(_time(line.at), line.level, Text(line.text, style=style))
    return Group(table, Text("log", style="bold"), log if job.log.exists() else Text("  empty", style="dim"))


def _queues() -> Table:
    table = _table("queue", "waiting", "in work", "later", "oldest", "failed 24 h", "workers", "state")
    for queue in census.queue_states():
        newest = queue.newest_failure
        state = Text("fine", style="green")
        if queue.paused_since is not None:
            state = Text(f"drained since {_time(queue.paused_since)}", style="yellow")
        elif queue.unserved:
            state = Text("no living worker serves it", style="bold red")
        elif newest is not None:
            state = Text(f"failing: job {newest.pk}: {reason_of(newest)}", style="red")
        elif queue.retrying:
            state = Text(f"{queue.retrying} tried again after a failure", style="yellow")
        table.add_row(
            queue.name,
            str(queue.waiting),
            str(queue.running),
            str(queue.later),
            census.age_words(queue.oldest_age_s),
            str(queue.failed_24h),
            str(queue.workers),
            state,
        )
    return table


def _workers() -> RenderableType:
    workers = census.worker_states()
    if not workers:
        return Text("No worker is alive.", style="bold red")
    table = _table("worker", "heard of", "in work", "slots")
    for worker in workers:
        heard = Text(
            f"{census.age_words(worker.seen_age_s)} ago", style="green" if worker.alive else "bold red"
        )
        slots = ", ".join(f"{name}={count}" for name, count in worker.queues.items())
        table.add_row(Text(worker.name), heard, str(worker.holds), slots)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, no_wrap=column not in ("state", "slots"))
    return table


def _status(job: Job) -> Text:
    words: str = job.status
    if job.status == Status.PROCESSING:
        words += f" {job.progress_percentage} %"
        if job.cancel_requested:
            words += ", being cancelled"
    elif job.status == Status.PENDING and job.failures:
        words += ", tried again"
    return Text(words, style=COLOURS[Status(job.status)])


def _times(job: Job) -> list[tuple[str, datetime | None]]:
    return [
        ("created", job.created_at),
        ("not before", job.run_after if job.status == Status.PENDING else None),
        ("started", job.started_at),
        ("lease until", job.lease_until),
        ("finished", job.finished_at),
    ]


def _time(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _public_ids(jobs: list[Job]) -> dict[str, str]:
    """What videos are called outside, by group."""
    ids = [int(job.group) for job in jobs if job.group.isdigit()]
    return {str(pk): name for pk, name in Video.objects.filter(pk__in=ids).values_list("pk", "public_id")}

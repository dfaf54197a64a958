"""The ledger in Django's admin: to be looked at, tried again and cancelled. Nothing is edited there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from . import census, ledger, pausing
from .models import OPEN, Duty, Job, PausedQueue, Status, Worker
from .queues import QUEUES
from .reasons import reason_of, with_error_lines

if TYPE_CHECKING:  # the stubs know what Django's own classes do not: of which model
    _JobAdmin = admin.ModelAdmin[Job]
    _WorkerAdmin = admin.ModelAdmin[Worker]
    _DutyAdmin = admin.ModelAdmin[Duty]
    _PausedAdmin = admin.ModelAdmin[PausedQueue]
    _PausedForm = forms.ModelForm[PausedQueue]
else:
    _JobAdmin = _WorkerAdmin = _DutyAdmin = _PausedAdmin = admin.ModelAdmin
    _PausedForm = forms.ModelForm

OLD_S = 600.0
MOST_LINES = 200  # of a log; the newest
_ENDED = (Status.FAILED, Status.CANCELLED)
_MOST_REFUSALS = 5  # that are told one by one


class _ReadOnly:
    """To be looked at only: the ledger writes its rows, and retention removes them."""

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(Job)
class JobAdmin(_ReadOnly, _JobAdmin):
    """Queues at a glance, jobs with their progress, errors and logs; actions to retry and to cancel."""

    list_display = (
        "id", "kind", "state", "reason", "group", "queue", "attempts", "worker", "priority", "created_at",
    )  # fmt: skip
    list_filter = ("status", "queue", "kind")
    search_fields = ("=id", "=group", "=key", "error")
    ordering = ("-id",)
    actions = ("retry_jobs", "cancel_jobs")
    list_per_page = 50
    show_full_result_count = False
    fields = (
        ("kind", "queue", "group", "status"), ("priority", "attempts", "worker"),
        ("created_at", "run_after", "started_at", "finished_at"), ("lease_until", "claim", "cancel_requested"),
        ("parent", "key"), ("progress_percentage", "message"),
    )  # fmt: skip
    readonly_fields = ("attempts",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Job]:
        """With what is needed to say why they failed."""
        return with_error_lines(super().get_queryset(request))

    @admin.display(description="state", ordering="status")
    def state(self, job: Job) -> str:
        """The status; while it is open with a bar, its number and what is being done."""
        if job.status not in OPEN:
            return job.get_status_display()
        words = "being cancelled" if job.cancel_requested else job.get_status_display()
        if job.status == Status.PENDING and not job.progress_percentage:
            return f"{words}, to be tried again" if job.failures else words
        return format_html(
            '{0} <progress max="100" value="{1}" aria-label="{1} %"></progress> {1} % {2}',
            words,
            job.progress_percentage,
            job.message,
        )

    @admin.display(description="failures, interruptions")
    def attempts(self, job: Job) -> str:
        """What was spent so far."""
        return f"{job.failures} of {job.max_failures}, {job.interruptions}"

    @admin.display(description="error", ordering="error")
    def reason(self, job: Job) -> str:
        """Why it failed, with ffmpeg's words; the job's page has all."""
        return reason_of(job)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The queues above the list."""
        alive = [worker for worker in census.worker_states() if worker.alive]
        heard = census.age_words(census.last_heartbeat_age_s())
        workers = f"{len(alive)} {'worker' if len(alive) == 1 else 'workers'} alive"
        context = {
            "queues": [_row(queue) for queue in census.queue_states()],
            "workers": f"{workers}; last heartbeat {f'{heard} ago' if heard else 'never'}.",
            "may_drain": request.user.has_perms(("jobs.add_pausedqueue", "jobs.delete_pausedqueue")),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        """Error, arguments and log side by side above the other fields."""
        job: Job = context["original"]
        count = job.log.count()
        context |= {
            "arguments": json.dumps(job.args, indent=2),
            "log": list(job.log.order_by("-id")[:MOST_LINES])[::-1],
            "log_left_out": max(0, count - MOST_LINES),
            "job_actions": self._actions_for(job) if self.has_operate_permission(request) else (),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def _actions_for(self, job: Job) -> tuple[tuple[str, str], ...]:
        if job.status in _ENDED:
            return (("retry_jobs", "Try again"),)
        return (("cancel_jobs", "Cancel"),) if job.status in OPEN and not job.cancel_requested else ()

    def has_operate_permission(self, request: HttpRequest) -> bool:
        """Whether this person may run the actions."""
        return bool(request.user.has_perm("jobs.change_job"))

    @admin.action(description="Try again", permissions=["operate"])
    def retry_jobs(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Failed and cancelled ones are pending again, with all their attempts."""
        done, refused = 0, []
        for pk in jobs.order_by("pk").values_list("pk", flat=True):
            try:
                done += ledger.retry(pk)
            except ledger.NothingToRetry as error:
                refused.append(f"Job {pk}: {error}")
        for reason in refused[:_MOST_REFUSALS]:
            self.message_user(request, reason, messages.WARNING)
        if len(refused) > _MOST_REFUSALS:
            more = len(refused) - _MOST_REFUSALS
            self.message_user(request, f"{more} more can't be tried again.", messages.WARNING)
        if done or not refused:
            otherwise = "Only failed and cancelled jobs can be tried again."
            self._say(request, done, "will be tried again", otherwise)

    @admin.action(description="Cancel", permissions=["operate"])
    def cancel_jobs(self, request: HttpRequest, jobs: QuerySet[Job]) -> None:
        """Pending ones at once, running ones as soon as their worker hears of it."""
        done = ledger.cancel(list(jobs.values_list("pk", flat=True)))
        self._say(request, done, "cancelled", "Only jobs that wait or run can be cancelled.")

    def _say(self, request: HttpRequest, done: int, what: str, otherwise: str) -> None:
        if done:
            self.message_user(request, f"{done} {'job' if done == 1 else 'jobs'} {what}.", messages.SUCCESS)
        else:
            self.message_user(request, otherwise, messages.WARNING)


def _row(queue: census.QueueState) -> dict[str, Any]:
    """A queue as the table has it: its state in words, and whether they are an alarm."""
    alarm = True
    if queue.paused_since is not None:
        state, alarm = "drained", False
    elif queue.unserved:
        state = "no living worker serves it"
    elif queue.failed_24h:
        state = f"failing: {queue.failed_24h} of {queue.failed_24h + queue.completed_24h} in 24 h"
    elif queue.retrying:
        state = f"failing: {queue.retrying} being tried again"
    else:
        state, alarm = "fine", False
    newest = queue.newest_failure
    return {
        "queue": queue,
        "state": state,
        "alarm": alarm,
        "oldest": census.age_words(queue.oldest_age_s),
        "old": (queue.oldest_age_s or 0.0) > OLD_S,
        "reason": reason_of(newest) if newest else "",
    }


class DrainForm(_PausedForm):
    """Which queue is to be drained."""

    queue = forms.ChoiceField(choices=[(name, name) for name in QUEUES])


@admin.register(PausedQueue)
class PausedQueueAdmin(_PausedAdmin):
    """Drained queues: adding one lets none of its jobs begin, deleting it lets them begin again."""

    list_display = ("queue", "since", "by")
    form = DrainForm
    fields = ("queue",)
    actions = None

    def has_change_permission(self, request: HttpRequest, obj: PausedQueue | None = None) -> bool:
        """There is nothing to change."""
        return False

    def save_model(self, request: HttpRequest, obj: PausedQueue, form: Any, change: bool) -> None:
        """Drain it."""
        pausing.pause(obj.queue, by=request.user.get_username())

    def delete_model(self, request: HttpRequest, obj: PausedQueue) -> None:
        """Let its jobs begin again."""
        pausing.resume(obj.queue)


@admin.register(Worker)
class WorkerAdmin(_ReadOnly, _WorkerAdmin):
    """Who works, on which queues, and when each was last heard of."""

    list_display = ("name", "queues", "started_at", "seen_at", "stopped_at")
    ordering = ("-seen_at",)


@admin.register(Duty)
class DutyAdmin(_ReadOnly, _DutyAdmin):
    """Which worker sweeps and prunes for all."""

    list_display = ("name", "holder", "until")

"""The ledger's rows. Only `rushes.jobs.ledger` writes them: each state change is one conditional UPDATE."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Status(models.TextChoices):
    """Where a job is."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = (Status.PENDING, Status.PROCESSING)


class Job(models.Model):
    """Something that must be done. All times are the database's."""

    kind = models.CharField(max_length=40)  # which handler runs it
    queue = models.CharField(max_length=40)
    # The video's primary key as text; no foreign key: jobs outlive what they are for, and know nothing of videos.
    group = models.CharField(max_length=64, blank=True, default="")
    args = models.JSONField(default=dict)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children"
    )
    key = models.CharField(max_length=200, null=True, blank=True)  # one open job per key
    priority = models.SmallIntegerField(default=50)  # lower goes first
    run_after = models.DateTimeField(db_default=Now())
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    claim = models.IntegerField(default=0)  # +1 per claim; every later write carries it
    failures = models.SmallIntegerField(default=0)  # errors that the handler raised
    max_failures = models.SmallIntegerField(default=3)
    interruptions = models.SmallIntegerField(
        default=0
    )  # lost leases and killed programs; they spend no attempt
    lease_until = models.DateTimeField(null=True, blank=True)
    worker = models.CharField(max_length=100, blank=True, default="")
    cancel_requested = models.BooleanField(default=False)
    progress_percentage = models.SmallIntegerField(default=0)
    message = models.CharField(max_length=200, blank=True, default="")
    error = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())
    started_at = models.DateTimeField(null=True, blank=True)  # of the last claim
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(status__in=Status.values), name="job_status_known"),
            models.CheckConstraint(
                condition=Q(progress_percentage__gte=0, progress_percentage__lte=100),
                name="job_progress_percentage",
            ),
            models.CheckConstraint(
                condition=~Q(status=Status.PROCESSING) | Q(lease_until__isnull=False),
                name="job_processing_has_lease",
            ),
            # One that is being cancelled is not open to a new wish: that needs a job of its own.
            models.UniqueConstraint(
                fields=["key"],
                condition=Q(status__in=OPEN, cancel_requested=False),
                name="job_one_open_per_key",
            ),
        ]
        indexes = [
            models.Index(
                fields=["queue", "priority", "id"], condition=Q(status=Status.PENDING), name="job_claim_order"
            ),
            models.Index(fields=["lease_until"], condition=Q(status=Status.PROCESSING), name="job_leases"),
            models.Index(fields=["group", "status"], name="job_group"),
            models.Index(fields=["status", "finished_at"], name="job_retention"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} ({self.status})"


class JobLog(models.Model):
    """A line that a job's handler or the ledger wrote."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="log")
    claim = models.IntegerField()
    at = models.DateTimeField(db_default=Now())
    level = models.CharField(max_length=8, default="info")  # info, warning, error
    text = models.TextField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text[:80]


class Worker(models.Model):
    """A worker process that is or was alive: who it is, and when it was last heard of."""

    name = models.CharField(max_length=100, unique=True)
    queues = models.JSONField(default=dict)  # slots by queue
    started_at = models.DateTimeField(db_default=Now())
    seen_at = models.DateTimeField(db_default=Now())
    stopped_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Duty(models.Model):
    """Work that one worker at a time does for all (sweep, retention): the row is a lease."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=100, blank=True, default="")
    until = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "duties"

    def __str__(self) -> str:
        return self.name


class PausedQueue(models.Model):
    """A queue of which no job is begun, until the row is removed; what comes is kept."""

    queue = models.CharField(max_length=40, primary_key=True)
    since = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=100, blank=True, default="")

    class Meta:
        verbose_name = "drained queue"

    def __str__(self) -> str:
        return self.queue

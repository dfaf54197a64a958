"""How the work is going, from the ledger and the videos alone, whatever delivers it: what `check_worker` says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from rushes.jobs import census
from rushes.jobs.clock import FromNow, now
from rushes.jobs.delivery.condition import Condition, condition
from rushes.jobs.models import Job
from rushes.jobs.queues import table
from rushes.pipeline.recovery import STUCK_AFTER_S, Stalled, Why, stalled_videos
from rushes.videos.models import Video

#: A job that has been waiting for longer: nobody works, or too few do.
OLDEST_ALARM_S = 10 * 60.0
#: Expired leases are swept within 5 s by any worker; one that lies about for longer means that none sweeps.
SWEEP_ALARM_S = 30.0
MOST_LISTED = 20


@dataclass(frozen=True, kw_only=True)
class Health:
    """Everything that was looked at; `problems` are sentences, and with none of them all is well."""

    checked_at: datetime
    queues: list[census.QueueState]
    workers: list[census.WorkerState]
    leases: census.Leases
    last_heartbeat_age_s: float | None
    completed_at_least: bool  # older ones are forgotten already
    videos_ready_24h: int
    stalled: list[Stalled]
    delivery: Condition
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Nothing needs a hand."""
        return not self.problems

    @property
    def completed_24h(self) -> int:
        """Jobs that succeeded."""
        return sum(queue.completed_24h for queue in self.queues)

    @property
    def failed_24h(self) -> int:
        """Jobs that failed for good."""
        return sum(queue.failed_24h for queue in self.queues)

    @property
    def depth(self) -> int:
        """Jobs that could be begun now."""
        return sum(queue.waiting for queue in self.queues)

    @property
    def oldest(self) -> census.QueueState | None:
        """The queue with the job that has been waiting longest."""
        waiting = [queue for queue in self.queues if queue.oldest_age_s is not None]
        return max(waiting, key=lambda queue: queue.oldest_age_s or 0.0, default=None)

    @property
    def latest_failure(self) -> Job | None:
        """The job that failed last, of those of the last 24 h."""
        failed = [queue.newest_failure for queue in self.queues if queue.newest_failure is not None]
        return max(failed, key=lambda job: job.finished_at or self.checked_at, default=None)

    @property
    def alive(self) -> list[census.WorkerState]:
        """Workers that were heard of within a lease."""
        return [worker for worker in self.workers if worker.alive]

    def stalled_for(self, why: Why) -> list[Stalled]:
        """Videos that do not get on for that reason."""
        return [entry for entry in self.stalled if entry.why == why]


def examine() -> Health:
    """Look at everything. Raises django.db.Error where the database does not answer or has no tables."""
    queues, workers = census.queue_states(), census.worker_states()
    kept = table()  # what retention has forgotten is not counted: some queue has as many as it keeps
    forgotten = [
        queue.completed_24h >= kept[queue.name].keep_completed for queue in queues if queue.name in kept
    ]
    health = Health(
        checked_at=now(),
        queues=queues,
        workers=workers,
        leases=census.leases(),
        last_heartbeat_age_s=census.last_heartbeat_age_s(),
        completed_at_least=any(forgotten),
        videos_ready_24h=Video.objects.filter(ready_at__gte=FromNow(-census.DAY_S)).count(),
        stalled=stalled_videos(),
        delivery=condition(),
    )
    health.problems.extend(_problems(health))
    health.warnings.extend(_warnings(health))
    return health


def _problems(health: Health) -> list[str]:
    """What needs a hand, each with what to do."""
    found = [line.text for line in health.delivery.lines if not line.healthy]
    if not health.alive:
        heard = (
            f"the last was heard of {census.age_words(health.last_heartbeat_age_s)} ago"
            if health.last_heartbeat_age_s is not None
            else "none ever was"
        )
        found.append(f"No worker is alive ({heard}); start one: make run, or rushes worker.")
    for queue in health.queues:
        if health.alive and queue.unserved:
            found.append(f"No living worker serves {queue.name}, where {queue.waiting} wait; see --queues.")
    oldest = health.oldest
    if oldest is not None and (oldest.oldest_age_s or 0.0) > OLDEST_ALARM_S:
        found.append(
            f"The oldest queued job is {census.age_words(oldest.oldest_age_s)} old ({oldest.name}): "
            "the worker may be stuck, or there are too few."
        )
    if (health.leases.longest_expired_s or 0.0) > SWEEP_ALARM_S:
        found.append(
            f"{_count(health.leases.expired, 'job')} in work belong to workers that are not heard of any more, "
            "and nobody gives them back."
        )
    if stuck := health.stalled_for(Why.STUCK):
        minutes = STUCK_AFTER_S / 60
        found.append(
            f"{_count(len(stuck), 'video')} stuck for more than {minutes:.0f} minutes; see retry_videos."
        )
    if idle := health.stalled_for(Why.IDLE):
        found.append(f"{_count(len(idle), 'video')} unfinished, with no job; see retry_videos.")
    return found


def _warnings(health: Health) -> list[str]:
    found = []
    if health.failed_24h:
        found.append(f"{_count(health.failed_24h, 'job')} failed in the last 24 h.")
    for queue in health.queues:
        if queue.paused_since is not None:
            age = census.age_words((health.checked_at - queue.paused_since).total_seconds())
            found.append(f"{queue.name} is drained, since {age}: rushes jobs resume {queue.name} ends that.")
    if failed := health.stalled_for(Why.FAILED):
        found.append(f"{_count(len(failed), 'video')} failed; see retry_videos.")
    return found


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def report(health: Health) -> dict[str, Any]:
    """The same for monitors: plain values, ages in seconds, times as text."""
    oldest, failure = health.oldest, health.latest_failure
    return {
        "healthy": health.healthy,
        "problems": health.problems,
        "warnings": health.warnings,
        "checked_at": health.checked_at.isoformat(),
        "completed_24h": health.completed_24h,
        "completed_24h_is_a_minimum": health.completed_at_least,
        "failed_24h": health.failed_24h,
        "latest_failure": failure
        and {
            "job": failure.pk,
            "kind": failure.kind,
            "queue": failure.queue,
            "group": failure.group,
            "error": failure.error,
            "at": failure.finished_at.isoformat() if failure.finished_at else None,
        },
        "queue_depth": health.depth,
        "oldest_age_s": oldest and oldest.oldest_age_s,
        "oldest_alarm_s": OLDEST_ALARM_S,
        "queues": [census.queue_fields(queue) for queue in health.queues],
        "workers_alive": len(health.alive),
        "last_heartbeat_age_s": health.last_heartbeat_age_s,
        "workers": [census.worker_fields(worker) for worker in health.workers[:MOST_LISTED]],
        "leases": asdict(health.leases),
        "videos": {
            "ready_24h": health.videos_ready_24h,
            "stuck_after_s": STUCK_AFTER_S,
            **{
                why.value: {
                    "count": len(entries := health.stalled_for(why)),
                    "public_ids": [entry.video.public_id for entry in entries[:MOST_LISTED]],
                }
                for why in Why
            },
        },
        "delivery": asdict(health.delivery),
    }

"""`manage.py check_worker`: whether the work gets done, from the ledger alone, whatever delivers it."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error

from rushes.jobs.census import age_words
from rushes.jobs.reasons import one_line, reason_of
from rushes.ops.workhealth import MOST_LISTED, OLDEST_ALARM_S, Health, examine, report
from rushes.pipeline.recovery import STUCK_AFTER_S, Why


class Command(BaseCommand):
    """Exit status 0: the work gets done, 1: something needs a hand."""

    help = "Say whether workers are alive and jobs and videos get on. Exit status 0 healthy, 1 not."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Only how to say it."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="the findings as JSON")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        """Look, say, and end with the status."""
        try:
            health = examine()
        except Error as error:
            reason = " ".join(str(error).split())
            self._cannot_look(
                f"The database can't be asked: {reason}; see DATABASE_URL and migrate.", as_json
            )
            sys.exit(1)
        if as_json:
            self.stdout.write(json.dumps(report(health), indent=2))
        else:
            self._show(health)
        if not health.healthy:
            sys.exit(1)

    def _cannot_look(self, sentence: str, as_json: bool) -> None:
        if as_json:
            self.stdout.write(
                json.dumps({"healthy": False, "problems": [sentence], "warnings": []}, indent=2)
            )
        else:
            self._bad(sentence)

    def _show(self, health: Health) -> None:
        self._jobs(health)
        self._queues(health)
        self._workers(health)
        self._videos(health)
        for queue in health.queues:
            if queue.paused_since:
                self._warn(f"{queue.name} is drained: no job of it is begun; see rushes jobs resume")
        self.stdout.write(f"Delivery: {health.delivery.name}")
        for line in health.delivery.lines:
            (self._good if line.healthy else self._bad)(line.text)
        if health.healthy:
            self.stdout.write(self.style.SUCCESS("Healthy"))
        else:
            self.stdout.write(self.style.ERROR("Not healthy:"))
            for problem in health.problems:
                self.stdout.write(f"  {problem}")

    def _jobs(self, health: Health) -> None:
        count = f"{health.completed_24h}{' or more' if health.completed_at_least else ''}"
        self.stdout.write(f"Recent successful jobs (24h): {count}; videos ready: {health.videos_ready_24h}")
        failure = health.latest_failure
        if failure is None:
            self._good("No recent failures")
            return
        self._warn(f"Recent failed jobs (24h): {health.failed_24h}")
        # Of a video its number alone, of a photo `photo:7`.
        thing = f"video {failure.group}" if failure.group.isdigit() else failure.group
        where = f", {thing}" if thing else ""
        self.stdout.write(f"  Latest failure: {failure.kind}, job {failure.pk} in {failure.queue}{where}")
        self.stdout.write(f"  Error: {reason_of(failure)}")

    def _queues(self, health: Health) -> None:
        running = sum(queue.running for queue in health.queues)
        oldest = health.oldest
        if oldest is None:
            self._good(f"Queue is empty; {running} in work")
        else:
            self.stdout.write(f"Jobs in queue: {health.depth}; {running} in work")
            age_s = oldest.oldest_age_s or 0.0
            if age_s > OLDEST_ALARM_S:
                self._bad(
                    f"Oldest queued job is {age_s / 60:.1f} minutes old ({oldest.name}): the worker may be stuck!"
                )
            else:
                self.stdout.write(f"  Oldest queued job: {age_s:.0f}s old ({oldest.name})")
        for queue in health.queues:
            parts = [f"{queue.waiting} waiting", f"{queue.running} in work"]
            parts += [f"{queue.later} for later"] if queue.later else []
            parts += [f"{queue.retrying} being tried again"] if queue.retrying else []
            parts += [f"{queue.failed_24h} failed"] if queue.failed_24h else []
            parts += ["drained"] if queue.paused_since else []
            if queue.waiting or queue.running or queue.later or queue.failing or queue.paused_since:
                self.stdout.write(f"  {queue.name}: {', '.join(parts)}")

    def _workers(self, health: Health) -> None:
        heard = age_words(health.last_heartbeat_age_s)
        if health.alive:
            self._good(f"Workers alive: {len(health.alive)}; last heartbeat {heard} ago")
        else:
            self._bad(f"Workers alive: 0; last heartbeat {f'{heard} ago' if heard else 'never'}")
        for worker in health.workers[:MOST_LISTED]:
            state = "" if worker.alive else self.style.WARNING(" (not heard of)")
            said = f"heard of {age_words(worker.seen_age_s)} ago, {worker.holds} in work"
            self.stdout.write(f"  {worker.name}: {said}{state}")
        leases = health.leases
        line = f"Leases: {leases.held} held, {leases.expired} expired"
        (self._warn if leases.expired else self._good)(line)

    def _videos(self, health: Health) -> None:
        stuck, idle, failed = (health.stalled_for(why) for why in (Why.STUCK, Why.IDLE, Why.FAILED))
        minutes = STUCK_AFTER_S / 60
        if stuck:
            self._bad(f"{len(stuck)} video(s) stuck in processing for >{minutes:.0f} minutes")
        if idle:
            self._bad(f"{len(idle)} video(s) unfinished, with no job (cancelled, or lost)")
        if not stuck and not idle:
            self._good("No stuck videos")
        if failed:
            self._warn(f"{len(failed)} video(s) failed")
        for entry in [*stuck, *idle, *failed][:MOST_LISTED]:
            age = age_words(entry.silent_s)
            self.stdout.write(f"  {entry.video.public_id} ({age}): {one_line(entry.words)}")

    def _good(self, text: str) -> None:
        self.stdout.write(self.style.SUCCESS(f"✓ {text}"))

    def _warn(self, text: str) -> None:
        self.stdout.write(self.style.WARNING(f"⚠ {text}"))

    def _bad(self, text: str) -> None:
        self.stdout.write(self.style.ERROR(f"✗ {text}"))

"""`manage.py prune_jobs`: forgets ended jobs that are past their time; workers do so by themselves."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from rushes.jobs.retention import prune


class Command(BaseCommand):
    """Removes ended jobs by the rules of retention."""

    help = "Remove ended jobs: completed after 24 h or past the newest 1,000, failed after 7 days."

    def handle(self, *args: Any, **options: Any) -> None:
        """Prune and say how many."""
        self.stdout.write(f"{prune()} jobs removed")

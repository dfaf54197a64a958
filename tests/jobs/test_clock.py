"""The database's time, also where each statement is logged with its values, as under DEBUG."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rushes.jobs.clock import FromNow, now
from rushes.jobs.models import Worker

pytestmark = [pytest.mark.django_db, pytest.mark.databases]


def test_times_from_now_are_the_database_s_and_can_be_logged() -> None:
    with CaptureQueriesContext(connection):
        row = Worker.objects.create(name="w")
        Worker.objects.filter(pk=row.pk, seen_at__lt=FromNow(5)).update(seen_at=FromNow(-60))
    row.refresh_from_db()
    assert 55 < (now() - row.seen_at).total_seconds() < 120

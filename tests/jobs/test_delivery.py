"""Wake-ups: by a commit of anybody, by this process itself, and never by what was rolled back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, connections, transaction

from rushes.jobs.delivery import database
from rushes.jobs.delivery.database import Waker, make_waker
from rushes.jobs.delivery.inotify import FileWatch
from rushes.jobs.ledger import claim, enqueue, heartbeat, sweep
from rushes.jobs.models import Job, Status
from rushes.jobs.queues import TRANSCODE
from tests.jobs import kinds  # noqa: F401  # registers its kind

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 30.0


@pytest.fixture(params=["told by the system", "by looking alone"])
def waker(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waker]:
    if request.param == "by looking alone":
        if connection.vendor != "sqlite":
            pytest.skip("of SQLite alone")

        def no_watch(_path: Path) -> None:
            raise OSError("there is no inotify")

        monkeypatch.setattr(database, "FileWatch", no_watch)
    made = make_waker()
    while made.wait(0.1):  # the first says that it has begun
        pass
    yield made
    made.close()


def in_a_thread(work: object) -> threading.Thread:
    def run() -> None:
        work()  # type: ignore[operator]
        connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_commit_wakes(waker: Waker) -> None:
    thread = in_a_thread(lambda: enqueue("scripted"))
    assert waker.wait(LIMIT_S)
    thread.join()


def test_what_is_rolled_back_wakes_nobody(waker: Waker) -> None:
    def roll_back() -> None:
        with transaction.atomic():
            enqueue("scripted")
            transaction.set_rollback(True)

    in_a_thread(roll_back).join()
    assert not waker.wait(0.2)


def test_another_thread_wakes_and_may_do_so_after_the_end(waker: Waker) -> None:
    in_a_thread(waker.wake).join()
    assert waker.wait(LIMIT_S)
    waker.close()
    waker.wake()


def test_a_lost_connection_is_watched_again(waker: Waker) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections that could be lost")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    assert waker.wait(LIMIT_S)  # what it may have missed
    while waker.wait(1.5):
        pass
    thread = in_a_thread(lambda: enqueue("scripted"))
    assert waker.wait(LIMIT_S)
    thread.join()


def test_a_beat_does_not_wait_for_a_job_that_is_being_committed() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks no rows")
    rows = [enqueue("scripted") for _ in range(2)]
    held = [job for _ in rows if (job := claim([TRANSCODE.name], "w"))]
    locked, over = threading.Event(), threading.Event()

    def commit_slowly() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=rows[0].pk)
            locked.set()
            over.wait(LIMIT_S)

    thread = in_a_thread(commit_slowly)
    locked.wait(LIMIT_S)
    before = Job.objects.get(pk=rows[1].pk).lease_until
    beat = heartbeat(held)
    over.set()
    thread.join()
    assert not beat.lost
    after = Job.objects.get(pk=rows[1].pk).lease_until
    assert before is not None
    assert after is not None
    assert after > before


def test_a_sweep_does_not_wait_for_a_job_that_is_being_committed(settings: Any) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite locks no rows")
    settings.JOBS_LEASE_S = -1.0
    rows = [enqueue("scripted") for _ in range(2)]
    for _ in rows:
        assert claim([TRANSCODE.name], "w") is not None
    locked, over = threading.Event(), threading.Event()

    def commit_slowly() -> None:
        with transaction.atomic():
            Job.objects.select_for_update().get(pk=rows[0].pk)
            locked.set()
            over.wait(LIMIT_S)

    thread = in_a_thread(commit_slowly)
    locked.wait(LIMIT_S)
    assert sweep() == 1
    over.set()
    thread.join()
    assert sweep() == 1
    assert set(Job.objects.values_list("status", flat=True)) == {Status.PENDING}


def test_both_ends_of_a_connection_give_up_on_an_end_that_is_silent() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no connections")
    connection.ensure_connection()
    ours = connection.connection.info.get_parameters()
    assert (ours["connect_timeout"], ours["tcp_user_timeout"]) == ("5", "10000")
    names = ("tcp_user_timeout", "tcp_keepalives_idle", "idle_in_transaction_session_timeout")
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(names)])
        assert dict(cursor.fetchall()) == dict(zip(names, ("10000", "4", "15000"), strict=True))


def test_a_watch_tells_of_its_file_alone_from_before_it_is_made(tmp_path: Path) -> None:
    watch = FileWatch(tmp_path / "log")
    (tmp_path / "other").write_text("x")
    assert not watch.drain()
    for text in ("made", "written again"):
        (tmp_path / "log").write_text(text)
        assert watch.drain()
        assert not watch.drain()
    watch.close()
    with pytest.raises(FileNotFoundError):
        FileWatch(tmp_path / "nowhere" / "log")

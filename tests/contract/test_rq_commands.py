"""RQ as users of the product before this one know it: its command, inline work, dashboard and debug page."""

from __future__ import annotations

import contextlib
import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import path

from rushes.config import dashboards
from rushes.config import urls as product_urls
from rushes.jobs.delivery import engine as engines
from rushes.jobs.delivery import wakeups
from rushes.jobs.delivery.standby import InThread
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import Job, Status
from tests.contract.servers import RedisServer
from tests.contract.worlds import HURRY
from tests.jobs import kinds  # noqa: F401  # registers its kind
from tests.jobs.conftest import ROOT, wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]

LIMIT_S = 60.0
NOWHERE = "redis://127.0.0.1:1/0"

Manage = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def manage(product_environ: Callable[..., dict[str, str]]) -> Manage:
    """`manage("rqworker_transcode", RQ_URL=...)`: a command of Django's, to its end."""

    def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environ = product_environ(DJANGO_SETTINGS_MODULE="tests.contract.settings", **variables)
        argv = [sys.executable, "-m", "django", *arguments]
        return subprocess.run(argv, env=environ, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S)

    return run


@pytest.fixture
def rq(settings: Any) -> Iterator[Callable[..., None]]:
    """`rq(url, queue)`: this process sends to RQ."""

    def choose(url: str, queue: str = "transcode") -> None:
        engines.engine.cache_clear()
        wakeups._not_before_s = 0.0
        settings.RUSHES_DELIVERY, settings.RQ_URL, settings.RQ_QUEUE_TRANSCODE = "rq", url, queue
        for name, value in HURRY.items():
            setattr(settings, name, value)

    yield choose
    engines.engine.cache_clear()
    wakeups._not_before_s = 0.0


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


@contextlib.contextmanager
def web_process() -> Iterator[None]:
    """What the web process has beside it."""
    engine = engines.chosen()
    assert engine is not None
    standing = InThread(engine)
    try:
        yield
    finally:
        standing.stop()
        standing.join()


def done(job: Job) -> bool:
    job.refresh_from_db()
    return job.status == Status.COMPLETED


def test_burst_does_what_is_queued_and_ends(
    manage: Manage, rq: Callable[..., None], redis_server: RedisServer
) -> None:
    rq(redis_server.url)
    jobs = [enqueue("scripted") for _ in range(3)]
    ended = manage("rqworker_transcode", "--burst", RUSHES_DELIVERY="rq", RQ_URL=redis_server.url)
    assert ended.returncode == 0, ended.stderr
    assert all(done(job) for job in jobs)


def test_burst_without_redis_says_so_and_does_the_work_in_process(manage: Manage) -> None:
    job = enqueue("scripted")
    ended = manage("rqworker_transcode", "--burst", RUSHES_DELIVERY="rq", RQ_URL=NOWHERE)
    assert ended.returncode == 0, ended.stderr
    assert "RQ queue not available; running inline transcode" in ended.stderr
    assert done(job)


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"RUSHES_DELIVERY": "rq", "RQ_QUEUE_TRANSCODE": ""}, "RQ_QUEUE_TRANSCODE is empty"),
        ({"RUSHES_DELIVERY": "database"}, "Set RUSHES_DELIVERY=rq"),
    ],
)
def test_what_it_lacks_is_one_clear_line(manage: Manage, variables: dict[str, str], words: str) -> None:
    ended = manage("rqworker_transcode", **variables)
    assert ended.returncode != 0
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("delivery", "library"), [("rq", "django_rq"), ("celery", "celery"), ("q2", "django_q")]
)
def test_a_missing_library_is_named_with_its_extra(
    product_environ: Callable[..., dict[str, str]], delivery: str, library: str
) -> None:
    hide = f"import sys; sys.modules[{library!r}] = None; import importlib.util as u; found = u.find_spec; "
    hide += f"u.find_spec = lambda name, *rest: None if name == {library!r} else found(name, *rest); "
    code = hide + "from rushes.cli import main; main(['manage', 'check'], prog_name='rushes')"
    environ = product_environ(RUSHES_DELIVERY=delivery)
    ended = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True
    )
    assert ended.returncode == 1
    assert f"pip install rushes[{delivery}]" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_without_redis_a_request_goes_on_and_the_web_process_does_the_work(
    rq: Callable[..., None], caplog: pytest.LogCaptureFixture
) -> None:
    rq(NOWHERE)
    with caplog.at_level(logging.WARNING):
        job = enqueue("scripted")
        assert job.status == Status.PENDING
        with web_process():
            wait_until(lambda: done(job), LIMIT_S, "the work is done in process")
    assert "RQ queue not available; running inline transcode" in caplog.messages


def test_an_empty_queue_name_means_inline(rq: Callable[..., None], caplog: pytest.LogCaptureFixture) -> None:
    rq(NOWHERE, queue="")
    with caplog.at_level(logging.WARNING):
        job = enqueue("scripted")
        assert Job.objects.get().status == Status.PENDING
        with web_process():
            wait_until(lambda: done(job), LIMIT_S, "the work is done in process")
    assert not [message for message in caplog.messages if "not available" in message]


def test_the_debug_page_tells_connectivity_and_length(
    rq: Callable[..., None], settings: Any, client: Client, redis_server: RedisServer
) -> None:
    settings.DEBUG = True
    rq(redis_server.url)
    for _ in range(2):
        enqueue("scripted")
    answer = client.get("/api/_debug/queue")
    assert "no-cache" in answer["Cache-Control"]
    told = answer.json()
    assert (told["delivery"], told["connected"], told["length"]) == ("rq", True, 2)
    assert told["queues"]["video:transcode"] == {"ready": 2, "announced": 2}
    redis_server.stop()
    told = client.get("/api/_debug/queue").json()
    assert (told["connected"], told["length"]) == (False, 0)
    assert told["queues"]["video:transcode"]["ready"] == 2


def test_the_debug_page_is_there_in_debug_alone(settings: Any, client: Client) -> None:
    assert client.get("/api/_debug/queue").status_code == 404
    settings.DEBUG = True
    told = client.get("/api/_debug/queue").json()
    assert (told["delivery"], told["connected"], told["length"]) == ("database", True, 0)


urlpatterns: list[Any] = [path("nothing", lambda request: None)]  # replaced below, under RUSHES_DELIVERY=rq


def test_the_dashboard_is_for_staff_and_outlives_redis(
    rq: Callable[..., None], settings: Any, client: Client, redis_server: RedisServer
) -> None:
    rq(redis_server.url)
    settings.RQ_QUEUES = {"transcode": {"URL": redis_server.url}}
    urlpatterns[:] = [*dashboards.dashboards(), *product_urls.urlpatterns]
    settings.ROOT_URLCONF = __name__
    assert client.get("/admin/rq/").status_code == 302
    client.force_login(User.objects.create_superuser("admin"))
    page = client.get("/admin/rq/")
    assert page.status_code == 200
    assert b"transcode" in page.content
    redis_server.stop()
    assert client.get("/admin/rq/").status_code in (200, 503)

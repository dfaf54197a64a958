"""`make run` under each engine: its workers are started, a video becomes ready, and what is missing is said."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rushes.jobs.models import Worker
from tests.contract.servers import RedisServer
from tests.crash.instance import ROOT, Instance, wait_until

PATIENCE_S = 90.0

Product = Callable[[str, str], Instance]

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.databases]


@pytest.fixture
def film(clip: Callable[..., Path]) -> Path:
    return clip(size=(320, 180), rate=25, duration_s=10, codec="mpeg4", suffix=".mkv")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    server = RedisServer(tmp_path)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def product(product_environ: Callable[..., dict[str, str]], settings: Any, tmp_path: Path) -> Product:
    """`product("rq", url)` is the product on an engine, with its server at that address."""

    def made(delivery: str, url: str) -> Instance:
        settings.MEDIA_ROOT = tmp_path / "media"
        environment = product_environ(
            RUSHES_VAR=str(tmp_path / "var"),
            VIDEO_QUALITY_PRESETS="180p,144p",
            PYTHONPATH=str(ROOT),
            RUSHES_DELIVERY=delivery,
            WORKER_ID="attic",
            RQ_URL=url,
            CELERY_BROKER_URL=url,
        )
        return Instance(environment, tmp_path)

    return made


def make_ready(instance: Instance, film: Path) -> None:
    api = instance.client()
    video = api.upload(film, "a film")["public_id"]
    wait_until(lambda: api.video(video)["status"] == "ready", PATIENCE_S, "the video is ready")


@pytest.mark.parametrize("delivery", ["rq", "celery", "q2"])
def test_a_video_becomes_ready_under_every_engine(
    product: Product, film: Path, redis_url: str, delivery: str
) -> None:
    with product(delivery, redis_url) as instance:
        make_ready(instance, film)
        if delivery != "q2":  # whose cluster may come later than patience lasts, on a busy machine
            assert "running inline" not in instance.log.read_text()
    named = Worker.objects.filter(name__startswith=f"{delivery}-attic-").values_list("name", flat=True)
    assert {name.split("-")[2] for name in named} == {"quick", "bulk"}


def test_django_q2_has_its_pages_in_the_admin(client: Client) -> None:
    client.force_login(User.objects.create_superuser("admin"))
    assert client.get("/admin/django_q/ormq/").status_code == 200


@pytest.mark.parametrize(("delivery", "engine"), [("rq", "RQ"), ("celery", "Celery")])
def test_without_its_server_it_says_so_and_works_in_process(
    product: Product, film: Path, delivery: str, engine: str
) -> None:
    with product(delivery, "redis://127.0.0.1:1/0") as instance:
        make_ready(instance, film)
        assert f"{engine} needs Redis at 127.0.0.1:1, which does not answer" in instance.log.read_text()

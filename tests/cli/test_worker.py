"""`rushes worker`: the same as `manage.py worker`, with the table's names in its options."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from rushes.jobs.models import Worker

pytestmark = pytest.mark.django_db(transaction=True)

LIMIT_S = 60.0

Environ = Callable[..., dict[str, str]]


def rushes_worker(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "rushes", "worker", *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_its_options_are_those_of_the_worker(product_environ: Environ) -> None:
    options = ("--queues", "video:transcode=3,image:poster", "--max-jobs", "5", "--name", "attic", "--burst")
    ended = rushes_worker(product_environ(), *options)
    assert ended.returncode == 0, ended.stderr
    row = Worker.objects.get()
    assert (row.name, row.queues) == ("attic", {"video:transcode": 3, "image:poster": 4})


def test_settings_change_what_it_runs_at_once(product_environ: Environ) -> None:
    ended = rushes_worker(product_environ(RUSHES_QUEUES="* concurrency=1"), "--burst")
    assert ended.returncode == 0, ended.stderr
    assert set(Worker.objects.get().queues.values()) == {1}


@pytest.mark.parametrize(
    ("arguments", "variables", "sentence"),
    [
        (["--queues", "transcode=2"], {}, "There is no queue 'transcode'; there are control, "),
        (["--max-jobs", "-1"], {}, "-1"),
        (
            [],
            {"RUSHES_QUEUES": "transcode attempts=1"},
            "RUSHES_QUEUES 'transcode attempts=1' is malformed: ",
        ),
    ],
)
def test_what_is_wrong_is_said_in_words(
    product_environ: Environ, arguments: list[str], variables: dict[str, str], sentence: str
) -> None:
    ended = rushes_worker(product_environ(**variables), "--burst", *arguments)
    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not Worker.objects.exists()

"""The world of each delivery: its server and its workers serve all tests of a module, one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest import mock

import pytest
from django.core.management import CommandError
from django.core.management.commands import flush
from django.db import OperationalError

from tests import databases
from tests.contract.worlds import WORLDS, World, close_other_connections
from tests.jobs import kinds  # noqa: F401  # registers its kind


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With `--dist loadgroup` all tests of a world are one process's, because opening it anew costs seconds, and
    all of another file.

    Not by xdist's own mark: its 3.8 writes that into a private name of tests that pytest 9.2 does not have any more.
    """
    if config.getoption("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class ByWorld(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            parameter = nodeid.partition("[")[2].rstrip("]")
            return parameter if parameter in WORLDS else nodeid.partition("::")[0]

    return ByWorld(config, log)


FLUSHES = 5


@pytest.fixture(scope="session", autouse=True)
def _emptied_under_workers() -> Iterator[None]:
    """Workers go on while a test's tables are emptied: where their locks and ours meet, Postgres ends one of us."""
    once = flush.Command.handle

    def handle(self: flush.Command, **options: Any) -> None:
        for attempt in range(1, FLUSHES + 1):
            try:
                return once(self, **options)
            except CommandError as error:
                if attempt == FLUSHES or not isinstance(error.__cause__, OperationalError):
                    raise
        return None

    with mock.patch.object(flush.Command, "handle", handle):
        yield


@pytest.fixture(scope="module", params=list(WORLDS))
def world(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_setup: None,
    django_db_blocker: Any,
) -> Iterator[World]:
    """A delivery that a whole module uses, with workers that go on from test to test while each empties its tables."""
    if databases.kind() == "postgres" and (missing := databases.why_no_postgres()):
        pytest.skip(missing)
    with django_db_blocker.unblock():
        made = WORLDS[request.param](tmp_path_factory.mktemp(request.param))
        with made.open():
            yield made
        close_other_connections()

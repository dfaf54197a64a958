"""The contract of an engine, and which one this process uses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from importlib import import_module
from typing import ClassVar

from django.conf import settings


class EngineAway(Exception):
    """The engine does not answer, or nobody serves it; the message says which server was asked."""


class Engine(ABC):
    """Carries wake-ups, each "queue Q has work", to the workers of a library.

    It may lose them and deliver them twice. Nothing else is asked of it: attempts, delays, order and retention are the
    ledger's.
    """

    title: ClassVar[str]  # as people call it
    patience_s: ClassVar[float] = 0.0  # how long it must be away before others take over

    #: There is nothing to send to: an embedded worker does all of the work.
    inline = False

    @property
    @abstractmethod
    def server(self) -> str:
        """What it needs, in words, without passwords: "Redis at 127.0.0.1:6379"."""

    @abstractmethod
    def send(self, queue: str, count: int = 1) -> None:
        """Send `count` wake-ups for a queue of the ledger. Quick also when the server is away. Raises EngineAway."""

    @abstractmethod
    def waiting(self) -> dict[str, int]:
        """How many wake-ups nobody has taken yet, by queue of the ledger. Raises EngineAway."""

    @property
    def away_words(self) -> str:
        """What the log says when an embedded worker takes over."""
        return f"{self.title} not available; running inline"


def chosen() -> Engine | None:
    """The engine that RUSHES_DELIVERY names; None where the database itself wakes workers."""
    return None if settings.RUSHES_DELIVERY == "database" else engine(settings.RUSHES_DELIVERY)


@cache
def engine(name: str) -> Engine:
    """The engine of that name; its library is imported now, and no other. Raises ImportError."""
    made: Engine = import_module(f"{__package__}.{name}").make()
    return made

"""What a kind of job does, and the table of kinds. The ledger and the worker know handlers by this contract only."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Protocol

from django.conf import settings

from .queues import Queue, queue_named


class Unmendable(Exception):
    """Trying again cannot mend it: the job fails at once, and the message is for the uploader."""


class NothingToRetry(Exception):
    """Doing the job again would do nothing; the message says why, and what would."""


class PutOff(Exception):
    """It cannot be done now, through no fault of the job: it is tried again in `after_s`, in all as often as a job may
    be interrupted; then it fails, with this message, which is for the uploader."""

    after_s = 60.0


class Interrupted(Exception):
    """The work was cut off from outside (a killed program, a lost lease): it is given back and no attempt is spent."""


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """A job that this worker holds; `claim` fences every write for it."""

    id: int
    claim: int
    kind: str
    queue: str
    group: str
    args: Mapping[str, Any]
    priority: int
    failures: int  # before this attempt
    max_failures: int
    parent: int | None
    worker: str


class Report(Protocol):
    """What a running handler may say and ask. All calls are quick and thread-safe."""

    #: Set when the result is not wanted any more: cancelled, lease lost, or the worker stops. ffmpeg must end then.
    cancel: threading.Event

    def progress(self, percentage: int, message: str = "") -> None:
        """Say how far it is; written at most once a second."""

    def log(self, text: str, level: str = "info") -> None:
        """Add a line to the job's log."""


class Handler(ABC):
    """One kind of job: a slow `run` outside of every transaction, and a quick `commit` inside the fenced one."""

    kind: ClassVar[str]
    queue: ClassVar[Queue]
    #: Seconds that one attempt may take, where that is not what its queue says.
    limit_s: ClassVar[float | None] = None

    def tidy(self) -> None:  # noqa: B027  # optional
        """Called in every worker when it starts and every minute: clean up what killed workers left. Quick."""

    def begin(self) -> None:  # noqa: B027  # optional
        """Called once in a worker, before it claims its first job: find out what has to be known. May take seconds."""

    @abstractmethod
    def run(self, job: Claimed, report: Report) -> Any:
        """Do the work, which may be done twice or be killed at any moment.

        Raises Unmendable, PutOff, Interrupted, or anything else: an error, which spends one of the job's attempts.
        """

    def commit(self, job: Claimed, result: Any) -> None:  # noqa: B027  # most kinds have something to commit
        """Write what follows from it, in the transaction that completes the job. Never slow.

        Called again where that transaction was rolled back (a deadlock, a database that was away for a moment).
        """

    def failed(self, job: Claimed, reason: str) -> None:  # noqa: B027  # optional
        """Write what follows from failing for good, in the transaction that fails the job."""

    def retried(self, job: Claimed) -> None:  # noqa: B027  # optional
        """Undo what follows from that, in the transaction that lets a failed or cancelled job run again.

        Raises NothingToRetry: the job stays as it is.
        """


_HANDLERS: dict[str, Handler] = {}


def register(handler: Handler) -> Handler:
    """Make a handler known. Raises ValueError where its kind has one already."""
    if _HANDLERS.setdefault(handler.kind, handler) is not handler:
        raise ValueError(f"The kind {handler.kind!r} has a handler already.")
    return handler


def handler_of(kind: str) -> Handler:
    """The handler of a kind. Raises LookupError."""
    return _HANDLERS[kind]


def limit_of(job: Claimed) -> float:
    """Seconds that one attempt at a job may take: its kind's, else its queue's."""
    own_s = _HANDLERS[job.kind].limit_s if job.kind in _HANDLERS else None
    return queue_named(job.queue).limit_s if own_s is None else own_s


def load() -> None:
    """Make the kinds of the settings known in this process, which need be no worker."""
    for module in settings.RUSHES_HANDLER_MODULES:
        import_module(module)


def kinds() -> frozenset[str]:
    """Every kind that has a handler here."""
    return frozenset(_HANDLERS)

"""Named moments in the ledger's code at which its tests let something happen: a kill, an error, a pause.

Elsewhere nothing is injected, and a moment is a call that does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

#: What happens at every moment of this process; it may raise.
inject: Callable[[Moment], None] | None = None


class Moment(StrEnum):
    """Where a process that dies, fails or sleeps leaves the most behind."""

    ENQUEUED = "enqueued"  # the row is written, its transaction is not committed
    COMMITTED = "committed"  # the row is there, its wake-up has not been sent
    CLAIMED = "claimed"  # nobody knows of the claim yet but the row
    BEATING = "beating"  # leases are extended, not committed
    DONE = "done"  # the handler has done its work, the ledger does not know
    COMPLETING = "completing"  # the end and what follows from it are written, not committed
    COMPLETED = "completed"  # committed; the engine has not been told
    FAILING = "failing"  # the end of an attempt is written, not committed
    RELEASING = "releasing"  # what is given back, or swept, is written, not committed


def at(moment: Moment) -> None:
    """Here something may happen."""
    if inject is not None:
        inject(moment)

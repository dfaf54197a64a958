"""How the delivery is, for `check_worker`: its name, and lines of its own about what it depends on."""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings

from .engine import EngineAway, chosen


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that was looked at: a server that answers, wake-ups that wait. Not healthy is an alarm."""

    healthy: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Condition:
    """The delivery that is chosen, and what it says of itself."""

    name: str
    lines: tuple[Line, ...] = ()


def condition() -> Condition:
    """Look at the delivery. Never raises: what does not answer is a line that is not healthy."""
    name = settings.RUSHES_DELIVERY
    try:
        engine = chosen()
        if engine is None:
            return Condition(name=name)
        if engine.inline:
            words = "RQ_QUEUE_TRANSCODE is empty: the web process does the work itself"
            return Condition(name=name, lines=(Line(healthy=True, text=words),))
        count = sum(engine.waiting().values())
    except ImportError as error:
        words = f"{error.name or error} is not installed: pip install rushes[{name}]"
        return Condition(name=name, lines=(Line(healthy=False, text=words),))
    except EngineAway as error:
        words = f"{error}; until it does, work is done by embedded workers"
        return Condition(name=name, lines=(Line(healthy=False, text=words),))
    words = f"{engine.title} answers ({engine.server}); wake-ups that nobody has taken yet: {count}"
    return Condition(name=name, lines=(Line(healthy=True, text=words),))

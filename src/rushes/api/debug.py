"""GET /api/_debug/queue, in DEBUG alone: whether the engine answers, and how much waits."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

from rushes.jobs.claims import count_ready
from rushes.jobs.delivery.engine import EngineAway, chosen

from .errors import not_found

MOST = 10_000  # counted; a queue beyond that is long


@require_safe
@cache_control(no_cache=True)
def queue(request: HttpRequest) -> HttpResponse:
    """Connectivity and length: wake-ups that the engine holds, and jobs that are ready in the ledger, by queue."""
    if not settings.DEBUG:
        return not_found(request)
    engine = chosen()
    waiting: dict[str, int] = {}
    error = None
    if engine is not None and not engine.inline:
        try:
            waiting = engine.waiting()
        except EngineAway as away:
            error = str(away)
    ready = count_ready(MOST)
    return JsonResponse(
        {
            "delivery": settings.RUSHES_DELIVERY,
            "server": "the ledger's database" if engine is None else engine.server,
            "inline": engine is not None and engine.inline,
            "connected": error is None,
            "error": error,
            "length": sum(ready.values()) if engine is None or engine.inline else sum(waiting.values()),
            "queues": {
                name: {"ready": ready.get(name, 0), "announced": waiting.get(name, 0)}
                for name in sorted(ready.keys() | waiting.keys())
            },
        }
    )

"""The engine's own pages below /admin/, for signed-in staff."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import URLPattern, URLResolver, include, path


def dashboards() -> list[URLPattern | URLResolver]:
    """The addresses of the dashboard that the engine's library brings."""
    if settings.RUSHES_DELIVERY != "rq" or not settings.RQ_QUEUE_TRANSCODE:
        return []  # django-q2's pages are its models in the admin
    from django_rq.urls import get_admin_urlpatterns, get_api_urlpatterns

    # Figures for programs have a check of their own: staff, or a token.
    pages = get_api_urlpatterns() + get_admin_urlpatterns(view_wrapper=_rq_view)
    return [path("admin/rq/", include((pages, "django_rq")))]


def _rq_view(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    from redis import RedisError

    from rushes.jobs.delivery.rq import redis_server

    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            return view(request, *args, **kwargs)
        except RedisError:
            server = redis_server(settings.RQ_URL)
            return HttpResponse(
                f"{server} does not answer. Jobs are done by an embedded worker until it does; see /admin/jobs/.",
                content_type="text/plain",
                status=503,
            )

    return admin.site.admin_view(answer)

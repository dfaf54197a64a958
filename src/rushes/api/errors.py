"""Every error is `{"error": {"code", "message", "fields"}}`, whoever found it."""

from __future__ import annotations

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from rushes.photos.models import Photo
from rushes.pipeline.backpressure import LineIsFull
from rushes.videos.models import Video

log = logging.getLogger(__name__)

NOT_FOUND = "There is nothing of that name."
OUR_FAULT = "Something went wrong here; it is noted."


class Refused(exceptions.APIException):
    """A refusal with a code of its own."""

    def __init__(self, message: str, code: str, status_code: int, wait: int | None = None) -> None:
        """`wait`: after so many seconds it may be tried again."""
        super().__init__(message, code)
        self.status_code = status_code
        self.wait = wait


def body(code: str, message: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
    """The promised shape."""
    return {"error": {"code": code, "message": message, "fields": fields or {}}}


def handle(error: Exception, context: dict[str, Any]) -> Response:
    """The REST framework's exception handler; what nobody foresaw is a fault of ours, logged, and a 500."""
    error = _as_api_error(error)
    set_rollback()
    if not isinstance(error, exceptions.APIException):
        log.error("%s failed", context["request"].path, exc_info=error)
        return Response(body("error", OUR_FAULT), status=500)
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait_s := getattr(error, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait_s))
    if isinstance(error, exceptions.ValidationError):
        fields = error.detail if isinstance(error.detail, dict) else {"non_field_errors": error.detail}
        return Response(
            body("invalid", _first(error.detail), fields), status=error.status_code, headers=headers
        )
    codes = error.get_codes()
    code = codes if isinstance(codes, str) else error.default_code
    return Response(body(code, str(error.detail)), status=error.status_code, headers=headers)


def _as_api_error(error: Exception) -> Exception:
    """What Django and the pipeline raise, as the REST framework has it."""
    if isinstance(
        error, Http404 | Video.DoesNotExist | Photo.DoesNotExist
    ):  # the latter: deleted while this request was on its way
        return exceptions.NotFound(NOT_FOUND)
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return Refused("This is too much; only files may be large.", "too_large", 413)
    if isinstance(error, LineIsFull):
        return Refused(str(error), "queue_full", 503, wait=error.retry_after_s)
    if isinstance(error, SuspiciousOperation):  # too many fields, a session that was tampered with
        return Refused("This request is not valid.", "bad_request", 400)
    return error


@csrf_exempt  # whatever is sent, there is nothing here
def not_found(request: HttpRequest, exception: Exception | None = None) -> JsonResponse:
    """An address below /api/ that is none."""
    return JsonResponse(
        body("not_found", "There is nothing at this address."), status=status.HTTP_404_NOT_FOUND
    )


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler400`: what is refused before a view is asked, such as a wrong Host header."""
    if not _is_api(request):
        return defaults.bad_request(request, exception)
    return JsonResponse(body("bad_request", "This request is not valid."), status=status.HTTP_400_BAD_REQUEST)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's `handler500`: a fault outside the views of the REST framework. Django has logged it."""
    if not _is_api(request):
        return defaults.server_error(request)
    return JsonResponse(body("error", OUR_FAULT), status=status.HTTP_500_INTERNAL_SERVER_ERROR)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def _first(detail: Any) -> str:
    """The first sentence of nested details."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        said = _first(inner)
        return said if name == "non_field_errors" else f"{name}: {said}"
    if isinstance(detail, list):
        return _first(detail[0]) if detail else "This is not valid."
    return str(detail)

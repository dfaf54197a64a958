"""The page to upload on. Scripts send files to the API; without them this form does."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from rushes.photos.addresses import PhotoAddresses
from rushes.photos.intake import create_photo
from rushes.photos.sniffing import is_photo
from rushes.pipeline import backpressure, intake
from rushes.uploads import received
from rushes.uploads.admission import admit
from rushes.videos.addresses import Addresses
from rushes.videos.models import Video, Visibility
from rushes.web.shown import find_editable
from rushes.web.words import WHO_MAY_WATCH, title_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest) -> HttpResponse:
    """A new video or photo, or with `?replaces=<public_id>` a new file for one that is there."""
    replaces = find_editable(request, request.GET["replaces"]) if "replaces" in request.GET else None
    if request.method != "POST":
        return _page(request, replaces, error=_why_full())
    try:
        admit(request)
    except backpressure.LineIsFull as error:
        return _page(request, replaces, error=str(error), status=503, wait_s=error.retry_after_s)
    visibility = request.POST.get("visibility", Visibility.PRIVATE)
    file = received(request).get("file")
    if file is None or file.size_bytes == 0:
        missing = "Choose a file first." if file is None else "The file is empty."
        return _page(request, replaces, visibility=visibility, error=missing, status=422)
    visibility = visibility if visibility in Visibility.values else Visibility.PRIVATE
    if is_photo(file.path):
        if replaces is not None:
            return _page(
                request, replaces, error="This file is a photo: it can't take a video's place.", status=422
            )
        photo = create_photo(
            owner=request.user, path=file.path, original_name=file.name, visibility=visibility
        )
        return redirect(PhotoAddresses(photo).page)
    if replaces is not None:
        intake.replace_source(replaces, file.path, file.name)
        return redirect("web:watch", replaces.public_id)
    video = intake.create_video(
        owner=request.user,
        path=file.path,
        original_name=file.name,
        visibility=visibility,
    )
    return redirect("web:watch", video.public_id)


def _page(
    request: HttpRequest,
    replaces: Video | None,
    *,
    visibility: str = Visibility.PRIVATE,
    error: str = "",
    status: int = 200,
    wait_s: int | None = None,
) -> HttpResponse:
    context = {
        "replaces": replaces,
        "replaces_title": title_of(replaces) if replaces else "",
        "api": Addresses(replaces).api if replaces else "/api/video/",
        "method": "PATCH" if replaces else "POST",
        "limit_mb": settings.RUSHES_MAX_UPLOAD_MB,
        "visibilities": list(WHO_MAY_WATCH.items()),
        "visibility": visibility,
        "error": error,
    }
    answer = render(request, "web/upload.html", context, status=status)
    if wait_s is not None:
        answer["Retry-After"] = str(wait_s)
    return answer


def _why_full() -> str:
    """Said before anybody chooses a file for nothing; empty where there is room."""
    try:
        backpressure.check()
    except backpressure.LineIsFull as error:
        return str(error)
    return ""

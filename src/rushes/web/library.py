"""The library: what somebody has, or what everybody may see; videos and photos in one line, newest first."""

from __future__ import annotations

from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from rushes.photos.models import Photo, PhotoStatus
from rushes.videos.models import Video, Visibility
from rushes.web.photo import ShownPhoto, show_photos
from rushes.web.shown import Shown, show

PER_PAGE = 24
#: How wide a picture is shown in the library, for the browser's choice among the sizes of a photo.
SIZES = "(max-width: 32rem) 94vw, 17rem"


@never_cache
@require_safe
def library(request: HttpRequest) -> HttpResponse:
    """What is theirs who is signed in; for everybody else what is public and can be watched."""
    if request.user.is_authenticated:
        heading = "Your videos and photos"
        videos = Video.objects.filter(owner_id=request.user.pk)
        photos = Photo.objects.filter(owner_id=request.user.pk)
    else:
        heading = "Public videos and photos"
        videos = Video.objects.filter(visibility=Visibility.PUBLIC, playable_at__isnull=False)
        photos = Photo.objects.filter(visibility=Visibility.PUBLIC, status=PhotoStatus.READY)
    line = _named("video", videos).union(_named("photo", photos), all=True).order_by("-created_at", "-pk")
    page = Paginator(line, PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "heading": heading,
        "page": page,
        "sizes": SIZES,
        "entries": _entries(list(page.object_list), request.user),
    }
    return render(request, "web/library.html", context)


def _named(kind: str, rows: QuerySet[Any]) -> QuerySet[Any]:
    """Kind and key of each, in the order of the columns that a union needs; it is ordered as a whole."""
    named: QuerySet[Any] = rows.order_by().annotate(kind=Value(kind)).values("kind", "pk", "created_at")
    return named


def _entries(line: list[dict[str, Any]], user: Any) -> list[Shown | ShownPhoto]:
    keys: dict[str, list[int]] = {"video": [], "photo": []}
    for row in line:
        keys[row["kind"]].append(row["pk"])
    videos = Video.objects.select_related("active_encode").filter(pk__in=keys["video"])
    found: dict[tuple[str, int], Shown | ShownPhoto] = {
        ("video", shown.video.pk): shown for shown in show(list(videos), user)
    }
    for shown in show_photos(list(Photo.objects.filter(pk__in=keys["photo"])), user):
        found["photo", shown.photo.pk] = shown
    # One that was deleted between the two questions is not shown.
    return [found[row["kind"], row["pk"]] for row in line if (row["kind"], row["pk"]) in found]

"""A photo's page: the picture, its state, and for its owner what can be changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from rushes.photos import intake
from rushes.photos.addresses import PhotoAddresses
from rushes.photos.models import Photo, PhotoStatus
from rushes.videos import access
from rushes.web.forms import DESCRIPTION_LIMIT
from rushes.web.words import WHO_MAY_WATCH, photo_words, title_of

if TYPE_CHECKING:
    _PhotoForm = forms.ModelForm[Photo]
else:
    _PhotoForm = forms.ModelForm  # generic for the type checker alone


class PhotoForm(_PhotoForm):
    """Title, description and visibility."""

    description = forms.CharField(
        max_length=DESCRIPTION_LIMIT, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    visibility = forms.ChoiceField(choices=tuple(WHO_MAY_WATCH.items()), label="Who may see it")

    class Meta:
        """Which fields, and how they are asked for."""

        model = Photo
        fields = ("title", "description", "visibility")


@dataclass(frozen=True, kw_only=True)
class ShownPhoto:
    """A photo on a page."""

    photo: Photo
    title: str
    words: str
    in_work: bool
    addresses: PhotoAddresses
    who_may_watch: str
    own: bool  # whoever looks at it may change it

    @property
    def picture(self) -> dict[str, Any] | None:
        """The largest; None where there is none yet."""
        pictures = self.addresses.pictures
        return pictures[0] if pictures else None

    @property
    def srcset_webp(self) -> str:
        """For `<source>`."""
        return self._srcset("webp")

    @property
    def srcset_jpeg(self) -> str:
        """For `<img>`."""
        return self._srcset("jpeg")

    def _srcset(self, kind: str) -> str:
        return ", ".join(f"{picture[kind]} {picture['width']}w" for picture in self.addresses.pictures)


def show_photos(photos: Sequence[Photo], user: Any) -> list[ShownPhoto]:
    """What a page says of these photos to this user."""
    return [
        ShownPhoto(
            photo=photo,
            title=title_of(photo),
            words=photo_words(photo),
            in_work=photo.status not in (PhotoStatus.READY, PhotoStatus.FAILED),
            addresses=PhotoAddresses(photo),
            who_may_watch=WHO_MAY_WATCH[photo.visibility],
            own=access.may_edit(photo, user),
        )
        for photo in photos
    ]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def see(request: HttpRequest, public_id: str) -> HttpResponse:
    """The page; POST changes title, description and visibility."""
    if request.method != "POST":
        photo = _find(request, public_id)
        [shown] = show_photos([photo], request.user)
        return _page(request, shown, PhotoForm(instance=photo) if shown.own else None)
    photo = _find(request, public_id, change=True)
    [shown] = show_photos([photo], request.user)
    form = PhotoForm(request.POST, instance=photo)
    if not form.is_valid():
        # The page's other parts show the photo as it is, not as it was refused.
        photo.refresh_from_db(fields=["title", "description", "visibility"])
        return _page(request, shown, form, status=422)
    photo.save(update_fields=[*form.cleaned_data, "updated_at"])  # a worker may be writing the others
    messages.success(request, "Saved.")
    return redirect("web:photo", public_id)


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask first; POST deletes."""
    photo = _find(request, public_id, change=True)
    title = title_of(photo)
    if request.method == "POST":
        intake.delete_photo(photo)
        messages.success(request, f"“{title}” is deleted.")
        return redirect("web:library")
    return render(
        request,
        "web/delete.html",
        {"page": PhotoAddresses(photo).page, "title": title, "what": "photo"},
    )


@login_required
@require_POST
def again(request: HttpRequest, public_id: str) -> HttpResponse:
    """Try once more what failed."""
    photo = _find(request, public_id, change=True)
    try:
        intake.retry_photo(photo)
    except intake.SourceGone as error:
        messages.error(request, str(error))
    else:
        messages.success(request, "It is tried again.")
    return redirect("web:photo", public_id)


def _find(request: HttpRequest, public_id: str, *, change: bool = False) -> Photo:
    """The photo, where this request may see (change) it. Raises Http404: who may not is not told that it exists."""
    photo = Photo.objects.filter(public_id=public_id).first()
    if photo is None:
        raise Http404
    may = (
        access.may_edit(photo, request.user)
        if change
        else access.may_watch(photo, request.user, request.GET.get("token"))
    )
    if not may:
        raise Http404
    return photo


def _page(
    request: HttpRequest, shown: ShownPhoto, form: PhotoForm | None, *, status: int = 200
) -> HttpResponse:
    return render(
        request, "web/photo.html", {"shown": shown, "photo": shown.photo, "form": form}, status=status
    )

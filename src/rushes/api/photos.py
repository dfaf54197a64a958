"""The addresses of photos, in the manner of those of videos."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rushes.photos import intake
from rushes.photos.addresses import PhotoAddresses
from rushes.photos.models import Photo, PhotoStatus
from rushes.photos.sniffing import FORMATS, is_photo
from rushes.uploads import Received, received
from rushes.uploads.admission import admit
from rushes.videos.access import found_by, may_edit, may_watch
from rushes.videos.models import Visibility

from .errors import Refused
from .permissions import MayUseApi
from .photo_serializers import PhotoFieldsSerializer, PhotoSerializer, PhotoUploadSerializer
from .views import Pages, filtered

FILTERS = {"status": PhotoStatus.values, "visibility": Visibility.values}


class PhotoView(APIView):
    """What all addresses of photos share."""

    permission_classes = (MayUseApi,)
    parser_classes: tuple[type[BaseParser], ...] = (JSONParser, FormParser, MultiPartParser)

    def visible(self, request: Request) -> QuerySet[Photo]:
        """What this request finds in lists: its own photos and public ones; staff finds all."""
        return found_by(Photo.objects.select_related("owner"), request.user)

    def photo(self, public_id: str, *, change: bool = False) -> Photo:
        """The photo, where this request may see (change) it. Raises Http404: who may not is not told that it exists."""
        photo = Photo.objects.select_related("owner").filter(public_id=public_id).first()
        if photo is None or not may_watch(photo, self.request.user):
            raise Http404
        if change and not may_edit(photo, self.request.user):
            raise exceptions.PermissionDenied("This photo is not yours.")
        return photo

    def fresh(self, photo: Photo) -> Any:
        """A photo as it is now. Raises Photo.DoesNotExist where it was deleted meanwhile."""
        found = Photo.objects.select_related("owner").get(pk=photo.pk)
        return PhotoSerializer(found, context={"request": self.request}).data


class PhotoList(PhotoView):
    """All photos that the request may see."""

    pagination_class = Pages

    @extend_schema(
        operation_id="list_photos",
        responses=PhotoSerializer(many=True),
        parameters=[
            OpenApiParameter("status", str, enum=PhotoStatus.values),
            OpenApiParameter("visibility", str, enum=Visibility.values),
            OpenApiParameter("external_ref", str),
        ],
    )
    def get(self, request: Request) -> Response:
        """The newest first, in pages."""
        photos = filtered(self.visible(request), request, FILTERS)
        pages = self.pagination_class()
        page = pages.paginate_queryset(photos, request, view=self)
        shown = PhotoSerializer(page, many=True, context={"request": request})
        return pages.get_paginated_response(shown.data)

    @extend_schema(
        operation_id="create_photo",
        request={"multipart/form-data": PhotoUploadSerializer},
        responses={201: PhotoSerializer},
    )
    def post(self, request: Request) -> Response:
        """A new photo from a file."""
        admit(request)
        fields = PhotoFieldsSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        file = self._file(request)
        photo = intake.create_photo(
            owner=request.user, path=file.path, original_name=file.name, **fields.validated_data
        )
        where = request.build_absolute_uri(PhotoAddresses(photo).api)
        return Response(self.fresh(photo), status=status.HTTP_201_CREATED, headers={"Location": where})

    def _file(self, request: Request) -> Received:
        file = received(request).get("file")
        if file is None:
            raise ValidationError({"file": ["Send the photo as the form field `file`."]})
        if not file.size_bytes:
            raise ValidationError({"file": ["The file is empty."]})
        if not is_photo(file.path):
            raise Refused(
                f"This file is no photo that can be taken ({FORMATS}). "
                "Send videos, and GIFs that move, to /api/video/.",
                "not_a_photo",
                415,
            )
        return file


class PhotoDetail(PhotoView):
    """One photo."""

    @extend_schema(operation_id="get_photo", responses=PhotoSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        """Everything about it."""
        return Response(self.fresh(self.photo(public_id)))

    @extend_schema(
        operation_id="change_photo",
        request={"application/json": PhotoFieldsSerializer},
        responses={200: PhotoSerializer},
    )
    def patch(self, request: Request, public_id: str) -> Response:
        """Other words for it."""
        photo = self.photo(public_id, change=True)
        fields = PhotoFieldsSerializer(photo, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        if "file" in received(request) or "file" in request.data:
            raise ValidationError({"file": ["Another file is another photo: send it to /api/photo/."]})
        if fields.validated_data:
            # Only these: a worker writes the others meanwhile.
            Photo.objects.filter(pk=photo.pk).update(**fields.validated_data, updated_at=Now())
        return Response(self.fresh(photo))

    @extend_schema(operation_id="delete_photo", responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Its row at once, its files as soon as nobody works on them."""
        intake.delete_photo(self.photo(public_id, change=True))
        return Response(status=status.HTTP_204_NO_CONTENT)

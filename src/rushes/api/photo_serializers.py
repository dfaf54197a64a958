"""What the API says of photos, and what it takes."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from rushes.api.serializers import UploadedFile, WordsSerializer
from rushes.photos.addresses import PhotoAddresses
from rushes.photos.models import Photo


class PictureSerializer(serializers.Serializer[Any]):
    """One size of a photo. The JPEG is the fallback for what shows no WebP."""

    width = serializers.IntegerField()
    height = serializers.IntegerField()
    webp = serializers.CharField()
    jpeg = serializers.CharField()


class PhotoSerializer(serializers.ModelSerializer[Photo]):
    """A photo as the API shows it."""

    error = serializers.CharField(allow_null=True)
    warnings = serializers.ListField(child=serializers.CharField())
    format = serializers.CharField(allow_null=True, help_text="Of the file that was sent.")
    thumbnail = serializers.CharField(allow_null=True)
    pictures = PictureSerializer(many=True, help_text="The largest first; none is larger than the photo.")
    owner = serializers.CharField(allow_null=True)

    class Meta:
        model = Photo
        fields = (
            *(
                "public_id",
                "title",
                "description",
                "status",
                "error",
                "warnings",
                "format",
                "width",
                "height",
            ),
            *("thumbnail", "pictures", "visibility", "owner", "external_ref", "created_at", "ready_at"),
        )
        read_only_fields = fields

    def to_representation(self, instance: Photo) -> dict[str, Any]:
        """Addresses are absolute, and those of a private photo carry a token."""
        addresses = PhotoAddresses(instance)
        return {
            "public_id": instance.public_id,
            "title": instance.title,
            "description": instance.description,
            "status": instance.status,
            "error": instance.error or None,
            "warnings": instance.warnings,
            "format": instance.format or None,
            "width": instance.width,
            "height": instance.height,
            "thumbnail": self._absolute(addresses.thumbnail),
            "pictures": [
                {**picture, "webp": self._absolute(picture["webp"]), "jpeg": self._absolute(picture["jpeg"])}
                for picture in addresses.pictures
            ],
            "visibility": instance.visibility,
            "owner": instance.owner.get_username() if instance.owner else None,
            "external_ref": instance.external_ref,
            "created_at": self._time(instance.created_at),
            "ready_at": self._time(instance.ready_at),
        }

    def _absolute(self, address: str | None) -> str | None:
        request = self.context.get("request")
        return request.build_absolute_uri(address) if address and request is not None else address

    def _time(self, time: Any) -> str | None:
        return None if time is None else serializers.DateTimeField().to_representation(time)


class PhotoFieldsSerializer(WordsSerializer):
    """What owners may set."""

    class Meta(WordsSerializer.Meta):
        model = Photo


class PhotoUploadSerializer(PhotoFieldsSerializer):
    """The form of an upload."""

    file = UploadedFile()

    class Meta(PhotoFieldsSerializer.Meta):
        fields = ("file", *WordsSerializer.Meta.fields)

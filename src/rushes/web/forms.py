"""What owners may change of their videos."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django import forms

from rushes.videos.models import Video
from rushes.web.words import WHO_MAY_WATCH

#: As the API has it.
DESCRIPTION_LIMIT = 20_000

if TYPE_CHECKING:
    _VideoForm = forms.ModelForm[Video]
else:
    _VideoForm = forms.ModelForm  # generic for the type checker alone


class VideoForm(_VideoForm):
    """Title, description and visibility."""

    description = forms.CharField(
        max_length=DESCRIPTION_LIMIT, required=False, widget=forms.Textarea(attrs={"rows": 4})
    )
    visibility = forms.ChoiceField(choices=tuple(WHO_MAY_WATCH.items()), label="Who may watch")

    class Meta:
        """Which fields, and how they are asked for."""

        model = Video
        fields = ("title", "description", "visibility")

    def save_fields(self) -> None:
        """Write these fields alone: the pipeline may be writing others at this moment."""
        self.instance.save(update_fields=[*self.cleaned_data, "updated_at"])

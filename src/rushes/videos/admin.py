"""API keys in Django's admin: made and shown once, looked at without their secrets, revoked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth import get_user_model
from django.db.models import ForeignKey, QuerySet
from django.db.models.functions import Now
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.cache import add_never_cache_headers

from . import keys
from .models import ApiKey

if TYPE_CHECKING:  # the stubs know what Django's own classes do not: of which model
    _KeyAdmin = admin.ModelAdmin[ApiKey]
    _KeyForm = forms.ModelForm[ApiKey]
else:
    _KeyAdmin = admin.ModelAdmin
    _KeyForm = forms.ModelForm

_SCOPES = [
    ("submit", "submit: upload and change videos"),
    ("read", "read: list and watch"),
    ("work", "work: encode for this server"),
    ("admin", "admin: all of these"),
]


class NewKeyForm(_KeyForm):
    """What is asked for a new key."""

    scopes = forms.MultipleChoiceField(choices=_SCOPES, widget=forms.CheckboxSelectMultiple)
    expires_at = forms.SplitDateTimeField(
        required=False, widget=AdminSplitDateTime, help_text="Empty: it works until it is revoked."
    )

    class Meta:
        """See ModelForm."""

        model = ApiKey
        fields = ("user", "name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(_KeyAdmin):
    """Keys. The secret of a new one is in the answer to the form, and nowhere else."""

    list_display = (
        "name",
        "prefix",
        "user",
        "scopes",
        "created_at",
        "expires_at",
        "last_used_at",
        "revoked_at",
    )
    list_select_related = ("user",)
    search_fields = ("name", "prefix", "user__username")
    actions = ("revoke",)

    def get_form(
        self, request: HttpRequest, obj: ApiKey | None = None, change: bool = False, **options: Any
    ) -> Any:
        """A form for new keys; those that are there are only looked at."""
        if obj is None:
            options["form"] = NewKeyForm
        return super().get_form(request, obj, change, **options)

    def get_fields(self, request: HttpRequest, obj: ApiKey | None = None) -> tuple[str, ...]:
        """Never the hash."""
        return NewKeyForm.Meta.fields if obj is None else self.list_display

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **options: Any
    ) -> Any:
        """A key is as good as its user's password: only superusers make them for others."""
        if db_field.name == "user" and not request.user.is_superuser:
            options["queryset"] = get_user_model().objects.filter(username=request.user.get_username())
        return super().formfield_for_foreignkey(db_field, request, **options)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """For oneself."""
        return {"user": request.user.pk, "scopes": ["submit", "read"]}

    def has_change_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """What a key may do does not change under whoever has it: revoke it and make another."""
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change keys, were there anything else to change."""
        return bool(request.user.has_perm("videos.change_apikey"))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: _KeyForm, change: bool) -> None:
        """Make the key."""
        obj.scopes = sorted(form.cleaned_data["scopes"])
        # For this answer alone: not in the session, not in a message, not in the log.
        request.new_secret = keys.issue(obj)  # type: ignore[attr-defined]

    def response_add(
        self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None
    ) -> HttpResponse:
        """The secret, this once."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Copy the key now",
            "opts": self.opts,
            "key": obj,
            "secret": request.new_secret,  # type: ignore[attr-defined]
        }
        answer = TemplateResponse(request, "admin/videos/apikey/secret.html", context)
        add_never_cache_headers(answer)
        return answer

    @admin.action(description="Revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, chosen: QuerySet[ApiKey]) -> None:
        """From now on they open nothing."""
        revoked = chosen.filter(revoked_at__isnull=True).update(revoked_at=Now())
        self.message_user(request, f"{revoked} revoked.")

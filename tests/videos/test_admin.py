"""Keys in the admin: shown once, then only revoked."""

from __future__ import annotations

import re

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from rushes.videos.keys import find_key, make_key
from rushes.videos.models import ApiKey

pytestmark = pytest.mark.django_db

KEYS = "/admin/videos/apikey/"


@pytest.fixture
def boss(db: None) -> User:
    return User.objects.create_superuser("boss")


@pytest.fixture
def admin(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


def test_the_secret_of_a_new_key_is_shown_once(admin: Client, boss: User) -> None:
    form = {"user": boss.pk, "name": "laptop", "scopes": ["submit", "read"]}
    told = admin.post(f"{KEYS}add/", form)
    assert told.status_code == 200
    assert "no-store" in told["Cache-Control"]
    match = re.search(r'id="secret">(rsh_[\w-]+)<', told.content.decode())
    assert match is not None
    key = find_key(match[1])
    assert key is not None
    assert (key.user, key.name, key.scopes) == (boss, "laptop", ["read", "submit"])
    for page in (KEYS, f"{KEYS}{key.pk}/change/", "/admin/"):
        shown = admin.get(page)
        assert shown.status_code == 200
        assert match[1] not in shown.content.decode()
        assert key.digest not in shown.content.decode()


def test_a_key_needs_scopes_that_there_are(admin: Client, boss: User) -> None:
    for scopes in ([], ["everything"]):
        admin.post(f"{KEYS}add/", {"user": boss.pk, "name": "laptop", "scopes": scopes})
    assert not ApiKey.objects.exists()


def test_only_superusers_make_keys_for_others(boss: User, client: Client) -> None:
    staff = User.objects.create_user("staff", is_staff=True)
    staff.user_permissions.add(Permission.objects.get(codename="add_apikey"))
    client.force_login(staff)
    form = {"name": "laptop", "scopes": ["read"]}
    client.post(f"{KEYS}add/", form | {"user": boss.pk})
    assert not ApiKey.objects.exists()
    client.post(f"{KEYS}add/", form | {"user": staff.pk})
    assert ApiKey.objects.get().user == staff


def test_keys_are_revoked_not_changed(admin: Client, boss: User) -> None:
    key, secret = make_key(boss, "laptop", ["read"])
    admin.post(f"{KEYS}{key.pk}/change/", {"user": boss.pk, "name": "other", "scopes": ["admin"]})
    assert ApiKey.objects.get().name == "laptop"
    admin.post(KEYS, {"action": "revoke", "_selected_action": [key.pk]})
    assert find_key(secret) is None

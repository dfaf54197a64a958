from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from rushes.videos.models import Video

Sign = Callable[[User | None], Client]


@pytest.fixture
def owner(db: None) -> User:
    return User.objects.create_user("ada", password="of the owner")


@pytest.fixture
def other(db: None) -> User:
    return User.objects.create_user("bob", password="of the other")


@pytest.fixture
def signed_in() -> Sign:
    """`signed_in(user)` is a browser of theirs; `signed_in(None)` one of nobody."""

    def sign(user: User | None, **options: Any) -> Client:
        client = Client(**options)
        if user is not None:
            client.force_login(user)
        return client

    return sign


@pytest.fixture
def video(owner: User) -> Video:
    """A private video that waits."""
    return Video.objects.create(owner=owner, title="Harbour at dawn", original_name="MVI_4823.AVI")

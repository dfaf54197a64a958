"""How files come in: bodies written to disk as they come.

A view asks `received(request)` for the files of its request, after `admission.admit(request)` where there may be
one too many. What it wants to keep, it moves away from there before it answers; what still lies there after the
answer is removed.
"""

from rushes.uploads.incoming import Received
from rushes.uploads.requests import received

__all__ = ["Received", "received"]

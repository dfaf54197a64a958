"""Every kind of job that a photo needs, made known to the worker."""

from __future__ import annotations

from rushes.jobs.handlers import register

from .optimise import OptimiseHandler
from .removal import RemovePhotoHandler

for _handler in (OptimiseHandler(), RemovePhotoHandler()):
    register(_handler)

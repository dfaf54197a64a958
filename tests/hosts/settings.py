"""Django's settings of workers on the test's hosts: the product's own, leases and all, with the tests' kinds beside."""

from rushes.config.settings import *  # noqa: F403

RUSHES_HANDLER_MODULES = ["rushes.pipeline.handlers", "tests.jobs.kinds"]

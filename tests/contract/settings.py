"""Django's settings of the workers that the contract's tests start: in a hurry, and hurt where a test has armed it."""

from tests.jobs.worker_settings import *  # noqa: F403

RUSHES_HANDLER_MODULES = ["tests.jobs.kinds", "tests.contract.injections"]
JOBS_MAX_INTERRUPTIONS = 1_000  # tests that kill need patience

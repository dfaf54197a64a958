"""Django's settings of the workers that tests start: the product's own, with handlers of the tests, and in a hurry."""

from rushes.config.settings import *  # noqa: F403
from rushes.config.settings import DATABASES

RUSHES_HANDLER_MODULES = ["tests.jobs.kinds"]
JOBS_LEASE_S = 3.0
JOBS_HEARTBEAT_S = 0.5
JOBS_SWEEP_S = 0.5

if "options" in DATABASES["default"].get("OPTIONS", {}):  # Postgres
    DATABASES["default"]["OPTIONS"]["options"] += " -c idle_in_transaction_session_timeout=3000"

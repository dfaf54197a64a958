"""Django's settings of workers that have the product's own lease."""

from rushes.config import settings as product
from tests.contract.settings import *  # noqa: F403

JOBS_LEASE_S = product.JOBS_LEASE_S
JOBS_HEARTBEAT_S = product.JOBS_HEARTBEAT_S
JOBS_SWEEP_S = product.JOBS_SWEEP_S

"""Django's settings of an instance whose processes are killed: the product's own, patient with interruptions."""

from rushes.config.settings import *  # noqa: F403

#: Ten interruptions of one job fail it as poison. Here it is not the job that kills.
JOBS_MAX_INTERRUPTIONS = 10_000

"""Django's settings of a test run: the product's own, over the database and the folders of this run alone."""

import os

from rushes.config.environment import VARIABLES
from tests import databases

databases.configure(os.environ, frozenset(VARIABLES))

from rushes.config.delivery import LIBRARIES, apps_of  # noqa: E402
from rushes.config.settings import *  # noqa: E402, F403
from rushes.config.settings import DATABASES, INSTALLED_APPS  # noqa: E402

DATABASES["default"]["TEST"] = {"NAME": databases.test_database_name()}
# The product's is slow on purpose; tests sign in often.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# Tests choose an engine by setting RUSHES_DELIVERY alone.
INSTALLED_APPS += [app for engine in LIBRARIES for app in apps_of(engine)]

"""Django's settings, made from the environment (`environment`)."""

import importlib.util
import os
from pathlib import Path

import dj_database_url

import rushes.web
from rushes import __version__
from rushes.config import delivery, environment
from rushes.config.keptkey import with_kept_key
from rushes.config.network import postgres_options

ENVIRONMENT = environment.read(with_kept_key(os.environ))

RUSHES_VAR = ENVIRONMENT.rushes_var.absolute()
DEBUG = ENVIRONMENT.debug
# Without one only DEBUG may run: what such a key signs is worth nothing.
SECRET_KEY = ENVIRONMENT.secret_key or "for development only: everybody knows this key"
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts) or ["localhost", ".localhost", "127.0.0.1", "[::1]"]

# ---------------------------------------------------------------------------------------------- the rooms
# A room joins when it is there: each has an apps.py where it has models, templates or commands.
_ROOMS = ["jobs", "videos", "pipeline", "uploads", "playback", "photos", "api", "web", "ops"]
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    *(f"rushes.{room}" for room in _ROOMS if importlib.util.find_spec(f"rushes.{room}.apps")),
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "rushes.config.security.secure_cookies",
    "rushes.config.security.content_security_policy",
    "rushes.config.staticfiles.StaticFiles",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "rushes.config.urls"
ASGI_APPLICATION = "rushes.config.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

# ---------------------------------------------------------------------------------------------- database
DATABASE_URL = ENVIRONMENT.database_url or f"sqlite:///{RUSHES_VAR}/rushes.sqlite3"
DATABASES = {"default": dj_database_url.parse(DATABASE_URL)}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # 600 read-then-write transactions from four processes: 166 "database is locked" on Django's defaults, none so.
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
elif DATABASES["default"]["ENGINE"].endswith("postgresql"):
    # What DATABASE_URL says of these after a "?" wins.
    DATABASES["default"]["OPTIONS"] = postgres_options() | DATABASES["default"].get("OPTIONS", {})
# Under ASGI each request has a thread of its own: a connection kept open would be found by no other.
DATABASES["default"]["CONN_MAX_AGE"] = 0
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# ---------------------------------------------------------------------------------------------- files
MEDIA_ROOT = ENVIRONMENT.media_root or RUSHES_VAR / "media"
# On the same file system as the media where nothing else is said: publishing is then a rename.
SCRATCH_ROOT = ENVIRONMENT.temp_videos_dir or MEDIA_ROOT / "scratch"
INCOMING_ROOT = MEDIA_ROOT / "incoming"
STATIC_URL = "/static/"
# The built front end, where it is built.
STATICFILES_DIRS = [folder for folder in [Path(rushes.web.__file__).parent / "dist"] if folder.is_dir()]
# The web process serves them from where they lie: nothing has to be collected after an update.
WHITENOISE_USE_FINDERS = True
WHITENOISE_ALLOW_ALL_ORIGINS = False
WHITENOISE_MAX_AGE = 0  # names do not change with a build: browsers ask, and get a 304

# ---------------------------------------------------------------------------------------------- Rushes
RUSHES_HANDLER_MODULES = ["rushes.pipeline.handlers", "rushes.photos.handlers"]
VIDEO_QUALITY_PRESETS = ENVIRONMENT.video_quality_presets
RUSHES_QUALITY = ENVIRONMENT.rushes_quality
RUSHES_CODECS = ENVIRONMENT.rushes_codecs
RUSHES_RUNGS = ENVIRONMENT.rushes_rungs or {}  # what differs from the quality, by rung
RUSHES_GPU = ENVIRONMENT.rushes_gpu
RUSHES_MAX_UPLOAD_MB = ENVIRONMENT.rushes_max_upload_mb
RUSHES_KEEP_SOURCE = ENVIRONMENT.rushes_keep_source
RUSHES_LOUDNESS_LUFS = ENVIRONMENT.rushes_loudness_lufs
RUSHES_CAPTIONS_MODEL = ENVIRONMENT.rushes_captions_model
RUSHES_QUEUE_LIMIT = ENVIRONMENT.rushes_queue_limit
RUSHES_CPU_SLOTS = ENVIRONMENT.rushes_cpu_slots
RUSHES_LOCK_FOLDER = ENVIRONMENT.rushes_lock_folder
FFMPEG_PATH = ENVIRONMENT.ffmpeg_path
FFPROBE_PATH = ENVIRONMENT.ffprobe_path

# ---------------------------------------------------------------------------------------------- people
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "/login/"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "/login/"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True

# ---------------------------------------------------------------------------------------------- security
# Names of our own: a cookie of another Django on the same host name, whatever its port, would sign our users out.
SESSION_COOKIE_NAME = "rushes_session"
CSRF_COOKIE_NAME = "rushes_csrf"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 30 * 24 * 3600
X_FRAME_OPTIONS = "SAMEORIGIN"
SECURE_REFERRER_POLICY = "same-origin"  # URLs of private videos carry tokens: they must not leave in a header
SECURE_CONTENT_TYPE_NOSNIFF = True
# Files never pass through here (`rushes.uploads` streams them): what does is small.
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

# ---------------------------------------------------------------------------------------------- API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        # First the token: a program that sends both means the token, and the first class names the challenge, without
        # which a missing login is a 403 and not a 401.
        "rushes.api.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "rushes.api.errors.handle",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Rushes",
    "DESCRIPTION": "Takes any video and makes it watchable everywhere, seconds after the upload.",
    "VERSION": __version__,
    "SERVE_INCLUDE_SCHEMA": False,
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "rushes.api.schema.describe_refusals",
    ],
    # Several fields are called `status`.
    "ENUM_NAME_OVERRIDES": {
        "VideoStatus": "rushes.videos.models.VideoStatus",
        "PhotoStatus": "rushes.photos.models.PhotoStatus",
        "SubtitleStatus": "rushes.videos.models.SubtitleStatus",
        "RenditionStatus": "rushes.api.serializers.RENDITION_STATES",
        "JobStatus": "rushes.jobs.models.Status",
        "Visibility": "rushes.videos.models.Visibility",
    },
}

# ---------------------------------------------------------------------------------------------- logs
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "rushes": {"level": "DEBUG" if DEBUG else "INFO"},
        # Its own handlers would mail errors to nobody, and say nothing without DEBUG.
        "django": {"handlers": [], "level": "WARNING", "propagate": True},
        # 4xx of clients are no news; 5xx are logged as errors.
        "django.request": {"level": "ERROR"},
        # Anybody can send a wrong Host header, and each would be a traceback; the answer says it.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
}

# ---------------------------------------------------------------------------------------------- work
RUSHES_DELIVERY = ENVIRONMENT.rushes_delivery
# At the end: the ledger's commands stand before those of the same name there.
INSTALLED_APPS += delivery.apps_of(RUSHES_DELIVERY)
RQ_URL = ENVIRONMENT.rq_url
RQ_QUEUE_TRANSCODE = ENVIRONMENT.rq_queue_transcode
RQ_QUEUES = delivery.rq_queues(ENVIRONMENT)
CELERY_BROKER_URL = ENVIRONMENT.celery_broker_url or "redis://127.0.0.1:6379/0"
Q_CLUSTER = delivery.q2_cluster(ENVIRONMENT)
ENGINE_BULK_PROCESSES = delivery.bulk_processes(ENVIRONMENT)
ENGINE_QUICK_PROCESSES = delivery.quick_processes(ENVIRONMENT)

# The ledger (rushes.jobs). Tests make these shorter.
JOBS_LEASE_S = 15.0
JOBS_HEARTBEAT_S = 4.0
JOBS_SWEEP_S = 5.0
JOBS_MAX_INTERRUPTIONS = 10  # what ends its worker so often is the job itself
JOBS_QUEUES = ENVIRONMENT.rushes_queues or {}  # what differs from the table, rushes.jobs.queues
JOBS_KEEP_WORKERS_S = 7 * 24 * 3600.0  # the rows of those that have ended
JOBS_POLL_S = ENVIRONMENT.poll_interval
JOBS_WORKER_NAME = ENVIRONMENT.worker_id
JOBS_WORKER_MAX_JOBS = ENVIRONMENT.rushes_worker_max_jobs

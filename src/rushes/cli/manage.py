"""`rushes manage`: Django's command line over the product's settings. `manage.py` is the same."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from rushes.cli.product import SETTINGS

#: Commands that look at the machine only: they must be able to say what is wrong before anything is set up.
KEYLESS = frozenset({"check_ffmpeg"})


@click.command(
    context_settings={"ignore_unknown_options": True, "help_option_names": []}, add_help_option=False
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def manage(arguments: tuple[str, ...]) -> None:
    """Run a command of Django's: migrate, createsuperuser, check_ffmpeg, ...; `rushes manage help` lists them."""
    run_command_line(["rushes manage", *arguments])


def run_command_line(argv: Sequence[str]) -> None:
    """Run a command of Django's; a refused environment is one line and exit status 1."""
    from django.conf import settings
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", SETTINGS)
    if len(argv) > 1 and argv[1] in KEYLESS:
        os.environ.setdefault("SECRET_KEY", "signs nothing: no request is answered with it")
    try:
        settings.configured or settings.DEBUG  # noqa: B018  # loads them: Django itself would show a traceback
    except ImproperlyConfigured as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
    execute_from_command_line(list(argv))

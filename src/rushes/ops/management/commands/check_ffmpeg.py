"""`manage.py check_ffmpeg`: which ffmpeg and ffprobe are used, and whether they can do what is needed."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from rushes.engine import EngineError
from rushes.engine.binaries import REQUIREMENTS, Toolchain, find_ffmpeg, find_ffprobe
from rushes.engine.choosing import configured
from rushes.engine.sandbox_check import check_sandbox


class Command(BaseCommand):
    """Exit status 0: they run and can do all that is required, 1: not."""

    help = "Say which ffmpeg and ffprobe are used, their versions, and what is missing. Exit status 0 healthy, 1 not."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Only how to say it."""
        parser.add_argument("--json", action="store_true", dest="as_json", help="the findings as JSON")

    def handle(self, *args: Any, as_json: bool, **options: Any) -> None:
        """Look, say, and end with the status."""
        report = examine()
        if as_json:
            self.stdout.write(json.dumps(report, indent=2))
        else:
            self._show(report)
        if not report["healthy"]:
            sys.exit(1)

    def _show(self, report: dict[str, Any]) -> None:
        good, bad = self.style.SUCCESS("ok"), self.style.ERROR("no")
        for name in ("ffmpeg", "ffprobe"):
            program = report[name]
            if program["error"] is None:
                self.stdout.write(
                    f"{good} {name} {program['version']} ({program['origin']}: {program['path']})"
                )
            else:
                self.stdout.write(f"{bad} {name}: {program['error']}")
        if report["ffmpeg"]["error"] is None:
            needed = sum(requirement.required for requirement in REQUIREMENTS)
            there = needed - len(report["missing"])
            self.stdout.write(
                f"{bad if report['missing'] else good} {there} of {needed} required capabilities"
            )
        for line in report["missing"]:
            self.stdout.write(f"   {self.style.ERROR('missing:')} {line}")
        if report["missing"]:
            self.stdout.write("   set FFMPEG_PATH to a fuller build, or unset it to use the bundled one")
        for line in report["wanted"]:
            self.stdout.write(f"   {self.style.WARNING('not there, the feature is off:')} {line}")
        if sandbox := report["sandbox"]:
            mark = good if sandbox["complete"] else self.style.WARNING("--")
            self.stdout.write(f"{mark} sandbox: {sandbox['detail']}")
        for name in report["hardware"]["encoders"]:
            self.stdout.write(f"{good} {name} has passed its test")
        for line in report["hardware"]["refusals"]:
            self.stdout.write(f"   {self.style.WARNING('hardware:')} {line}")


def examine() -> dict[str, Any]:
    """Everything that was found out; what can't be found out is in `error` of its program."""
    report: dict[str, Any] = {
        "healthy": False,
        "encoder_build": None,
        "missing": [],
        "wanted": [],
        "sandbox": None,
        "hardware": {"asked": None, "encoders": [], "refusals": []},
    }
    binaries = {}
    for name, find in (("ffmpeg", find_ffmpeg), ("ffprobe", find_ffprobe)):
        program: dict[str, Any] = {"path": None, "version": None, "origin": None, "error": None}
        try:
            binaries[name] = binary = find()
        except EngineError as error:
            program["error"] = str(error)
        else:
            program |= {"path": str(binary.path), "version": binary.version, "origin": binary.origin}
        report[name] = program
    if "ffmpeg" in binaries:
        # ffprobe plays no part in these; the toolchain's type wants both.
        tools = Toolchain(ffmpeg=binaries["ffmpeg"], ffprobe=binaries.get("ffprobe", binaries["ffmpeg"]))
        try:
            report["missing"] = [str(requirement) for requirement in tools.missing()]
            report["wanted"] = [str(requirement) for requirement in tools.missing(required=False)]
        except EngineError as error:
            report["ffmpeg"]["error"] = str(error)
        else:
            report["encoder_build"] = tools.build_id
            report["sandbox"] = _sandbox(tools.ffmpeg.path)
            report["hardware"] = _hardware(tools)
    report["healthy"] = (
        not report["missing"] and report["ffmpeg"]["error"] is None and report["ffprobe"]["error"] is None
    )
    return report


def _sandbox(ffmpeg: Path) -> dict[str, Any]:
    """Whether ffmpeg is kept from other files and the network. Rushes works without: it is no matter of health."""
    try:
        found = check_sandbox(ffmpeg, Path(tempfile.gettempdir()))
    except (EngineError, OSError) as error:
        return {"complete": False, "detail": f"could not be tried: {error}"}
    return {"complete": found.complete, "detail": str(found)}


def _hardware(tools: Toolchain) -> dict[str, Any]:
    """What RUSHES_GPU and RUSHES_CODECS ask for, put to the test. Without it software encodes: no ill health."""
    try:
        gpu, choice = configured(tools, Path(tempfile.gettempdir()))
    except (EngineError, ValueError) as error:
        return {"asked": None, "encoders": [], "refusals": [str(error)]}
    return {"asked": gpu, "encoders": [e.name for e in choice.encoders], "refusals": list(choice.refusals)}

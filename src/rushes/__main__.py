"""`python -m rushes` is the `rushes` command."""

from rushes.cli import main

main(prog_name="rushes")

"""Subcommands of ``python -m sim``, a module each: ``add`` declares one, ``run`` does it."""

from pathlib import Path

PROGRAM = "python -m sim"

BUILD = Path("build")
"""Where results go unless the command line says otherwise."""

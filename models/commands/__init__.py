"""The commands of ``python -m models``, a module each: flags, and what the command does."""

PROGRAM = "python -m models"

"""Fuzzing of the readers; see readers.py for the command."""

"""Processes killed at any moment, with a hostile Device Hub as the only oracle."""

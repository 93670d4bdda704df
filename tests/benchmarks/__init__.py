"""How fast the program is, measured side by side in one run."""

"""One file for each version of the schema. What stands in one never changes."""

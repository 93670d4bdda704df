"""The page where HR ops upload, mend and order sheets, and who may come in."""

"""Users have no Hypothesis; pandera, where it finds one, takes a tenth of a second to load it."""

raise ImportError("not installed, as with users")

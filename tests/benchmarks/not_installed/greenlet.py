"""Users have no greenlet, which Playwright brings along; structlog loads it where it finds one."""

raise ImportError("not installed, as with users")

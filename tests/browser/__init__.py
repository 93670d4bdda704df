"""The page in a real browser: Debian's Chromium, without a network, looked at by axe-core and by eye."""

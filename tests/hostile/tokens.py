"""The tokens of a hostile server: JWTs by their looks, with an `exp` of their own."""

from __future__ import annotations

import base64
import json
import threading
import time

_GOOD = "good"


class Tokens:
    """Every token issued, and whether it still holds. Safe to use from several threads."""

    def __init__(self, lifetime: float) -> None:
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}

    @property
    def any_issued(self) -> bool:
        """Whether anybody ever logged in."""
        return bool(self._states)

    def issue(self) -> str:
        """A new token, good for the lifetime."""
        with self._lock:
            claims = {"exp": time.time() + self._lifetime, "jti": len(self._states)}
            parts = [{"alg": "none"}, claims, {"signature": "none"}]
            token = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
            self._states[token] = _GOOD
            return token

    def holds(self, token: str) -> bool:
        """Whether calls may be made with it."""
        return self._states.get(token) == _GOOD

    def refusal_of_refresh(self, token: str) -> int:
        """0 where it may be refreshed, else the status of the refusal: 403 where it was revoked, 401 otherwise."""
        state = self._states.get(token)
        return 0 if state in {_GOOD, "expire"} else 403 if state else 401

    def mark(self, state: str) -> None:
        """All tokens issued so far: "expire" (a refresh with one still works) or "revoke" (nothing does)."""
        with self._lock:
            for token, old in self._states.items():
                if old == _GOOD or state == "revoke":
                    self._states[token] = state

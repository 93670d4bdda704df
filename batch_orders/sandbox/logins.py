"""Logging in: tokens that really expire, and a limit on guessing."""

from __future__ import annotations

import hmac
import math
import secrets
import threading
import time
from collections import deque
from typing import TYPE_CHECKING

import jwt

from batch_orders.sandbox.refusals import coded, plain, too_many

if TYPE_CHECKING:
    from batch_orders.sandbox.options import SandboxOptions

_ALGORITHM = "HS256"
_FAILURES_ALLOWED = 10
_FAILURES_WINDOW = 60.0


class Logins:
    """Who is logged in. Safe to use from several threads; the signing key lives as long as this object."""

    def __init__(self, options: SandboxOptions) -> None:
        self._options = options
        self._key = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._failures: deque[float] = deque()
        self._generation = 0
        # The oldest generation that was not revoked.
        self._oldest = 0

    def log_in(self, client_id: str, client_secret: str) -> str:
        """A new token. Refused: 401 for a wrong pair, 429 for anybody after ten wrong ones in a minute."""
        right_id = hmac.compare_digest(client_id.encode(), self._options.client_id.encode())
        right_secret = hmac.compare_digest(client_secret.encode(), self._options.client_secret.encode())
        now = time.monotonic()
        with self._lock:
            while self._failures and self._failures[0] <= now - _FAILURES_WINDOW:
                self._failures.popleft()
            if len(self._failures) >= _FAILURES_ALLOWED:
                wait = math.ceil(self._failures[0] + _FAILURES_WINDOW - now)
                raise too_many("Too many failed login attempts. Try again later.", retry_after=max(wait, 1))
            if not (right_id and right_secret):
                self._failures.append(now)
                raise plain(401, "Invalid email or password")
            return self._issue()

    def refresh(self, token: str) -> str:
        """A new token for one that still holds. Refused: 401 for an expired or unknown one, 403 for a revoked one."""
        claims = self._read(token)
        with self._lock:
            if claims is None or claims["exp"] <= time.time():
                raise plain(401, "Invalid or expired refresh token")
            if claims["generation"] < self._oldest:
                raise plain(403, "Refresh token has been revoked")
            return self._issue()

    def check(self, authorization: str | None) -> None:
        """Let a call pass that carries `Bearer TOKEN` with a token that holds; refused with 401 otherwise."""
        if not authorization:
            raise plain(401, "Authorization token is required")
        scheme, _, token = authorization.partition(" ")
        claims = self._read(token.strip()) if scheme.lower() == "bearer" else None
        if claims is None:
            raise plain(401, "Invalid authorization token")
        if claims["exp"] <= time.time():
            raise coded(401, "TOKEN_EXPIRED", "The access token has expired")
        with self._lock:
            if claims["generation"] < self._oldest:
                raise plain(401, "The authorization token has been revoked")
            if claims["generation"] < self._generation:
                raise coded(401, "TOKEN_EXPIRED", "The access token has expired")

    def expire_all(self) -> None:
        """No token issued so far holds for calls any longer; a refresh with one still works."""
        with self._lock:
            self._generation += 1

    def revoke_all(self) -> None:
        """No token issued so far holds any longer for anything."""
        with self._lock:
            self._generation += 1
            self._oldest = self._generation

    def _issue(self) -> str:
        now = time.time()
        claims = {
            "sub": self._options.client_id,
            "iat": now,
            "exp": now + self._options.token_lifetime,
            "jti": secrets.token_hex(16),
            "generation": self._generation,
        }
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _read(self, token: str) -> dict[str, float] | None:
        """What one of our own tokens says, expired or not; None for anything else."""
        # PyJWT cuts `exp` to whole seconds, which is too coarse for short lifetimes: the callers compare it.
        try:
            claims: dict[str, float] = jwt.decode(
                token, self._key, algorithms=[_ALGORITHM], options={"verify_exp": False, "verify_iat": False}
            )
        except jwt.InvalidTokenError:
            return None
        return claims

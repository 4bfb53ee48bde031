"""Who may call: decided from settings and addresses before anything listens.

Rule 1: nothing beyond this machine is served without keys. Where none are configured one is made;
where `mode = "open"` is written, the contradiction is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import msgspec

from proxy.config import AuthSettings, Settings, parse_bind
from proxy.errors import ConfigError
from proxy.net.credentials import key_digest, read_text

KEY_BYTES = 32
"""Randomness of a key we make; 64 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Access:
    """The decision."""

    settings: Settings
    """With `auth.mode` filled in."""
    keys: frozenset[str]
    """SHA-256 of every accepted key, hexadecimal; empty in open mode."""
    generated: str | None = None
    """A key just made; shown once, kept nowhere."""


def decide_access(
    settings: Settings, *, environ: Mapping[str, str], draw: Callable[[int], str]
) -> Access:
    """Settle mode and keys.

    Args:
        draw: returns that many random bytes as hexadecimal digits (`secrets.token_hex`).
    Raises: ConfigError, for open mode beyond loopback, or a key's variable that is not set.
    """
    auth = settings.auth
    public = [
        listener.address
        for listener in settings.server.listeners
        if not parse_bind(listener.address).loopback
    ]
    keys = frozenset(key_digest(key, environ=environ, read_file=read_text) for key in auth.keys)
    if auth.mode == "accounts":
        raise ConfigError('auth.mode: "accounts" is not available in this version; use "keys"')
    if auth.mode == "open":
        _refuse_contradiction(public, keys)
    if auth.mode == "open" or (auth.mode is None and not public and not keys):
        return Access(_with_mode(settings, "open"), frozenset())
    if keys:
        return Access(_with_mode(settings, "keys"), keys)
    key = auth.key_prefix + draw(KEY_BYTES)
    return Access(_with_mode(settings, "keys"), frozenset({_digest(key)}), generated=key)


def _refuse_contradiction(public: list[str], keys: frozenset[str]) -> None:
    if public:
        raise ConfigError(
            f'auth.mode: "open" serves this machine only, but server.bind has "{public[0]}"; '
            'use mode = "keys"'
        )
    if keys:
        raise ConfigError('auth.keys: have no effect with mode = "open"; remove one of the two')


def _with_mode(settings: Settings, mode: Literal["open", "keys"]) -> Settings:
    auth: AuthSettings = msgspec.structs.replace(settings.auth, mode=mode)
    return msgspec.structs.replace(settings, auth=auth)


def _digest(key: str) -> str:
    return sha256(key.encode()).hexdigest()

"""Who may call is decided before anything listens."""

from hashlib import sha256
from typing import Literal

import pytest

from proxy.cli.access import Access, decide_access
from proxy.config import AuthSettings, ServerSettings, Settings
from proxy.errors import ConfigError

Mode = Literal["open", "keys", "accounts"]
LOOPBACK = "127.0.0.1:0"
WORLD = "0.0.0.0:8080"
HASH = "a" * 64


def decide(mode: Mode | None, *bind: str, keys: tuple[str, ...] = (), **environ: str) -> Access:
    settings = Settings(server=ServerSettings(bind=bind), auth=AuthSettings(mode=mode, keys=keys))
    return decide_access(settings, environ=environ, draw=lambda count: "0f" * count)


@pytest.mark.parametrize("mode", [None, "open"])
def test_loopback_without_keys_is_open(mode: Mode | None) -> None:
    access = decide(mode, LOOPBACK, "unix:/a")

    assert access.settings.auth.mode == "open"
    assert (access.keys, access.generated) == (frozenset(), None)


def test_beyond_loopback_a_key_is_made() -> None:
    access = decide(None, LOOPBACK, WORLD)

    assert access.generated == "sk-hr-v1-" + "0f" * 32
    assert access.settings.auth.mode == "keys"
    assert access.keys == {sha256(access.generated.encode()).hexdigest()}


def test_mode_keys_without_keys_makes_one_on_loopback_too() -> None:
    assert decide("keys", LOOPBACK).generated is not None


@pytest.mark.parametrize("mode", [None, "keys"])
def test_configured_keys_are_used(mode: Mode | None) -> None:
    access = decide(mode, WORLD, keys=(f"sha256:{HASH}", "env:MY_KEY"), MY_KEY="sk-1")

    assert access.keys == {HASH, sha256(b"sk-1").hexdigest()}
    assert access.settings.auth.mode == "keys"
    assert access.generated is None


@pytest.mark.parametrize(
    ("mode", "bind", "keys", "expected"),
    [
        ("open", WORLD, (), 'auth.mode: "open" serves this machine only, but server.bind has'),
        ("open", LOOPBACK, (f"sha256:{HASH}",), "auth.keys: have no effect"),
        ("accounts", LOOPBACK, (), 'auth.mode: "accounts" is not available'),
        ("keys", LOOPBACK, ("env:ABSENT",), "env:ABSENT: the environment variable ABSENT"),
    ],
)
def test_contradictions_are_refused(
    mode: Mode, bind: str, keys: tuple[str, ...], expected: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        decide(mode, bind, keys=keys)

    assert caught.value.message.startswith(expected)

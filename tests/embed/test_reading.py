"""Settings of a program: a path, a document, `Settings`, or nothing."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from proxy.config import Settings, parse_settings
from proxy.embed.reading import FREE_BIND, accepted_keys, read
from proxy.errors import ConfigError

TOML = '[server]\nbind = ["127.0.0.1:1234"]\n[limits]\nattempts_max = 2\n'
DOCUMENT: dict[str, Any] = {"server": {"bind": ("127.0.0.1:1234",)}, "limits": {"attempts_max": 2}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", ["none", "text", "path", "document", "settings"])
def test_every_kind_of_source_says_the_same(kind: str, folder: Path) -> None:
    (folder / "hedgerow.toml").write_text(TOML)
    source: Any = {
        "none": None, "text": "hedgerow.toml", "path": folder / "hedgerow.toml",
        "document": DOCUMENT, "settings": parse_settings(
            {"server": {"bind": ["127.0.0.1:1234"]}, "limits": {"attempts_max": 2}}, origin="x"
        ),
    }[kind]  # fmt: skip

    found = read(source, {})

    assert (2, True) == (found.settings.limits.attempts_max, found.bind_said)
    assert found.settings is found.with_free_port()
    assert "" == found.settings.server.data


@pytest.mark.parametrize("source", [None, {}, Settings()])
def test_where_nobody_says_where_a_port_is_free(source: Any) -> None:
    found = read(source, {})

    assert not found.bind_said
    assert FREE_BIND == found.with_free_port().server.bind


@pytest.mark.parametrize(("source", "attempts"), [(None, 1), ({}, 3), (Settings(), 3)])
def test_variables_are_laid_over_files_only(source: Any, attempts: int) -> None:
    found = read(source, {"HEDGEROW_LIMITS__ATTEMPTS_MAX": "1"})

    assert attempts == found.settings.limits.attempts_max


@pytest.mark.parametrize(
    ("source", "environ", "line"),
    [
        ("absent.toml", {}, "absent.toml: No such file or directory"),
        ("bad.toml", {}, "bad.toml: not TOML"),
        ("latin.toml", {}, "latin.toml: not UTF-8 (byte 0)"),
        ("big.toml", {}, "big.toml: is larger than"),
        ("deep.toml", {}, "deep.toml: not TOML: nested too deeply"),
        ("typo.toml", {"HEDGEROW_CATALOG": "none"}, "typo.toml: limit: unknown key"),
        (None, {"HEDGEROW_LIMITS__X": "1"}, "environment HEDGEROW_*: limits.x: unknown key"),
        ({"limits": {"x": 1}}, {}, "settings: limits.x: unknown key"),
        ({"limits": {"attempts_max": object()}}, {}, "settings: object is nothing"),
    ],
)
def test_what_is_wrong_is_one_line(
    source: Any, environ: dict[str, str], line: str, folder: Path
) -> None:
    (folder / "bad.toml").write_text("=")
    (folder / "latin.toml").write_bytes(b"\xff")
    (folder / "big.toml").write_text("#" * 4_194_305)
    (folder / "deep.toml").write_text("a = " + "[" * 5000)
    (folder / "typo.toml").write_text("[limit]\n")

    with pytest.raises(ConfigError) as caught:
        read(source, environ)

    assert caught.value.message.startswith(line)
    assert "\n" not in caught.value.message


PUBLIC = {"server": {"bind": ["0.0.0.0:0"]}}
KEYED = {"auth": {"keys": ["env:KEY"]}}


@pytest.mark.parametrize(
    ("document", "listen", "keyed"),
    [
        ({}, True, False), (PUBLIC, False, False), (KEYED, False, True), (PUBLIC | KEYED, True, True),
        ({"auth": {"mode": "open"}}, True, False),
    ],
)  # fmt: skip
def test_keys_are_as_the_settings_say(document: Any, listen: bool, keyed: bool) -> None:
    settings = read(document, {}).settings

    found = accepted_keys(settings, environ={"KEY": "one"}, listen=listen)

    assert found == ({hashlib.sha256(b"one").hexdigest()} if keyed else frozenset())


def test_a_key_may_be_given_as_its_hash_or_in_a_file(folder: Path) -> None:
    (folder / "key").write_text("one\n")
    digest = hashlib.sha256(b"one").hexdigest()
    settings = read({"auth": {"keys": [f"sha256:{digest}"]}}, {}).settings

    assert {digest} == accepted_keys(settings, environ={}, listen=True)


@pytest.mark.parametrize(
    ("document", "line"),
    [
        (PUBLIC, 'auth.keys: missing, but server.bind has "0.0.0.0:0"'),
        ({"auth": {"mode": "keys"}}, "auth.keys: missing; an embedded gateway makes no key"),
        ({"auth": {"mode": "accounts"}}, 'auth.mode: "accounts" is not available'),
        ({"auth": {"mode": "open", **KEYED["auth"]}}, "auth.keys: have no effect"),
        ({"auth": {"keys": ["env:NONE"]}}, "env:NONE: the environment variable NONE is not set"),
    ],
)
def test_the_world_is_never_served_without_keys(document: Any, line: str) -> None:
    settings = read(document, {}).settings

    with pytest.raises(ConfigError) as caught:
        accepted_keys(settings, environ={"KEY": "one"}, listen=True)

    assert caught.value.message.startswith(line)

"""Settings of a gateway that runs inside a program, whatever they are given as.

Rule 1: a file, and the lack of one, is laid over with `HEDGEROW_*` variables as for every command; a
document or `Settings` that the program made itself is taken as it is.
Rule 2: an embedded gateway keeps nothing on disk.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import msgspec

from proxy.config import (
    ServerSettings,
    Settings,
    decode_document,
    overlay_environment,
    parse_bind,
    parse_settings,
)
from proxy.errors import ConfigError
from proxy.model.document import Document, Json, as_document
from proxy.net.credentials import key_digest, read_text

Source: TypeAlias = Settings | Mapping[str, Json] | str | os.PathLike[str] | None
"""What a program may give: None is ./hedgerow.toml where there is one, text is a path."""

DEFAULT_FILE = Path("hedgerow.toml")
FREE_BIND = ("127.0.0.1:0",)
"""Where an embedded gateway listens, if it is to listen and nobody says where."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read."""

    settings: Settings
    bind_said: bool
    """Whether `server.bind` was written by anybody."""

    def with_free_port(self) -> Settings:
        """The settings, to listen on a free port of this machine unless they say otherwise."""
        return self.settings if self.bind_said else with_server(self.settings, bind=FREE_BIND)


def read(source: Source, environ: Mapping[str, str]) -> Reading:
    """Read and check `source`.

    Raises: ConfigError, one line that names the file, or the environment where that is at fault.
    """
    if isinstance(source, Settings):
        said = source.server.bind != ServerSettings().bind
        return Reading(with_server(source, data=""), said)
    if isinstance(source, Mapping):
        document = as_document(_plain(dict(source)))
        origin = "settings"
    else:
        path = DEFAULT_FILE if source is None else Path(source)
        written = _read_document(path) if source is not None or path.exists() else {}
        document, origin = overlay_environment(written, environ), str(path)
        if document != written:
            origin = _blamed(written, origin)
    settings = with_server(parse_settings(document, origin=origin), data="")
    return Reading(settings, "bind" in as_document(document.get("server")))


def with_server(
    settings: Settings, *, bind: tuple[str, ...] | None = None, data: str | None = None
) -> Settings:
    """The settings with another place to listen or to keep things."""
    before = settings.server
    server = msgspec.structs.replace(
        before,
        bind=before.bind if bind is None else bind,
        data=before.data if data is None else data,
    )
    return msgspec.structs.replace(settings, server=server)


def accepted_keys(
    settings: Settings, *, environ: Mapping[str, str], listen: bool
) -> frozenset[str]:
    """SHA-256 of every key that may call, hexadecimal; empty: open mode.

    No key is made up here: there is nobody to show it to.

    Raises: ConfigError, also where the world would be served without keys.
    """
    auth = settings.auth
    keys = frozenset(key_digest(key, environ=environ, read_file=read_text) for key in auth.keys)
    if auth.mode == "accounts":
        raise ConfigError('auth.mode: "accounts" is not available in this version; use "keys"')
    if auth.mode == "keys" and not keys:
        raise ConfigError("auth.keys: missing; an embedded gateway makes no key by itself")
    if auth.mode == "open" and keys:
        raise ConfigError('auth.keys: have no effect with mode = "open"; remove one of the two')
    addresses = [one.address for one in settings.server.listeners] if listen else []
    public = [address for address in addresses if not parse_bind(address).loopback]
    if public and not keys:
        raise ConfigError(
            f'auth.keys: missing, but server.bind has "{public[0]}", which others can reach'
        )
    return keys


def _plain(value: object) -> Json:
    """A program's own document as the file would have it: lists for tuples, dicts for mappings."""
    match value:
        case Mapping():
            return {str(key): _plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [_plain(inner) for inner in value]
        case str() | int() | float() | bool() | None:
            return value
        case _:
            raise ConfigError(f"settings: {type(value).__name__} is nothing that a file could say")


def _read_document(path: Path) -> Document:
    """Raises: ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None
    return decode_document(data, origin=str(path))


def _blamed(written: Document, path: str) -> str:
    """Whom to blame for faults of the overlaid document: the environment, if the file alone is fine.

    Raises: ConfigError for a fault of the file.
    """
    parse_settings(written, origin=path)
    return "environment HEDGEROW_*"

"""Settings from a file and the environment, for every command alike.

Rule 1: without `--config` the file may be absent; with it, it may not.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from proxy.config import Settings, overlay_environment, parse_bind, parse_settings
from proxy.errors import ConfigError
from proxy.model.document import Document

DEFAULT_FILE = Path("hedgerow.toml")
FILE_BYTES_MAX = 4_194_304


def read_settings(file: Path | None, environ: Mapping[str, str]) -> Settings:
    """Read `file`, or ./hedgerow.toml where there is one, with `HEDGEROW_*` laid over it.

    Raises: ConfigError, one line that names the file, or the environment where that is at fault.
    """
    path = file or DEFAULT_FILE
    document = _read_document(path) if file or path.exists() else {}
    overlaid = overlay_environment(document, environ)
    if overlaid == document:
        return parse_settings(document, origin=str(path))
    try:
        return parse_settings(overlaid, origin="environment HEDGEROW_*")
    except ConfigError:
        parse_settings(document, origin=str(path))
        raise


def _read_document(path: Path) -> Document:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: is larger than {FILE_BYTES_MAX} bytes")
    try:
        document: Document = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: not TOML: nested too deeply") from None
    return document


def with_arguments(settings: Settings, *, bind: tuple[str, ...], keep: bool) -> Settings:
    """Lay what the command line says over the settings.

    Args:
        bind: addresses that replace `server.bind`; empty: as written.
        keep: False: nothing is kept on disk (`server.data` becomes empty).
    Raises: ConfigError for an unusable address.
    """
    for text in bind:
        try:
            parse_bind(text)
        except ValueError as error:
            raise ConfigError(f"--bind: {error}") from None
    server = msgspec.structs.replace(
        settings.server,
        bind=bind or settings.server.bind,
        data=settings.server.data if keep else "",
    )
    return msgspec.structs.replace(settings, server=server)

"""Settings from a file and the environment, for every command alike.

Rule 1: without `--config` the file may be absent; with it, it may not.
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from proxy.config import Settings, decode_document, overlay_environment, parse_bind, parse_settings
from proxy.errors import ConfigError
from proxy.model.document import Document

DEFAULT_FILE = Path("hedgerow.toml")


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


def read_bounded(file: Path, bytes_max: int) -> bytes:
    """A file that somebody named, if it is no larger. Raises: ConfigError."""
    try:
        with file.open("rb") as opened:
            data = opened.read(bytes_max + 1)
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror or 'cannot be read'}") from None
    if len(data) > bytes_max:
        raise ConfigError(f"{file}: is larger than {bytes_max} bytes")
    return data


def _read_document(path: Path) -> Document:
    """Raises: ConfigError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or 'cannot be read'}") from None
    return decode_document(data, origin=str(path))


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

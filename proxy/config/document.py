"""From the bytes of a settings file to a document, or one line that says why not; no file is opened."""

import tomllib

from proxy.errors import ConfigError
from proxy.model.document import Document

FILE_BYTES_MAX = 4_194_304


def decode_document(data: bytes, *, origin: str) -> Document:
    """Read TOML. Raises: ConfigError that names `origin`, a file's name."""
    if len(data) > FILE_BYTES_MAX:
        raise ConfigError(f"{origin}: is larger than {FILE_BYTES_MAX} bytes")
    try:
        document: Document = tomllib.loads(data.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{origin}: not UTF-8 (byte {error.start})") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{origin}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{origin}: not TOML: nested too deeply") from None
    return document

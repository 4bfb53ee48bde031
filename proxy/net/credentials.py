"""Secrets are named in settings and fetched here, late; what is fetched does not show itself.

Rule 1: an error names the reference, never what was found behind it.
Rule 2: a secret goes into a request head, so it is one line of printable Latin-1 or refused.
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path

from typing_extensions import override

from proxy.errors import ConfigError

SECRET_CHARACTERS_MAX = 16_384
"""Longest secret accepted; well within any request head."""
LATIN_1_MAX = 0xFF


class Secret(str):
    """A string that `repr`, and so tracebacks and logs of containers, do not show."""

    __slots__ = ()

    @override
    def __repr__(self) -> str:
        return "Secret('…')"


def resolve_secret(
    reference: str, *, environ: Mapping[str, str], read_file: Callable[[str], str]
) -> Secret:
    """Fetch what "env:NAME" or "file:PATH" names; line ends behind it are dropped.

    Args:
        read_file: returns a file's text; OSError and UnicodeDecodeError are expected of it.
    Raises: ConfigError naming the reference.
    """
    kind, _, place = reference.partition(":")
    if kind == "env" and place:
        text = environ.get(place, "")
        if not text:
            raise ConfigError(f"{reference}: the environment variable {place} is not set")
    elif kind == "file" and place:
        text = _read(reference, place, read_file)
    else:
        raise ConfigError('a secret is written as "env:NAME" or "file:PATH"')
    return Secret(_checked(reference, text.rstrip("\r\n")))


def key_digest(key: str, *, environ: Mapping[str, str], read_file: Callable[[str], str]) -> str:
    """SHA-256, hexadecimal, of a caller's key given as its hash ("sha256:…") or by reference.

    Raises: ConfigError naming the reference.
    """
    if key.startswith("sha256:"):
        return key.removeprefix("sha256:")
    secret = resolve_secret(key, environ=environ, read_file=read_file)
    return sha256(secret.encode()).hexdigest()


def read_text(path: str) -> str:
    """A file's text, for `resolve_secret`. Raises: OSError, UnicodeDecodeError."""
    return Path(path).read_text(encoding="utf-8")


def _read(reference: str, path: str, read_file: Callable[[str], str]) -> str:
    try:
        return read_file(path)
    except OSError as error:
        raise ConfigError(f"{reference}: {error.strerror or 'cannot be read'}") from None
    except ValueError:  # UnicodeDecodeError, or a path with a null byte
        raise ConfigError(f"{reference}: not a text file in UTF-8") from None


def _checked(reference: str, text: str) -> str:
    if not text.strip():
        raise ConfigError(f"{reference}: is empty")
    if len(text) > SECRET_CHARACTERS_MAX:
        raise ConfigError(f"{reference}: is longer than {SECRET_CHARACTERS_MAX} characters")
    if not text.isprintable() or any(ord(character) > LATIN_1_MAX for character in text):
        raise ConfigError(f"{reference}: holds characters that a request head cannot carry")
    return text

"""Secrets are fetched late, checked, and do not show themselves."""

from collections.abc import Callable

import pytest

from proxy.errors import ConfigError
from proxy.net.credentials import Secret, resolve_secret


def holding(text: str) -> Callable[[str], str]:
    return lambda path: text


def failing(error: Exception) -> Callable[[str], str]:
    def read(path: str) -> str:
        raise error

    return read


def message(reference: str, read_file: Callable[[str], str], **environ: str) -> str:
    with pytest.raises(ConfigError) as caught:
        resolve_secret(reference, environ=environ, read_file=read_file)
    return caught.value.message


def test_a_variable_is_read() -> None:
    assert resolve_secret("env:A", environ={"A": "sk-1"}, read_file=holding("")) == "sk-1"


def test_a_file_is_read_and_its_line_end_dropped() -> None:
    assert resolve_secret("file:/k", environ={}, read_file=holding("sk-1\r\n")) == "sk-1"


def test_a_secret_does_not_show_itself() -> None:
    secret = resolve_secret("env:A", environ={"A": "sk-1"}, read_file=holding(""))

    assert isinstance(secret, Secret)
    assert "sk-1" not in repr({"key": secret})
    assert f"Bearer {secret}" == "Bearer sk-1"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (FileNotFoundError(2, "No such file or directory"), "No such file or directory"),
        (OSError(), "cannot be read"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "not a text file in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(error: Exception, expected: str) -> None:
    assert message("file:/k", failing(error)) == f"file:/k: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\nb", "holds characters"),
        ("a\0b", "holds characters"),
        ("clé-€", "holds characters"),
        ("\x85", "is empty"),
        ("\n", "is empty"),
        ("x" * 20_000, "is longer than"),
    ],
)
def test_what_a_head_cannot_carry_is_refused_unseen(text: str, expected: str) -> None:
    found = message("file:/k", holding(text))

    assert found.startswith(f"file:/k: {expected}")
    assert text.strip() not in found.removeprefix("file:/k: ") or not text.strip()


def test_an_absent_variable_is_named() -> None:
    assert message("env:A", holding("")) == "env:A: the environment variable A is not set"


@pytest.mark.parametrize("reference", ["sk-secret", "env:", "file:", ""])
def test_anything_else_is_refused_without_repeating_it(reference: str) -> None:
    found = message(reference, holding(""))

    assert found == 'a secret is written as "env:NAME" or "file:PATH"'

"""A settings file that is no TOML is one line that names it."""

import pytest

from proxy.config.document import FILE_BYTES_MAX, decode_document
from proxy.errors import ConfigError


def test_toml_becomes_a_document() -> None:
    assert {"server": {"bind": ["x"]}} == decode_document(b'[server]\nbind = ["x"]\n', origin="f")
    assert {} == decode_document(b"", origin="f")


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"a = ", "f: not TOML: "),
        (b"a = '\xff'", r"f: not UTF-8 \(byte 5\)"),
        (b"a = " + b"[" * 100_000, "f: not TOML: nested too deeply"),
        (b"#" * (FILE_BYTES_MAX + 1), "f: is larger than 4194304 bytes"),
    ],
)
def test_anything_else_is_one_line(data: bytes, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        decode_document(data, origin="f")

    assert "\n" not in str(caught.value)

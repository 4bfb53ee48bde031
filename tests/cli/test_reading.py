"""Settings from a file, the environment and the command line."""

from pathlib import Path

import pytest

from proxy.cli.reading import read_bounded, read_settings, with_arguments
from proxy.config import Settings
from proxy.errors import ConfigError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_without_a_file_there_are_defaults(folder: Path) -> None:
    assert read_settings(None, {}) == Settings()


def test_the_default_file_is_read_where_there_is_one(folder: Path) -> None:
    (folder / "hedgerow.toml").write_text('catalog = "none"')

    assert read_settings(None, {}).catalog == "none"


def test_the_environment_wins_over_the_file(folder: Path) -> None:
    (folder / "h.toml").write_text('[server]\ndata = "a"\nhosts = ["h"]')

    settings = read_settings(Path("h.toml"), {"HEDGEROW_SERVER__DATA": "b"})

    assert (settings.server.data, settings.server.hosts) == ("b", ("h",))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = ", "h.toml: not TOML: Invalid value (at end of document)"),
        (b"\xff", "h.toml: not UTF-8 (byte 0)"),
        (b"a = " + b"[" * 100_000, "h.toml: not TOML: nested too deeply"),
        (b" " * 5_000_000, "h.toml: is larger than 4194304 bytes"),
        (b"[server]\ndata = 1", "h.toml: server.data: expected str, got int"),
    ],
)
def test_a_bad_file_is_named(folder: Path, content: bytes, expected: str) -> None:
    (folder / "h.toml").write_bytes(content)

    with pytest.raises(ConfigError) as caught:
        read_settings(Path("h.toml"), {})

    assert caught.value.message == expected


def test_a_folder_is_no_file(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^\.: Is a directory$"):
        read_settings(Path(), {})


def test_a_file_is_read_up_to_its_bound(folder: Path) -> None:
    (folder / "f").write_bytes(b"abc")

    assert b"abc" == read_bounded(Path("f"), 3)
    with pytest.raises(ConfigError, match="^f: is larger than 2 bytes$"):
        read_bounded(Path("f"), 2)
    with pytest.raises(ConfigError, match="^none: No such file"):
        read_bounded(Path("none"), 2)


def test_blame_goes_to_the_file_or_to_the_environment(folder: Path) -> None:
    (folder / "good.toml").write_text("")
    (folder / "bad.toml").write_text("[server]\ndata = 1")

    with pytest.raises(ConfigError, match=r"^environment HEDGEROW_\*: policy.zdr: expected bool"):
        read_settings(Path("good.toml"), {"HEDGEROW_POLICY__ZDR": "maybe"})
    with pytest.raises(ConfigError, match=r"^bad.toml: server.data"):
        read_settings(Path("bad.toml"), {"HEDGEROW_POLICY__ZDR": "true"})


def test_arguments_win_over_settings() -> None:
    settings = with_arguments(Settings(), bind=("[::1]:1",), keep=False)

    assert (settings.server.bind, settings.server.data) == (("[::1]:1",), "")
    assert with_arguments(Settings(), bind=(), keep=True) == Settings()


def test_a_bad_address_argument_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"^--bind: ':80' is not"):
        with_arguments(Settings(), bind=(":80",), keep=True)

"""`hedgerow check`."""

import socket
from pathlib import Path

import pytest

from tests.cli.process import hedgerow


def test_a_missing_key_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "hedgerow.toml").write_text('[providers.groq]\napi_key = "env:MY_KEY"\n')

    done = hedgerow("check", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == (
        "hedgerow: providers.groq.api_key: the environment variable MY_KEY is not set\n"
    )


def test_a_key_file_that_is_not_there_is_found_now(tmp_path: Path) -> None:
    (tmp_path / "hedgerow.toml").write_text('[providers.groq]\napi_key = "file:absent"\n')

    done = hedgerow("check", folder=tmp_path)

    assert done.returncode == 2
    assert done.stderr == "hedgerow: file:absent: No such file or directory\n"


def test_dialling_tells_who_answers_and_who_does_not(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        (tmp_path / "hedgerow.toml").write_text(
            f'[providers.here]\nbase_url = "http://127.0.0.1:{listening.getsockname()[1]}/v1"\n'
            f'[providers.gone]\nbase_url = "http://127.0.0.1:{silent.getsockname()[1]}/v1"\n'
        )

        done = hedgerow("check", "--dial", folder=tmp_path)

    assert done.returncode == 1
    assert done.stderr == "hedgerow: cannot reach gone\n"
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert rows["here"].endswith("ok")
    assert "refused" in rows["gone"]


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        (
            '[server]\nbind = [{ address = "127.0.0.1:0", tls_cert = "absent.pem" }]\n',
            "server.bind: tls_cert absent.pem: No such file or directory",
        ),
        (
            '[providers.p]\nbase_url = "https://p.example/v1"\nca_file = "absent.pem"\n',
            "providers.p: cannot load TLS files",
        ),
        (
            '[providers.p]\nbase_url = "https://p.example/v1"\nproxy = "env:THE_PROXY"\n',
            "THE_PROXY",
        ),
    ],
)
def test_files_and_proxies_are_read_as_a_start_would(
    tmp_path: Path, written: str, complaint: str
) -> None:
    (tmp_path / "hedgerow.toml").write_text(written)

    done = hedgerow("check", folder=tmp_path)

    assert done.returncode == 2
    assert complaint in done.stderr
    assert 1 == done.stderr.count("\n")

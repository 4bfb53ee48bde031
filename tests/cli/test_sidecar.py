"""`hedgerow sidecar` around a command, as a process."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.process import clean_environment, hedgerow

ASKS = """
import json, os, urllib.request as u
body = json.dumps({"model": "openai/gpt-4o-mini", "max_tokens": 1, "messages": [{"role": "user", "content": "Hi"}]})
request = u.Request(os.environ["OPENAI_BASE_URL"] + "/chat/completions", body.encode(),
                    {"content-type": "application/json"})
reply = json.load(u.urlopen(request))
print(json.dumps({"provider": reply["provider"], "environ": dict(os.environ)}))
"""


def told(done: subprocess.CompletedProcess[str]) -> Any:
    """What the command printed."""
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("form", ["line", "words"])
def test_the_command_finds_the_gateway_in_its_environment(form: str, tmp_path: Path) -> None:
    script = tmp_path / "it asks.py"
    script.write_text(ASKS)
    line = f"{sys.executable} '{script.name}' --config x"
    words = ["--exec", line] if form == "line" else [sys.executable, script.name, "--config", "x"]

    said = told(hedgerow("sidecar", *words, folder=tmp_path))

    assert "Hedgerow Sandbox" == said["provider"]
    assert "none" == said["environ"]["OPENAI_API_KEY"]
    assert said["environ"]["OPENAI_BASE_URL"].startswith("http://127.0.0.1:")


PRINTS = [sys.executable, "-c", "import os, json; print(json.dumps(dict(os.environ)))"]


@pytest.mark.parametrize(
    ("options", "seen"),
    [([], ("sk-a", "sk-b")), (["--hide-keys"], ("none", None))],
)
def test_keys_of_providers_are_hidden_on_demand(
    options: list[str], seen: tuple[str | None, ...], tmp_path: Path
) -> None:
    keys = {"OPENAI_API_KEY": "sk-a", "GROQ_API_KEY": "sk-b"}

    said = told(hedgerow("sidecar", *options, "--", *PRINTS, folder=tmp_path, **keys))

    assert seen == (said["OPENAI_API_KEY"], said.get("GROQ_API_KEY"))


@pytest.mark.parametrize("how", ["argument", "file", "variable"])
def test_an_address_that_is_said_is_used(how: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        bind = f"127.0.0.1:{probe.getsockname()[1]}"
    if how == "file":
        (tmp_path / "hedgerow.toml").write_text(f'[server]\nbind = ["{bind}"]\n')
    environ = {"HEDGEROW_SERVER__BIND": bind} if how == "variable" else {}
    options = ["--bind", bind] if how == "argument" else []

    said = told(hedgerow("sidecar", *options, "--", *PRINTS, folder=tmp_path, **environ))

    assert f"http://{bind}/api/v1" == said["HEDGEROW_BASE_URL"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--exec", "nonesuch"], 127, "hedgerow: nonesuch: No such file or directory"),
        (["--exec", f"{sys.executable} -c 'raise SystemExit(9)'"], 9, ""),
        (["--bind", "192.0.2.1:1", "--exec", "touch started"], 2, "hedgerow: server.bind: cannot"),
        (["--config", "absent", "--", "touch", "started"], 2, "hedgerow: absent: No such file"),
        (["--exec", "'"], 2, "Error: Invalid value for --exec: No closing quotation."),
        (["--exec", ""], 2, "Error: Invalid value for --exec: is empty."),
        (["--exec", "a", "b"], 2, "Error: Say --exec COMMAND or -- COMMAND, not both."),
        (["--hide-keys"], 2, "Error: --hide-keys needs a command."),
        (["--nonesuch"], 2, "Error: No such option"),
    ],
)
def test_how_it_ends_when_something_is_wrong(
    arguments: list[str], code: int, line: str, tmp_path: Path
) -> None:
    done = hedgerow("sidecar", *arguments, folder=tmp_path)

    assert (code, "") == (done.returncode, done.stdout)
    assert any(each.startswith(line) for each in done.stderr.splitlines()), done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "started").exists()


def test_the_gateway_answers_as_long_as_the_command_is_ending(tmp_path: Path) -> None:
    ending = ASKS.replace("\n", "\n    ").strip()
    code = (
        f"import os, signal, sys\ndef end(*_):\n    {ending}\n    sys.stdout.flush(); sys.exit(4)\n"
    )
    code += "signal.signal(15, end); os.write(1, b'up\\n'); signal.pause()"
    with subprocess.Popen(
        [sys.executable, "-m", "proxy", "sidecar", "--", sys.executable, "-c", code],
        cwd=tmp_path, env=clean_environment(), stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert "up\n" == process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            said = json.loads(process.stdout.readline())
            code_seen = process.wait(10)
        finally:
            process.kill()

    assert ("Hedgerow Sandbox", 4) == (said["provider"], code_seen)

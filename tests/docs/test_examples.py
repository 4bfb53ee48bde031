"""Each example runs against the sandbox and says what it should; the guide shows it as it is."""

import re
import shlex
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.cli.process import ROOT, clean_environment

EXAMPLES = ROOT / "docs" / "examples"
GUIDE = ROOT / "docs" / "embedding.md"
SANDBOX = "This is Hedgerow's sandbox"
PYTHON = sys.executable
PROXY = [PYTHON, "-m", "proxy"]
SAID = {
    "trio_program.py": [SANDBOX],
    "asyncio_program.py": [f"What is a {what}? {SANDBOX}" for what in ("hedge", "row")],
    "plain_script.py": [SANDBOX],
    "unmodified.py": [SANDBOX],
}
"""Example -> how each line of its output begins, in any order."""


def command(name: str) -> list[str]:
    """How an example is started."""
    own = [PYTHON, str(EXAMPLES / name)]
    return [*PROXY, "sidecar", "--exec", shlex.join(own)] if name == "unmodified.py" else own


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Every program, all at once: each spends a second on importing its SDK."""
    folder = tmp_path_factory.mktemp("examples")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(
                subprocess.Popen(
                    command(name), cwd=folder, env=clean_environment(), text=True,
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                )
            )
            for name in SAID
        }  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_program_says_what_it_should(name: str, running: dict[str, Any]) -> None:
    process = running[name]
    try:
        out, err = process.communicate(timeout=40)
    finally:
        process.kill()

    own = "hedgerow: no provider key found; the sandbox answers\n" if "unmod" in name else ""
    assert (0, own) == (process.returncode, err)
    lines = out.splitlines()
    assert all(any(line.startswith(begin) for line in lines) for begin in SAID[name])
    assert len(SAID[name]) == len(lines)


def test_the_fastapi_app_serves_the_gateway_below_its_own_routes(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    app = ["uvicorn", "--app-dir", str(EXAMPLES), "fastapi_app:app", "--port", str(port)]
    url = f"http://127.0.0.1:{port}"
    with (
        subprocess.Popen(
            [sys.executable, "-m", *app, "--log-level", "warning"],
            cwd=tmp_path,
            env=clean_environment(),
        ) as process,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        try:
            for _ in range(300):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            body = {"model": "openai/gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
            reply = http.post("/llm/api/v1/chat/completions", json=body)
            count = http.get("/models/count").json()["models"]
            listed = http.get("/llm/api/v1/models/count").json()["data"]["count"]
            process.terminate()
            code = process.wait(10)
        finally:
            process.kill()

    assert reply.json()["choices"][0]["message"]["content"].startswith(SANDBOX)
    assert count == listed > 0
    assert code in {0, -15}  # uvicorn sends itself the signal again when it is done


def test_every_example_is_run_here_and_shown_in_the_guide_as_it_is() -> None:
    files = {path.name: path.read_text() for path in EXAMPLES.glob("*.py")}
    text = GUIDE.read_text()
    shown = re.findall(r"\[examples/(\w+\.py)\]\(examples/\1\):\n\n```python\n(.*?)```", text, re.S)

    assert set(SAID) | {"fastapi_app.py"} == set(files)
    assert files == dict(shown)

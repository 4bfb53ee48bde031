"""`hedgerow top`: once for a pipe, again and again for a person."""

import json
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from proxy.cli.top import fetch_overview, frame, look, path_of, watch
from proxy.console.api.overview import Overview
from proxy.errors import ConfigError
from tests.cli.process import hedgerow
from tests.cli.test_serve import started

NOBODY = "http://127.0.0.1:1"


def text_of(seen: Overview, trouble: str | None) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(frame(seen, trouble))
    return captured.get()


def test_a_gateway_is_seen_once_in_a_pipe_as_table_and_as_document(tmp_path: Path) -> None:
    with started("sidecar", "--bind", "127.0.0.1:0", folder=tmp_path) as (_, lines):
        url = lines[0].split()[-1]
        table = hedgerow("top", "--url", url, "--model", "gpt-4o-mini", folder=tmp_path)
        document = hedgerow("top", "--url", f"{url}/api/v1", "--json", folder=tmp_path)
        unknown = hedgerow("top", "--url", url, "--once", "--model", "no/such", folder=tmp_path)

    assert (0, "") == (table.returncode, table.stderr)
    for word in ("up ", "TTFT p50", "openai/gpt-4o-mini", "sandbox/fast", "healthy"):
        assert word in table.stdout
    assert "\x1b" not in table.stdout
    assert {"uptime_s", "requests", "endpoints", "experiments", "alerts", "retry_budget",
            "credentials", "hedging"} == json.loads(document.stdout)["data"].keys()  # fmt: skip
    assert 2 == unknown.returncode
    assert "answered 404: no/such is not a valid model ID" in unknown.stderr


def test_a_gateway_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    done = hedgerow("top", "--once", "--url", NOBODY, folder=tmp_path)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"hedgerow: no gateway answers at {NOBODY} (")
    assert 1 == done.stderr.count("\n")


def test_a_model_is_asked_for_as_a_query() -> None:
    assert "/live" == path_of(None)
    assert "/live?model=a%2Fb%3Anitro" == path_of("a/b:nitro")


def test_an_overview_is_read_and_one_of_another_version_is_refused() -> None:
    asked: list[tuple[str, str]] = []

    def answer(method: str, path: str) -> bytes:
        asked.append((method, path))
        return b'{"data": {"uptime_s": 5.0, "news": 1}}'

    assert Overview(uptime_s=5.0) == fetch_overview(answer, "/live")
    assert [("GET", "/live")] == asked
    with pytest.raises(ConfigError, match="another version"):
        fetch_overview(lambda method, path: b'{"data": {"uptime_s": "x"}}', "/live")


def test_a_gateway_that_goes_away_leaves_its_last_figures_and_comes_back() -> None:
    def gone() -> Overview:
        raise ConfigError("nobody is there")

    last, trouble = look(gone, Overview(uptime_s=61.0))

    assert (61.0, "nobody is there") == (last.uptime_s, trouble)
    assert "nobody is there; these are the last figures" in text_of(last, trouble)
    assert "up 1 min 1 s" in text_of(last, trouble)
    assert (Overview(uptime_s=1.0), None) == look(lambda: Overview(uptime_s=1.0), last)
    assert "last figures" not in text_of(last, None)


def test_watching_goes_on_until_it_is_stopped() -> None:
    answers = iter([Overview(uptime_s=1.0), ConfigError("gone"), Overview(uptime_s=3.0)])
    screen = StringIO()
    pauses = 0

    def fetch() -> Overview:
        answer = next(answers)
        if isinstance(answer, ConfigError):
            raise answer
        return answer

    def pause() -> None:
        nonlocal pauses
        pauses += 1
        if pauses == 3:
            raise KeyboardInterrupt

    console = Console(file=screen, force_terminal=True, width=120, height=20)
    with pytest.raises(SystemExit) as caught:
        watch(fetch, console, pause=pause)

    shown = screen.getvalue()
    assert 0 == caught.value.code
    assert shown.index("up 1 s") < shown.index("gone; these are the last") < shown.index("up 3 s")


def test_a_gateway_that_is_not_there_at_the_first_look_ends_it() -> None:
    def gone() -> Overview:
        raise ConfigError("nobody")

    with pytest.raises(ConfigError, match="nobody"):
        watch(gone, Console(file=StringIO()), pause=lambda: None)

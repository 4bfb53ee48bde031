"""The runner and the scenarios, with locust: in the environment that `make load` makes; skipped where it is missing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from loadtests import run
from loadtests.gateway import ROOT
from loadtests.scenarios import SCENARIOS
from tests.loadtests.slowly import FIRST_S, GAP_S, PIECES, serving

LOCUST = ROOT / ".venv-load" / "bin" / "python"
with_locust = pytest.mark.skipif(
    not LOCUST.exists(), reason="locust is missing: `make load` installs it into .venv-load"
)
FOUND = """
import json, sys
from locust.util.load_locustfile import load_locustfile
found = {}
for path in sys.argv[1:]:
    users, shapes = load_locustfile(path)[-2:]
    found[path] = [[[u.__name__, u.scenario.name, len(u.tasks)] for u in users.values()], len(shapes)]
print(json.dumps(found))
"""
ASKED = """
import json, sys
from locust.env import Environment
from loadtests.streaming import StreamingUser
StreamingUser.host = sys.argv[1]
environment = Environment(user_classes=[StreamingUser])
environment.create_local_runner()
user = StreamingUser(environment)
user.figures.begin(0.0, 0.0)
user.act()
assert not user.figures.failures, user.figures.failures
rows = {row.method: row.num_requests for row in environment.stats.entries.values()}
figures = {f: user.figures.find(f) for f in ("ttft.p50", "whole.p50", "gap.p50", "overhead.p50")}
print(json.dumps([rows, figures]))
"""


def python(code: str, *words: str) -> object:
    """What a program in locust's environment prints, as JSON."""
    done = subprocess.run(
        [str(LOCUST), "-c", code, *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=60,
    )
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@with_locust
def test_each_scenario_file_declares_one_user_of_its_own_scenario() -> None:
    found = python(FOUND, *(str(scenario.file) for scenario in SCENARIOS.values()))

    assert isinstance(found, dict)
    for name, scenario in SCENARIOS.items():
        [[[user, of, tasks]], shapes] = found[str(scenario.file)]
        assert (name, True) == (of, tasks > 0), user
        assert (name in {"spike", "ramp"}) == bool(shapes)


@with_locust
def test_in_locust_the_first_content_is_timed_and_not_the_end() -> None:
    with serving() as port:
        asked = python(ASKED, f"http://127.0.0.1:{port}")

    assert isinstance(asked, list)
    rows, figures = asked
    assert {"POST": 1, "ttft": 1, "gap": PIECES - 1, "whole": 1, "overhead": 1} == rows
    assert FIRST_S * 1e3 <= figures["ttft.p50"] < (FIRST_S + GAP_S) * 1e3
    assert figures["whole.p50"] >= (FIRST_S + GAP_S * (PIECES - 1)) * 1e3
    assert GAP_S * 500 < figures["gap.p50"] < GAP_S * 1_500
    assert figures["overhead.p50"] < GAP_S * 1e3


def test_a_key_is_named_and_never_written_into_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not LOCUST.exists():
        pytest.skip("locust is missing: `make load` installs it into .venv-load")
    for key in ("sk-secret", "env:NO_SUCH_VARIABLE", f"file:{tmp_path}/none"):
        assert 2 == run.main(["--host", "http://127.0.0.1:9", "--key", key])
        assert "--key" in capsys.readouterr().err


@with_locust
def test_a_gateway_that_is_not_ours_is_not_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    assert 2 == run.main(["--host", "http://127.0.0.1:9", "--slow-ms", "50"])
    assert "--slow-ms" in capsys.readouterr().err


def loaded(folder: Path, *words: str) -> tuple[int, list[str]]:
    """Exit code and lines of a short run."""
    command = [
        sys.executable,
        "-m",
        "loadtests",
        "--scenario",
        "streaming",
        "--reports",
        str(folder),
    ]
    done = subprocess.run(
        [*command, "--seconds", "6", "--users", "40", *words],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=90,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def broken(lines: list[str]) -> set[str]:
    """Figures of which a threshold was broken."""
    return {line.split()[2] for line in lines if "BROKEN" in line}


@with_locust
@pytest.mark.slow
def test_a_short_run_is_answered_in_full_and_leaves_a_report(tmp_path: Path) -> None:
    code, lines = loaded(tmp_path)

    assert any("kept    failures 0 %" in line for line in lines), lines
    assert bool(broken(lines)) == code
    assert broken(lines) <= {"overhead.p99", "lag.p99", "ttft.p99", "gap.p99"}  # a busy machine
    [report] = tmp_path.glob("*-streaming.html")
    assert all(word in report.read_text() for word in ("ttft", "gap", "overhead"))


@with_locust
@pytest.mark.slow
def test_a_gateway_that_stands_still_now_and_then_fails_its_thresholds(tmp_path: Path) -> None:
    code, lines = loaded(tmp_path, "--slow-ms", "100")

    assert 1 == code
    assert "overhead.p99" in broken(lines)
    assert any("kept    failures 0 %" in line for line in lines), lines


@with_locust
@pytest.mark.slow
def test_without_a_gateway_every_request_fails_and_so_does_the_run(tmp_path: Path) -> None:
    code, lines = loaded(tmp_path, "--host", "http://127.0.0.1:9")

    assert 1 == code
    assert {"failures", "throughput", "ttft.p99"} <= broken(lines)
    assert any("x no reply: " in line for line in lines), lines

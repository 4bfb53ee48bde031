"""A run against a gateway in this process: what is kept of it, also where it is broken off."""

import csv
import io
from pathlib import Path

import pytest

from proxy.cli import compare_session
from proxy.cli.compare_prompts import Prompt
from proxy.cli.compare_running import Sample, Wishes, jobs
from proxy.cli.compare_session import Place, Plan, choose_place, run_session
from proxy.errors import ConfigError

HI = Prompt(({"role": "user", "content": "hi"},), "p:1")


def plan(place: Place, *, times: int = 2) -> Plan:
    wishes = Wishes({"only": ["sandbox/fast"]}, 8)
    return Plan(tuple(jobs(["hedgerow/sandbox"], [HI], times)), wishes, 1, place)


def written(folder: Path, text: str) -> Path:
    file = folder / "hedgerow.toml"
    file.write_text(text)
    return file


def test_a_gateway_of_our_own_asks_no_key_of_us(tmp_path: Path) -> None:
    config = written(tmp_path, f'[auth]\nkeys = ["sha256:{"0" * 64}"]\n')
    rows = io.StringIO()

    session = run_session(plan(choose_place(None, None, config)), rows)

    assert ["", ""] == [sample.error for sample in session.samples]
    assert {"sandbox/fast:hedgerow/sandbox"} == {sample.endpoint for sample in session.samples}
    assert not session.interrupted
    assert 2 == len(list(csv.DictReader(io.StringIO(rows.getvalue()))))


def test_an_interrupted_run_keeps_what_it_has_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = choose_place(None, None, written(tmp_path, ""))
    rows = io.StringIO()

    def add_row(file: io.StringIO, sample: Sample) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compare_session, "add_row", add_row)
    session = run_session(plan(place, times=5), rows)

    assert (1, True) == (len(session.samples), session.interrupted)


def test_a_gateway_that_cannot_start_is_a_complaint_about_settings(tmp_path: Path) -> None:
    config = written(tmp_path, '[providers.x]\nbase_url = "https://x.test/v1"\nca_file = "/none"\n')

    with pytest.raises(ConfigError, match="^providers.x: cannot load TLS files"):
        run_session(plan(choose_place(None, None, config)), None)


def test_the_place_is_a_url_with_its_key_or_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEDGEROW_API_KEY", "k")

    place = choose_place("http://h:1/v1", None, None)

    assert ("http://h:1", {"authorization": "Bearer k"}) == (place.base, place.headers)
    assert place.settings is None
    inside = choose_place(None, None, written(tmp_path, '[server]\nbind = ["127.0.0.1:9"]\n'))
    assert inside.settings is not None
    assert ("open", "") == (inside.settings.auth.mode, inside.base)


def test_a_socket_is_a_place_too(tmp_path: Path) -> None:
    session = run_session(plan(Place(f"unix:{tmp_path}/none"), times=1), None)

    assert ["unreachable"] == [sample.error for sample in session.samples]

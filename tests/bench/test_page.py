"""The page: every figure from the JSON, losses beside wins, and no run too small for it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench import page, plots
from bench.page_results import ResultsError, newest, read, standing
from bench.page_tables import number, spread, table, times
from tests.bench.results_made_up import TITLES, document, only, saved, without


def written(run: dict[str, Any], folder: Path) -> str:
    """The page of a run."""
    results = read(saved(run, folder))
    titles = {name: picture.title for name, picture in plots.pictures(results).items()}
    return page.page(results, "bench/results/x.json", titles)


def opening(text: str) -> str:
    return text.split("\n\n")[2]


def test_the_same_json_gives_the_same_bytes(tmp_path: Path) -> None:
    path = saved(document(), tmp_path)
    first = {p.name: p.read_bytes() for p in page.write(path, tmp_path / "one")}
    second = {p.name: p.read_bytes() for p in page.write(path, tmp_path / "two")}

    assert first == second
    assert {"benchmarks.md", "bench-cpu.svg", "bench-ladder.svg", "bench-coldstart.svg"} <= set(
        first
    )


def test_a_changed_figure_changes_the_page(tmp_path: Path) -> None:
    run = document()
    before = written(run, tmp_path)
    run["values"]["plain.cpu"]["hedgerow"] = [4321.0, 4322.0, 4323.0]

    assert "4,322 (4,321 to 4,323)" not in before
    assert "4,322 (4,321 to 4,323)" in written(run, tmp_path)


def test_the_page_names_its_file_and_its_command(tmp_path: Path) -> None:
    first = written(document(), tmp_path).splitlines()[0]

    assert "python -m bench.page bench/results/x.json" in first
    assert first.startswith("<!--")
    assert first.endswith("-->")


def test_the_first_paragraph_holds_wins_losses_and_missed_budgets(tmp_path: Path) -> None:
    said = opening(written(document(), tmp_path))

    assert "less than LiteLLM (76 times), Portkey (13 times) and TensorZero (3.4 times)" in said
    assert "more than nginx (6.2 times) and Envoy (2.1 times)" in said
    assert (
        "2 of 3 reached. Missed: CPU, small request (6.25, allowed at most 6 times nginx's)" in said
    )
    assert "idle stream" not in said


def test_a_win_becomes_a_loss_when_the_figures_say_so(tmp_path: Path) -> None:
    run = document()
    run["values"]["plain.cpu"]["tensorzero"] = [9.0, 9.0, 9.0]
    said = opening(written(run, tmp_path)).partition("**CPU for a stream")[0]

    assert (
        "less than LiteLLM (76 times) and Portkey (13 times); more than TensorZero (13 times)"
        in said
    )


def test_close_figures_and_those_that_change_places_are_even(tmp_path: Path) -> None:
    run = document()
    run["values"]["plain.cpu"] = {
        "hedgerow": [100.0, 100.0, 100.0],
        "nginx": [97.0, 98.0, 99.0],
        "envoy": [80.0, 120.0, 85.0],
        "portkey": [110.0, 111.0, 112.0],
    }
    found = standing(read(saved(run, tmp_path)), "plain.cpu")

    assert found is not None
    assert ["envoy", "nginx"] == sorted(rival.target.name for rival in found.even)
    assert ["portkey"] == [rival.target.name for rival in found.better]
    assert [] == found.worse


def test_more_is_better_where_the_run_says_so(tmp_path: Path) -> None:
    results = read(saved(document(), tmp_path))
    cpu, rate = standing(results, "plain.cpu"), standing(results, "tail.rate_5ms")

    assert cpu is not None
    assert rate is not None
    assert [r.target.name for r in cpu.better] == [r.target.name for r in rate.better]


def test_differences_below_zero_are_compared_without_a_factor(tmp_path: Path) -> None:
    run = document()
    run["values"]["half.plain.added_p99"] = {"hedgerow": [5.0], "nginx": [-3.0], "envoy": [10.0]}
    found = standing(read(saved(run, tmp_path)), "half.plain.added_p99")

    assert found is not None
    assert [("nginx", None)] == [(r.target.name, r.factor) for r in found.worse]
    assert [("envoy", 2.0)] == [(r.target.name, r.factor) for r in found.better]


def test_who_leaves_connections_open_is_behind_whatever_its_percentiles(tmp_path: Path) -> None:
    run = document()
    run["values"]["leaving.kept"]["nginx"] = [0.4, 0.5, 0.6]
    del run["values"]["leaving.p99"]["envoy"]
    run["values"]["leaving.kept"]["envoy"] = [1.0, 1.0, 1.0]
    found = standing(read(saved(run, tmp_path)), "leaving.p99")

    assert found is not None
    assert {"nginx", "envoy"} == {r.target.name for r in found.better if r.factor is None}
    assert [] == found.worse


def test_a_missing_target_is_named_with_its_reason_and_has_no_column(tmp_path: Path) -> None:
    text = written(without(document(), "nginx", "nginx is not installed (apt-get)"), tmp_path)

    assert "- **nginx**: nginx is not installed (apt-get)" in text
    assert "| nginx |" not in text
    assert "multiple of nginx's" not in text


def test_who_cannot_do_a_kind_has_no_column_there(tmp_path: Path) -> None:
    lane = written(document(), tmp_path).partition("#### Another dialect\n")[2]
    heads = next(line for line in lane.splitlines() if line.startswith("|"))

    assert "|  | direct | TensorZero | Portkey | LiteLLM | **Hedgerow** |" == heads


@pytest.mark.parametrize(
    "prefix", ["plain.", "ladder.", "half.", "paced.32", "memory.", "leaving."]
)
def test_one_lane_is_enough(prefix: str, tmp_path: Path) -> None:
    text = written(only(document(), prefix), tmp_path)

    assert "Lanes without figures in this run:" in text
    assert "## Budgets" not in text
    assert "**Hedgerow**" in text
    assert ("### Memory" in text) == (prefix == "memory.")


@pytest.mark.parametrize("name", list(TITLES))
def test_one_target_is_enough(name: str, tmp_path: Path) -> None:
    text = written(document(names=(name,)), tmp_path)

    assert ("Hedgerow was not measured" in text) == (name != "hedgerow")
    assert "## Who is ahead" not in text


def test_a_run_without_any_figure_still_gives_a_page(tmp_path: Path) -> None:
    bare = {"at": "2026-11-24T00:00:00", "targets": [], "metrics": {}, "values": {}}

    assert "# Benchmarks" in written(bare, tmp_path)


def test_one_round_is_said_to_be_a_hint_and_has_no_spread(tmp_path: Path) -> None:
    text = written(document(rounds=1), tmp_path)

    assert "take no figure for more than a hint" in text
    assert "| CPU, us | 9.00 | 18.0 |" in text


def test_a_noisy_machine_is_told(tmp_path: Path) -> None:
    run = document()
    assert "**Noisy:**" not in written(run, tmp_path)
    run["values"]["chunks.others"]["nginx"] = [0.4, 0.5, 0.6]

    assert "**Noisy:** other processes kept up to 0.50 cores (`chunks`, nginx" in written(
        run, tmp_path
    )


def test_a_rate_that_the_load_limited_is_doubted(tmp_path: Path) -> None:
    run = document()
    assert "did not use all of a core" not in written(run, tmp_path)
    run["values"]["chunks.busy"]["nginx"] = [0.6, 0.66, 0.7]

    assert "nginx did not use all of a core" in written(run, tmp_path)


def test_notes_and_doubts_of_the_run_reach_the_page(tmp_path: Path) -> None:
    text = written(document(), tmp_path)

    assert "- **LiteLLM**: Two requests timed out. Figures are what they are." in text
    assert "| reached | nginx used 66% of its core: compare CPU instead |" in text
    assert "| memory per idle stream | at most 40 | – | not measured |  |" in text


def test_a_metric_that_no_lane_knows_is_shown_all_the_same(tmp_path: Path) -> None:
    run = document()
    run["metrics"]["new.thing"] = {"name": "new.thing", "title": "a new thing", "unit": "us"}
    run["values"]["new.thing"] = {"hedgerow": [7.0, 8.0, 9.0]}

    assert "| a new thing, us | 8.00 (7.00 to 9.00) |" in written(run, tmp_path)


def test_links_inside_the_page_lead_somewhere(tmp_path: Path) -> None:
    path = saved(document(), tmp_path)
    files = {p.name for p in page.write(path, tmp_path)}
    text = (tmp_path / "benchmarks.md").read_text(encoding="utf-8")
    heads = {
        line.lstrip("# ").lower().replace(" ", "-")
        for line in text.splitlines()
        if line.startswith("#")
    }

    assert set() == {name for name in re.findall(r"\]\(#([^)]+)\)", text) if name not in heads}
    assert {name for name in files if name.endswith(".svg")} == set(
        re.findall(r"images/([^)]+)\)", text)
    )


def test_pictures_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    page.write(saved(document(), tmp_path), tmp_path)
    other = tmp_path / "images" / "hedging.svg"
    other.write_text("<svg/>")
    page.write(saved(only(document(), "memory."), tmp_path), tmp_path)

    assert {"bench-memory.svg", "hedging.svg"} == {p.name for p in (tmp_path / "images").iterdir()}


def test_the_newest_result_of_this_kind_is_taken(tmp_path: Path) -> None:
    kept = saved(document(), tmp_path, "2026-11-24T100000.json")
    saved({"at": "x", "rounds": {}}, tmp_path, "2026-11-25T100000.json")
    saved(document(), tmp_path, "tail-2026-11-26T100000.json")

    assert kept == newest(tmp_path)


def test_without_a_result_there_is_one_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ResultsError, match="make bench"):
        newest(tmp_path)
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({"at": 1}))

    assert 1 == page.main([str(broken), "--docs", str(tmp_path / "docs")])
    assert 1 == page.main([str(tmp_path / "none.json")])
    assert 2 == len(capsys.readouterr().err.splitlines())
    assert not (tmp_path / "docs").exists()


def test_numbers_are_as_long_as_they_are_worth(tmp_path: Path) -> None:
    figure = read(saved(document(), tmp_path)).figure("plain.cpu", "direct")

    assert ["1,235", "12.3", "1.23", "0.12", "0.012", "0", "-3.00"] == [
        number(n) for n in (1234.6, 12.34, 1.234, 0.123, 0.0123, 0.0, -3.0)
    ]
    assert ["76 times", "3.4 times", "1.07 times", "1,876 times"] == [
        times(n) for n in (76.0, 3.36, 1.07, 1876.4)
    ]
    assert figure is not None
    assert "9.36 (9.00 to 9.72)" == spread(figure)


def test_a_cell_cannot_break_its_table() -> None:
    assert "| a | b |\n|---|--:|\n| x \\| y | 1 2 |" == table(["a", "b"], [["x | y", "1\n2"]])

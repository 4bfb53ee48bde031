"""Samples become rows and a picture: the tables fit the code, and nothing is lost on the way."""

import ast
import os
import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from bench.machine import ROOT
from bench.profile import calls, costs, flame, layers, stages
from bench.profile.__main__ import arguments, picture
from bench.profile.calls import KERNEL
from bench.profile.sampling import Frame, Samples, read
from bench.profile.stretch import Stretch, softirq_s

RUN = Frame("unrolled_run", "trio/_core/_run.py", 2866)
SERVE = Frame("Lane._serve", "proxy/doors/lane_server.py", 135)
EXCHANGE = Frame("exchange", "proxy/exchange.py", 42)
PLAN = Frame("plan", "proxy/stages/plan.py", 40)
SETTLE = Frame("settle", "proxy/stages/settle.py", 28)
RAW = """\
<module> (hedgerow:8);unrolled_run (trio/_core/_run.py:2866);exchange (proxy/exchange.py:40);plan (proxy/stages/plan.py:40) 30
<module> (hedgerow:8);unrolled_run (trio/_core/_run.py:2866);exchange (proxy/exchange.py:60);settle (proxy/stages/settle.py:28) 50
<module> (hedgerow:8);unrolled_run (trio/_core/_run.py:2866);__init__ (<attrs generated methods outcome._impl.Value>) 20
"""


def stretch(us: float, *, delivery: float = 0.0, waited: float = 0.0) -> Stretch:
    return Stretch(1000, us, delivery, waited)


def line_of(file: str, words: str) -> int:
    lines = (ROOT / file).read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if words in line)


def test_a_stack_is_read_frame_by_frame_with_its_count() -> None:
    stack, number = next(iter(read(RAW).items()))

    assert 30 == number
    assert ("plan", "proxy/stages/plan.py", 40) == stack[-1]
    assert ("<module>", "hedgerow", 8) == stack[0]


def test_a_frame_without_a_line_is_read_too() -> None:
    last = list(read(RAW))[-1][-1]

    assert Frame("__init__", "<attrs generated methods outcome._impl.Value>", 0) == last
    assert {(Frame("0x7fda", "libc.so.6", 0), Frame("odd", "", 0)): 3} == read(
        "0x7fda (libc.so.6);odd 3\n"
    )


def test_the_same_stack_twice_is_counted_together() -> None:
    assert [5] == list(read("a (b.py:1) 2\na (b.py:1) 3\n").values())


@pytest.mark.parametrize(
    ("inner", "row"),
    [
        (Frame("LaneConnection.next_request", "proxy/doors/lane.py", 1), stages.READ),
        (Frame("LaneConnection.reply", "proxy/doors/lane.py", 1), stages.RELAY),
        (Frame("checked_response", "proxy/wire/rules.py", 1), stages.REPLY),
        (Frame("Attempt._take_whole", "proxy/stages/attempt.py", 1), stages.REPLY),
        (Frame("Attempt.__init__", "proxy/stages/attempt.py", 1), stages.ATTEMPT),
        (Frame("EpollIOManager.wait_readable", "trio/_core/_io_epoll.py", 1), stages.LOOP),
        (Frame("Writing.feed", "proxy/dialects/openai_chat/writing.py", 1), stages.RELAY),
        (Frame("info", "logging/__init__.py", 1), stages.LOG),
    ],
)
def test_a_sample_belongs_to_what_was_running(inner: Frame, row: str) -> None:
    assert row == stages.row_of((RUN, SERVE, EXCHANGE, inner))


def test_what_the_table_does_not_name_belongs_to_its_caller() -> None:
    price = Frame("worst_case", "proxy/policy/pricing.py", 3)

    assert stages.PLAN == stages.row_of((RUN, EXCHANGE, PLAN, price))
    assert stages.SETTLE == stages.row_of((RUN, EXCHANGE, SETTLE, price))
    assert stages.OTHER == stages.row_of((RUN, EXCHANGE, price))
    assert stages.OTHER == stages.row_of((price,))


@pytest.mark.parametrize("rule", [r for r in stages.RULES if r.file.startswith("proxy/")])
def test_every_rule_names_code_that_exists(rule: stages.Rule) -> None:
    files = [p for p in (ROOT / "proxy").rglob("*.py") if _below(p).startswith(rule.file)]
    names = [name for path in files for name in _names(path)]

    assert files
    assert [] == [f for f in rule.functions if not any(n.startswith(f) for n in names)]


def test_every_layer_has_a_folder_and_every_folder_of_a_request_has_a_layer() -> None:
    named = [file for _, files, _ in layers.LAYERS for file in files if file.startswith("proxy/")]
    bare = [f for f in ("doors", "net", "stages", "live", "wire", "dialects", "ledger")
            if layers.colour_of(Frame("f", f"proxy/{f}/x.py", 1)) == layers.REST[1]]  # fmt: skip

    assert [] == [file for file in named if not (ROOT / file).exists()]
    assert [] == bare
    assert layers.REST[1] == layers.colour_of(Frame("f", "json/decoder.py", 1))


@pytest.mark.parametrize(
    ("file", "words", "call"),
    [
        ("proxy/net/connection.py", "return sock.recv(", "recv"),
        ("proxy/net/connection.py", "self.sock.send(", "send"),
        ("proxy/doors/transfer.py", "self.sock.sendmsg(", "send"),
    ],
)
def test_a_line_that_asks_the_kernel_gets_a_frame_of_its_own(
    file: str, words: str, call: str
) -> None:
    stack = (RUN, Frame("f", file, line_of(file, words)))

    assert (*stack, Frame(call, KERNEL, 0)) == calls.with_call(stack)


def test_trios_waiting_is_told_from_its_own_work() -> None:
    file = "trio/_core/_io_epoll.py"
    path = next(p for p in map(Path, sys.path) if (p / file).is_file()) / file
    waits = path.read_text().splitlines()
    number = next(n for n, line in enumerate(waits, 1) if "self._epoll.poll(" in line)

    assert "epoll_wait" == calls.with_call((Frame("get_events", file, number),))[-1].function


def test_a_line_that_only_passes_bytes_on_is_no_system_call() -> None:
    file = "proxy/doors/lane.py"
    stack = (Frame("LaneConnection.write", file, line_of(file, "return self.transfer.send(")),)

    assert stack == calls.with_call(stack)
    assert (PLAN._replace(file="no/such.py"),) == calls.with_call(
        (PLAN._replace(file="no/such.py"),)
    )


def test_the_rows_add_up_to_what_the_kernel_counted() -> None:
    found = costs.costs_of("plain", read(RAW), stretch(120.0), stretch(130.0))
    by_row = {cost.row: cost for cost in found.rows}

    assert stages.ROWS == tuple(by_row)
    assert pytest.approx(120.0) == sum(cost.us for cost in found.rows)
    assert pytest.approx(36.0) == by_row[stages.PLAN].us
    assert pytest.approx(60.0) == by_row[stages.SETTLE].us
    assert pytest.approx(24.0) == by_row[stages.LOOP].us
    assert pytest.approx(120 * (0.5 * 0.5 / 100) ** 0.5) == by_row[stages.SETTLE].error_us


def test_what_the_kernel_delivers_for_the_process_is_part_of_the_sum() -> None:
    found = costs.costs_of("plain", read(RAW), stretch(120.0, delivery=20.0), stretch(1.0))

    assert pytest.approx(140.0) == sum(cost.us for cost in found.rows)
    assert "process 120.0, delivery of packets on its core 20.0" in costs.text(found)


def test_softirq_time_is_read_for_one_core(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text(
        "cpu  9 9 9 9 9 9 900 9 9 9\ncpu0 1 2 3 4 5 6 250 8 0 0\ncpu1 1 2 3 4 5 6 7 8 0 0\n"
    )
    ticks = os.sysconf("SC_CLK_TCK")

    assert 250 / ticks == softirq_s(0, stat)
    assert 7 / ticks == softirq_s(1, stat)
    assert 0.0 == softirq_s(None, stat)


def test_the_check_sets_the_samples_against_time_used_and_waited() -> None:
    found = costs.costs_of(
        "plain", read(RAW), stretch(120.0), stretch(350.0, delivery=30.0, waited=20.0)
    )

    assert pytest.approx(100 / 250 * 1e6 / 1000) == found.sampled_us
    assert pytest.approx(400.0) == found.profiled.used_us + found.profiled.waited_us
    assert "(+0 %)" in costs.text(found)


def test_system_calls_are_listed_by_name() -> None:
    samples: Samples = {
        (RUN, SETTLE, Frame("send", KERNEL, 0)): 3,
        (RUN, PLAN, Frame("send", KERNEL, 0)): 1,
        (RUN, PLAN): 6,
    }
    found = costs.costs_of("plain", samples, stretch(100.0), stretch(100.0))

    assert [("send", 40.0)] == [(cost.row, cost.us) for cost in found.calls]
    assert "`send` 40.0" in costs.markdown(found)


def test_the_markdown_is_a_table_of_all_rows_and_their_sum() -> None:
    lines = costs.markdown(
        costs.costs_of("plain", read(RAW), stretch(120.0), stretch(1.0))
    ).splitlines()
    table = [line for line in lines if line.startswith("|")]

    assert 2 + len(stages.ROWS) + 1 == len(table)
    assert {4} == {len(re.findall(r"(?<!\\)\|", line)) - 1 for line in table}
    assert any("**120.0**" in line for line in table)


def test_no_samples_divide_nothing() -> None:
    found = costs.costs_of("plain", {}, stretch(120.0), stretch(0.0))

    assert 0 == sum(cost.us for cost in found.rows)
    assert "0 samples" in costs.text(found)


def test_callees_stand_in_the_order_of_their_calls() -> None:
    tree = flame.grow(read(RAW), "all")
    loop = next(iter(tree.callees.values()))
    exchange = loop.callees["exchange", "proxy/exchange.py"]

    assert 100 == tree.samples == loop.samples
    assert ["plan", "settle"] == [node.frame.function for node in exchange.ordered()]
    assert [30, 50] == [node.samples for node in exchange.ordered()]


def test_what_starts_the_gateway_is_left_out_of_the_picture() -> None:
    trunk = Frame("<module>", "hedgerow", 8)

    assert (RUN, PLAN) == flame.trunk_off((trunk, RUN, PLAN))
    assert (trunk, PLAN) == flame.trunk_off((trunk, PLAN))


def test_the_picture_is_well_formed_and_as_wide_as_the_times() -> None:
    samples = {**read(RAW), (RUN, Frame("rare<lambda>", "x.py", 1)): 20}
    found = costs.costs_of("plain", samples, stretch(120.0), stretch(120.0))
    root = ET.fromstring(picture(found, samples))  # noqa: S314 - we wrote it
    space = "{http://www.w3.org/2000/svg}"
    blocks = {
        g.findtext(f"{space}title", ""): g.find(f"{space}rect") for g in root.iter(f"{space}g")
    }
    widths = {title.split(" ")[0]: _width(block) for title, block in blocks.items()}

    assert "settle (proxy/stages/settle.py): 50.0 µs of a request, 41.7 %" in blocks
    assert pytest.approx(widths["plan"] * 5 / 3, abs=1.0) == widths["settle"]
    assert pytest.approx(868.0, abs=1.0) == widths["unrolled_run"]
    assert "rare<lambda>" in widths
    assert [] == list(root.iter(f"{space}script"))


def test_what_is_too_narrow_to_see_is_left_out() -> None:
    samples: Samples = {(RUN, PLAN): 9_999, (RUN, SETTLE): 1}
    found = costs.costs_of("plain", samples, stretch(120.0), stretch(120.0))
    drawn = picture(found, samples)

    assert "plan (proxy/stages/plan.py)" in drawn
    assert "settle (proxy/stages/settle.py)" not in drawn


@pytest.mark.parametrize(
    ("width", "words"),
    [(100, "Attempt.drive"), (60, "drive"), (30.6, "driv…"[:5]), (12, "")],
)
def test_a_name_is_cut_to_its_room(width: float, words: str) -> None:
    assert words.replace("driv…", "drive") == flame.shortened("Attempt.drive", width)


def test_a_long_name_without_room_ends_in_an_ellipsis() -> None:
    assert "next_re…" == flame.shortened("LaneConnection.next_request", 8 * flame.LETTER + 1)


def test_kinds_and_seconds_have_defaults_and_bounds() -> None:
    assert (["plain"], 10) == (arguments([]).kind, arguments([]).seconds)
    assert 60 == arguments(["--seconds", "9000"]).seconds
    assert ["burst", "large"] == arguments(["--kind", "burst", "--kind", "large"]).kind


def _below(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _names(path: Path) -> list[str]:
    """Functions as a sampler names them, and classes."""
    tree = ast.parse(path.read_text())
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [
        *(node.name for node in ast.walk(tree) if isinstance(node, kinds)),
        *(node.name for node in classes),
        *(f"{c.name}.{node.name}" for c in classes for node in c.body if isinstance(node, kinds)),
    ]


def _width(block: ET.Element | None) -> float:
    assert block is not None
    return float(block.attrib["width"])

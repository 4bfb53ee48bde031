"""The pictures: whole SVG files that show who is who without colour, and say what they show."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from bench.chart import Scale, scale, short
from bench.page_results import Results, read
from bench.plots import MARKS, pictures
from tests.bench.results_made_up import TITLES, document, only, saved

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return read(saved(document(), tmp_path))


def tree(results: Results, name: str) -> ET.Element:
    return ET.fromstring(pictures(results)[name].svg)


def test_every_lane_that_is_better_seen_has_a_picture(results: Results) -> None:
    names = ["cpu", "rates", "added", "half", "paced", "memory", "coldstart", "ladder"]

    assert names == list(pictures(results))


def test_a_run_without_a_lane_has_no_picture_of_it(tmp_path: Path) -> None:
    assert ["memory"] == list(pictures(read(saved(only(document(), "memory."), tmp_path))))
    assert [] == list(pictures(read(saved(document(names=()), tmp_path))))


def test_a_picture_has_title_and_description_and_no_script(results: Results) -> None:
    for picture in pictures(results).values():
        root = ET.fromstring(picture.svg)
        told = root.findtext(f"{SVG}desc") or ""

        assert picture.title == root.findtext(f"{SVG}title")
        assert [f"{SVG}title", f"{SVG}style", f"{SVG}desc"] == [child.tag for child in root[:3]]
        assert "Hedgerow" in told
        assert root.find(f".//{SVG}script") is None
        assert "prefers-color-scheme:dark" in picture.svg
        assert "href" not in picture.svg


def test_the_description_has_the_figures(results: Results) -> None:
    told = tree(results, "cpu").findtext(f"{SVG}desc") or ""

    assert "a small request: nginx 18.7 us, Envoy 56.2 us" in told


def test_no_words_are_smaller_than_eleven_pixels_or_outside_the_picture(results: Results) -> None:
    for picture in pictures(results).values():
        root = ET.fromstring(picture.svg)
        width, height = float(root.attrib["width"]), float(root.attrib["height"])
        sizes = [int(size) for size in re.findall(r"font(?:-size)?:\s*(\d+)px", picture.svg)]

        assert [12] == sizes
        for text in root.iter(f"{SVG}text"):
            room = 7.5 * len(text.text or "")
            x, anchor = float(text.attrib["x"]), text.attrib["text-anchor"]
            left = x - {"start": 0.0, "middle": room / 2, "end": room}[anchor]
            if "transform" not in text.attrib:
                assert -1 <= left, text.text
                assert left + room <= width + 30, text.text
            assert 0 < float(text.attrib["y"]) < height, text.text


def test_hedgerow_alone_is_coloured_and_bold_among_the_bars(results: Results) -> None:
    root = tree(results, "coldstart")
    fills = [rect.attrib["fill"] for rect in root.iter(f"{SVG}rect")]
    bold = {text.text for text in root.iter(f"{SVG}text") if "font-weight" in text.attrib}

    assert 12 == len(fills)
    assert 2 == fills.count(MARKS["hedgerow"].colour)
    assert "Hedgerow" in bold
    assert "nginx" not in bold


def test_a_longer_bar_is_a_greater_figure(results: Results) -> None:
    root = tree(results, "memory")
    widths = [float(rect.attrib["width"]) for rect in root.iter(f"{SVG}rect")][:6]
    idle = [
        figure.median
        for target in results.present()
        if target.name != "direct" and (figure := results.figure("memory.idle", target.name))
    ]

    assert sorted(range(6), key=idle.__getitem__) == sorted(range(6), key=widths.__getitem__)


def test_each_curve_has_a_mark_for_each_step_and_ours_lies_on_top(results: Results) -> None:
    curves = list(tree(results, "ladder").iter(f"{SVG}polyline"))

    assert len(TITLES) == len(curves)
    assert {8} == {len(curve.attrib["points"].split()) for curve in curves}
    assert MARKS["hedgerow"].colour == curves[-1].attrib["stroke"]


def test_no_two_targets_look_alike_without_colour() -> None:
    assert len(MARKS) == len({mark.shape for mark in MARKS.values()})


def test_rounds_of_the_ladder_become_one_point(tmp_path: Path) -> None:
    run = document()
    point = {"connections": 1, "rate": 10.0, "p50_us": 1.0, "p99_us": 5.0}
    run["curves"]["ladder"]["nginx"] = [point, point | {"rate": 30.0}, point | {"rate": 20.0}]

    assert [20.0] == [p.rate for p in read(saved(run, tmp_path)).ladder("nginx")]


def test_zero_and_less_stand_at_the_low_end() -> None:
    found = scale([0.0, -5.0, 20.0, 3000.0])

    assert Scale(10.0, 3000.0) == Scale(round(found.low, 6), round(found.high, 6))
    assert [0.0, 0.0, 1.0] == [round(found.share(n), 6) for n in (0.0, -5.0, 3000.0)]
    assert [10.0, 100.0, 1000.0] == found.ticks()
    assert 1.0 == scale([]).share(1e9)


def test_a_short_scale_has_marks_between_its_powers_of_ten() -> None:
    assert [10.0, 20.0, 50.0, 100.0] == scale([21.0, 71.0]).ticks()
    assert ["0.1", "10", "2k", "1M"] == [short(n) for n in (0.1, 10.0, 2000.0, 1e6)]

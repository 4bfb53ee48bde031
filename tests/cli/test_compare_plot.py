"""Pictures of comparisons."""

import re
from xml.etree import ElementTree as ET

import pytest

from proxy.cli.compare_plot import DOTS_MAX, LEFT, RIGHT, WIDTH, bounds, chosen, plot, ticks
from proxy.cli.compare_results import Result

SVG = "{http://www.w3.org/2000/svg}"


def result(model: str = "a", ttft_s: tuple[float, ...] = (0.02, 0.03), cost: float = 0.1) -> Result:
    return Result(
        model=model, requests=len(ttft_s), errors={}, ttft_s=ttft_s, rate_p50=None, total_p50=None,
        cost_usd=cost, valid=None, served={}, retried=0, message="",
    )  # fmt: skip


def drawn(*results: Result) -> ET.Element:
    return ET.fromstring(plot(results))


def test_every_request_is_a_dot_and_later_ones_stand_further_right() -> None:
    picture = drawn(result(ttft_s=(0.02, 0.2, 2.0)), result("b", (0.1,)))

    dots = [float(dot.attrib["cx"]) for dot in picture.iter(f"{SVG}circle")]
    assert 4 == len(dots)
    assert dots[0] < dots[3] < dots[1] < dots[2]
    assert all(LEFT <= at <= WIDTH - RIGHT for at in dots)


def test_the_median_is_a_line_where_its_request_is() -> None:
    picture = drawn(result(ttft_s=(0.02, 0.2, 2.0)))

    (line,) = [one for one in picture.iter(f"{SVG}path") if one.attrib["class"] == "middle"]
    dots = [dot.attrib["cx"] for dot in picture.iter(f"{SVG}circle")]
    assert line.attrib["d"].startswith(f"M{dots[1]} ")


def test_bars_are_as_long_as_models_are_dear() -> None:
    picture = drawn(result(cost=0.1), result("b", cost=0.4), result("c", (), cost=0.0))

    widths = [
        float(bar.attrib["width"])
        for bar in picture.iter(f"{SVG}rect")
        if bar.attrib["class"] == "bar"
    ]
    assert [(WIDTH - LEFT - RIGHT) / 4, WIDTH - LEFT - RIGHT, 0.0] == widths


def test_a_model_without_an_answer_is_said_to_have_none() -> None:
    words = "".join(drawn(result(ttft_s=(), cost=0.0)).itertext())

    assert "no request succeeded" in words


def test_names_of_models_cannot_break_the_picture() -> None:
    name = '<script>alert("x")</script>&a'

    picture = drawn(result(name))

    assert any(name in (text.text or "") for text in picture.iter(f"{SVG}text"))
    assert not list(picture.iter(f"{SVG}script"))


def test_long_names_keep_their_ends() -> None:
    words = [text.text or "" for text in drawn(result("x" * 50 + ":nitro")).iter(f"{SVG}text")]

    assert any(word.startswith("…") and word.endswith(":nitro") for word in words)


def test_the_picture_fetches_nothing_and_has_colours_for_the_dark() -> None:
    text = plot([result()])

    assert ["http://www.w3.org/2000/svg"] == re.findall(r"https?://[^\"' ]+", text)
    assert "prefers-color-scheme:dark" in text
    assert "url(" not in text


def test_of_many_requests_some_are_drawn_first_and_last_among_them() -> None:
    values = [float(n) for n in range(10_000)]

    some = chosen(values)

    assert (DOTS_MAX, 0.0, 9999.0) == (len(some), some[0], some[-1])
    assert list(some) == sorted(some)
    assert [1.0] == list(chosen([1.0]))


@pytest.mark.parametrize(
    ("values", "expected"),
    [([], (0.1, 1.0)), ([0.02, 0.3], (0.02, 0.5)), ([0.0214], (0.02, 0.05)), ([1.0], (1.0, 2.0)),
     ([9.9], (5.0, 10.0)), ([0.003, 45], (0.002, 50.0))],
)  # fmt: skip
def test_an_axis_ends_at_round_values_around_all_others(
    values: list[float], expected: tuple[float, float]
) -> None:
    assert pytest.approx(expected) == bounds(values)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.02, 0.5, [0.02, 0.05, 0.1, 0.2, 0.5]), (1, 2, [1, 2]),
     (0.001, 100, [0.001, 0.01, 0.1, 1, 10, 100])],
)  # fmt: skip
def test_ticks_are_round_and_few(low: float, high: float, expected: list[float]) -> None:
    assert pytest.approx(expected) == ticks(low, high)

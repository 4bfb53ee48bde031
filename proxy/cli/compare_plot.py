"""A picture of a comparison as SVG: waits for the first token as dots, costs as bars; pure.

Rule 1: the picture stands alone: no script, no font, nothing that is fetched; light and dark alike.
Rule 2: every dot is a request that was made; where there are too many, evenly chosen ones are drawn.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape

from proxy.cli.compare_results import Result, percentile
from proxy.cli.figures import duration, plain, usd

DOTS_MAX = 500
"""Per model."""
WIDTH = 900
LEFT, RIGHT = 230, 110
"""Room for names, and for figures behind bars; pixels, as all lengths here."""
HEAD, ROW, GAP, BAR, FOOT = 58, 46, 78, 18, 20
NAME_CHARACTERS_MAX = 30
STEPS = (1, 2, 5)
TICKS_MAX = 9
EXACT = 1.000_000_001
"""Slack for powers of ten that a float misses."""
GOLDEN = 0.618_033_988_75
"""Multiples of it, modulo one, never come close to one another soon."""

Across = Callable[[float], float]
"""A value's place on the axis, pixels."""

LIGHT = {
    ".back": "fill:#ffffff",
    "text": "fill:#1f2933",
    ".faint": "fill:#6b7785",
    ".line": "stroke:#e4e7eb",
    ".dot": "fill:#2563ad",
    ".middle": "stroke:#b3261e",
    ".bar": "fill:#c2701a",
}
DARK = {
    ".back": "fill:#14191f",
    "text": "fill:#e4e7eb",
    ".faint": "fill:#8b98a5",
    ".line": "stroke:#33404d",
    ".dot": "fill:#6cb1ff",
    ".middle": "stroke:#ff8a80",
    ".bar": "fill:#f0a860",
}
"""Colours by selector; written out, since not every viewer knows variables."""
SHAPES = (
    "text{font:13px system-ui,sans-serif}.title{font-weight:600}"
    ".dot{fill-opacity:.45}.middle{stroke-width:2.5}"
)


def plot(results: Sequence[Result]) -> str:
    """The whole SVG document."""
    height = HEAD + 2 * len(results) * ROW + GAP + FOOT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(_summary(results))}</title>",
        f"<style>{SHAPES}{_rules(LIGHT)}@media(prefers-color-scheme:dark){{{_rules(DARK)}}}</style>",
        f'<rect class="back" width="{WIDTH}" height="{height}"/>',
        *_strips(results, HEAD),
        *_bars(results, HEAD + len(results) * ROW + GAP),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def bounds(values: Sequence[float]) -> tuple[float, float]:
    """Ends of a logarithmic axis that holds all `values` (above zero): round values around them."""
    if not values:
        return 0.1, 1.0
    return _round(_index_below(min(values))), _round(_index_below(max(values)) + 1)


def ticks(low: float, high: float) -> list[float]:
    """Round values from `low` to `high`: of 1, 2 and 5, or of 1 alone where that would be too many."""
    indices = range(_index_below(low), _index_below(high) + 1)
    if len(indices) > TICKS_MAX:
        indices = range(-(-indices.start // 3) * 3, indices.stop, 3)
    return [_round(index) for index in indices]


def chosen(values: Sequence[float]) -> Sequence[float]:
    """At most DOTS_MAX of ascending values, evenly, both ends among them."""
    if len(values) <= DOTS_MAX:
        return values
    last = len(values) - 1
    return [values[round(index * last / (DOTS_MAX - 1))] for index in range(DOTS_MAX)]


def _strips(results: Sequence[Result], top: float) -> Iterator[str]:
    """A strip of dots for each model, on a common axis."""
    least = 0.001
    low, high = bounds([max(value, least) for result in results for value in result.ttft_s])
    bottom = top + len(results) * ROW

    def across(value: float) -> float:
        share = math.log(max(value, least) / low) / math.log(high / low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    yield _text(20, top - 34, "Time to the first token", "title")
    yield _text(
        20,
        top - 16,
        "one dot a request, lower is better; line: median; scale: logarithmic",
        "faint",
    )
    for value in ticks(low, high):
        at = across(value)
        yield f'<path class="line" d="M{at:.1f} {top}V{bottom}"/>'
        yield _text(at, bottom + 16, duration(value), "faint", anchor="middle")
    for index, result in enumerate(results):
        middle = top + (index + 0.5) * ROW
        yield _text(20, middle + 4, _name(result.model))
        yield from _dots(chosen(result.ttft_s), across, middle)
        median = percentile(result.ttft_s, 0.5)
        if median is None:
            yield _text(LEFT, middle + 4, "no request succeeded", "faint")
        else:
            yield f'<path class="middle" d="M{across(median):.1f} {middle - 15}v30"/>'
            yield _text(WIDTH - RIGHT + 14, middle + 4, duration(median))


def _dots(values: Sequence[float], across: Across, middle: float) -> Iterator[str]:
    """Dots beside one another, spread over the height of the strip in a fixed pattern."""
    for index, value in enumerate(values):
        spread = (index * GOLDEN % 1 - 0.5) * ROW * 0.55
        yield f'<circle class="dot" cx="{across(value):.1f}" cy="{middle + spread:.1f}" r="3.2"/>'


def _bars(results: Sequence[Result], top: float) -> Iterator[str]:
    """A bar for each model's cost."""
    dearest = max((result.cost_per_thousand or 0.0 for result in results), default=0.0)
    yield _text(20, top - 12, "Cost of 1,000 such requests", "title")
    for index, result in enumerate(results):
        middle = top + (index + 0.5) * ROW
        cost = result.cost_per_thousand
        width = (WIDTH - LEFT - RIGHT) * (cost or 0.0) / dearest if dearest else 0.0
        yield _text(20, middle + 4, _name(result.model))
        yield (
            f'<rect class="bar" x="{LEFT}" y="{middle - BAR / 2}" width="{width:.1f}" height="{BAR}" rx="2"/>'
        )
        yield _text(LEFT + width + 8, middle + 4, usd(cost))


def _rules(colours: Mapping[str, str]) -> str:
    return "".join(f"{selector}{{{colour}}}" for selector, colour in colours.items())


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    marks = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{marks}>{escape(words)}</text>'


def _name(model: str) -> str:
    """A model's name, its end kept: what tells variants apart stands there."""
    words = plain(model)
    return words if len(words) <= NAME_CHARACTERS_MAX else "…" + words[1 - NAME_CHARACTERS_MAX :]


def _summary(results: Sequence[Result]) -> str:
    """The picture in words."""
    told = (
        f"{plain(r.model)}: {duration(percentile(r.ttft_s, 0.5))}, {usd(r.cost_per_thousand)}"
        for r in results
    )
    return "Median time to the first token and cost of 1,000 requests. " + "; ".join(told)


def _round(index: int) -> float:
    """The round values in order: 0 is 1, 1 is 2, 2 is 5, 3 is 10, -1 is 0.5."""
    power, step = divmod(index, len(STEPS))
    return STEPS[step] * 10.0**power


def _index_below(value: float) -> int:
    """Of the largest round value that is not above `value`."""
    index = len(STEPS) * (math.floor(math.log10(value)) + 1)
    while _round(index) > value * EXACT:
        index -= 1
    return index

"""The overview of GET /live as tables for a terminal.

Rule 1: what came over the network is shown as plain words: no markup, no control characters.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from proxy.cli.figures import NOTHING, bar, duration, number, percent, plain, span, usd
from proxy.console.api.overview import ArmLine, Credential, Line, Overview, Resting
from proxy.policy.intervals import Interval

WINDOW_S: Final = 300.0
"""What `requests_5m` covers."""
ALERTS_SHOWN = 5
OUTCOMES: Mapping[str, str] = {
    "none": "ok",
    "endpoint": "failed",
    "rate_limit": "limited",
    "credential": "key refused",
    "request": "invalid",
    "client": "left",
    "gateway": "ours",
}
"""Whose fault an end was -> the word for it."""
COLOURS: Mapping[str, str] = {
    "healthy": "green",
    "probing": "yellow",
    "troubled": "yellow",
    "resting": "red",
}


def view(seen: Overview) -> RenderableType:
    """Everything, the most watched first."""
    parts: list[RenderableType] = [_heading(seen)]
    if seen.endpoints:
        parts.append(_endpoints(seen))
    else:
        parts.append(Text("No endpoint has been asked yet."))
    if seen.experiments:
        parts.append(_experiments(seen.experiments))
    if seen.credentials:
        parts.append(_credentials(seen.credentials))
    parts += _alerts(seen)
    return Group(*parts)


def _heading(seen: Overview) -> Text:
    """One line on the whole process."""
    requests = seen.requests
    by_status = ", ".join(
        f"{count:,} {plain(group)}" for group, count in requests.by_status.items()
    )
    words = [
        f"up {span(seen.uptime_s)}",
        f"{requests.total:,} requests" + (f" ({by_status})" if by_status else ""),
        f"{requests.streams_open:,} streams open",
        f"{seen.retry_budget.left:,} retries left",
    ]
    hedging = seen.hedging
    if hedging.fired:
        words.append(
            f"{hedging.fired:,} hedges, {hedging.won:,} won, ${hedging.cost_usd:.4f}, "
            f"{span(hedging.saved_s)} saved"
        )
    return Text(" · ".join(words), style="bold")


def _endpoints(seen: Overview) -> Table:
    table = _table("model", "endpoint", "/min", "share", "TTFT p50", "p99", "tok/s p50", "success",
                   "uptime 1d", "state", "attempts")  # fmt: skip
    minutes = min(max(seen.uptime_s, 1.0), WINDOW_S) / 60
    shown = ""
    for line in seen.endpoints:
        repeated, shown = line.model == shown, line.model
        table.add_row(Text("" if repeated else plain(line.model)), *_cells(line, minutes))
    return table


def _cells(line: Line, minutes: float) -> Iterator[Text]:
    """A row, but for the model."""
    ttft, throughput = line.ttft, line.throughput
    yield Text(plain(line.id.partition(":")[0]))
    yield _figure(number(line.requests_5m / minutes, digits=1))
    yield Text(f"{bar(line.share_5m)} {_share(line.share_5m)}")
    yield _figure(duration(None if ttft is None else ttft.p50))
    yield _figure(duration(None if ttft is None else ttft.p99))
    yield _figure(number(None if throughput is None else throughput.p50))
    yield _figure(percent(None if line.success_5m is None else 100 * line.success_5m))
    yield _figure(percent(line.uptime_1d))
    yield Text(f"{line.state}{_rest(line.rest)}", style=COLOURS[line.state])
    yield Text(_outcomes(line.ends))


def _experiments(arms: Iterable[ArmLine]) -> Table:
    """Each arm; behind a figure, from where to where it lies for certain (95 %)."""
    table = _table("experiment", "arm", "n", "errors", "(95 %)", "TTFT p50", "p99", "USD/answer", "(95 %)",
                   "score", "(95 %)", "scored")  # fmt: skip
    shown = ""
    for one in arms:
        repeated, shown = one.experiment == shown, one.experiment
        table.add_row(Text("" if repeated else plain(one.experiment)), *_arm_cells(one))
    return table


def _arm_cells(one: ArmLine) -> Iterator[Text]:
    """A row, but for the experiment."""
    share = 100 * one.errors / one.requests if one.requests else None
    yield Text(plain(one.arm))
    yield _figure(number(one.requests))
    yield _figure(percent(share))
    yield _figure(_range(one.error_share, lambda value: percent(100 * value)))
    yield _figure(duration(None if one.ttft is None else one.ttft.p50))
    yield _figure(duration(None if one.ttft is None else one.ttft.p99))
    yield _figure(usd(one.cost_usd / one.answers if one.answers else None))
    yield _figure(_range(one.usd_per_answer, usd))
    yield _figure(number(one.score_mean, digits=2))
    yield _figure(_range(one.score, lambda value: number(value, digits=2)))
    yield _figure(number(one.scores))


def _range(interval: Interval | None, show: Callable[[float], str]) -> str:
    return NOTHING if interval is None else f"{show(interval.low)} to {show(interval.high)}"


def _credentials(credentials: Iterable[Credential]) -> Table:
    table = _table("key", "in progress", "requests/60 s", "tokens/60 s", "state")
    for one in credentials:
        table.add_row(
            Text(plain(one.label)),
            _figure(number(one.in_progress)),
            _figure(number(one.requests_60s)),
            _figure(number(one.tokens_60s)),
            Text("usable", style="green")
            if one.rest is None
            else Text(f"resting{_rest(one.rest)}", style="red"),
        )
    return table


def _alerts(seen: Overview) -> Iterator[Text]:
    for alert in seen.alerts[:ALERTS_SHOWN]:
        yield Text(f"{span(alert.ago_s)} ago: {plain(alert.text)}", style="yellow")
    more = len(seen.alerts) - ALERTS_SHOWN
    if more > 0:
        yield Text(f"and {more} more alerts before these")


def _rest(rest: Resting | None) -> str:
    return "" if rest is None else f" {span(rest.seconds)} ({plain(rest.reason)})"


def _share(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.0f} %"


def _outcomes(ends: Mapping[str, int]) -> str:
    """ "120 ok, 3 failed": how attempts ended since the start, in the order of OUTCOMES."""
    told = [f"{ends[fault]:,} {word}" for fault, word in OUTCOMES.items() if ends.get(fault)]
    return ", ".join(told) or NOTHING


def _table(*headings: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in {"model", "attempts"})
    return table


def _figure(words: str) -> Text:
    return Text(words, justify="right")

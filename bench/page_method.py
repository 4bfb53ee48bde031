"""Who was measured, how, and what the figures do not show."""

from collections.abc import Iterator
from statistics import median

from bench.budgets import OTHERS_MAX
from bench.page_lanes import NOISE, left_out
from bench.page_results import Results
from bench.page_tables import NOTHING, listed, number, table

PROCEDURE = (
    "One mock provider is driven directly and through each target in turn, round after round, so that a minute that is bad for one is "
    "bad for all. Figures are medians over the rounds, with the lowest and the highest round behind them in brackets. Every reply of every "
    "target is checked: status, length or number of events, end, and usage where there should be any. One wrong reply and there is no "
    "result at all. Requests that time out are told under [What was special](#what-was-special).",
    "Targets run as they would to do the least: no accounts, no database, no log of requests, one worker. "
    "Hedgerow runs as `hedgerow sidecar`. nginx and Envoy copy bytes and know nothing of tokens, models or dialects: "
    "they are the floor, not rivals. In the column *direct* CPU is that of the mock.",
)

LIMITS = (
    "**Loopback, one machine, a mock.** No network, no TLS, no provider that thinks for a second before its first word. Next to that "
    "many of these differences vanish for a single client; what remains is the bill for CPU and memory, and the tails.",
    "**Only the bare path.** With keys, limits, holds and a ledger, Hedgerow takes more; so do the others with theirs. "
    "None of that is measured here.",
    "**Closed loops hide waiting** (coordinated omission): when a reply is late, wrk sends its next request late as well, and the requests that "
    "would have waited are never sent. It is so in *Saturated*, *Added latency* and *Throughput*. In *Half load* requests come no matter what; in *Paced streams* the provider's clock sets the pace.",
    "**The load shares a core with the mock.** Where a target is fast, they are the limit, not it; the rows say so. In *Half load* and *Paced streams* "
    "the client is a Python program: below some hundred microseconds one measures the client. It measures *direct* just as badly, "
    "which is why only what is added counts.",
    "**One worker each.** How targets scale over cores is not shown.",
    "**Defaults of others.** We set the others up as their own pages say, and know ours best. Who knows better settings is welcome to tell: "
    "each set-up is one file in `bench/peers`.",
)

CLAIMS = (
    "**LiteLLM**, 8 ms p95 at 1,000 requests/s: four instances with four cores each, and a figure from the proxy's own header, which begins after the queue in front of it.",
    "**Bifrost**, 11 us at 5,000 requests/s: leaves out JSON and the HTTP call; 130-byte bodies, no streams. In the table beside it, the average is 110 ms longer than the HTTP call.",
    "**TensorZero**, below 1 ms p99 at 10,000 requests/s: on four cores with mock and load beside it; no database, no authentication, no observability; so is our set-up of it.",
    "**Helicone**, below 1 ms: two single traces. Its load test adds 17 ms on average to a mock with a median of 60 ms.",
    "**Portkey**, below 1 ms: no method is published. Third parties measured 1.2 to 2.7 ms.",
    "**OnTheBench**, open, but run by Busbar, who competes: added p50 of 0.07 ms for Busbar, 1.2 ms for Portkey, 6.6 ms for LiteLLM on four cores. Its 41 ms for TensorZero look like delayed acknowledgements.",
)  # fmt: skip


def targets(results: Results) -> Iterator[str]:
    """Who was measured, set up in which way; who was not, and why."""
    rows = [[t.title, t.version or NOTHING, t.about] for t in results.present()]
    if rows:
        yield table(["target", "version", "set up"], rows, figures=False)
    absent = [target for target in results.targets if target.missing is not None]
    if absent:
        said = [f"- **{target.title}**: {target.missing or 'no reason given'}" for target in absent]
        yield "Not measured:\n\n" + "\n".join(said)
    if missing := left_out(results):
        yield f"Lanes without figures in this run: {listed(missing)}."


def procedure(results: Results) -> Iterator[str]:
    """How it was done, and how quiet it was."""
    yield from PROCEDURE
    yield " ".join([_cores(results), *_length(results), _noise(results)])


def _cores(results: Results) -> str:
    pinned = results.pinned
    if pinned.proxy is None:
        return "Nothing was pinned: targets, mock and load shared the same cores, so rates mean little; ratios of CPU still do."
    return f"The target has core {pinned.proxy} to itself; mock, wrk and clients share core {pinned.load}."


def _length(results: Results) -> Iterator[str]:
    rounds = f"{results.rounds} round{'s'[: int(results.rounds != 1)]}"
    each = "" if results.seconds is None else f", {results.seconds:g} s for each stretch"
    took = "" if results.took_s is None else f", {results.took_s / 60:.0f} minutes in all"
    yield f"{rounds}{each}{took}."
    if results.rounds == 1:
        yield "With one round there is no spread: take no figure for more than a hint."


def _noise(results: Results) -> str:
    """The worst of the machine, by lane and target."""
    seen = [
        (median(found), name.rpartition(".")[0], results.title(target))
        for name, by_target in results.values.items()
        if name.endswith(f".{NOISE[0]}")
        for target, rounds in by_target.items()
        if (found := [n for n in rounds if n is not None])
    ]
    if not seen:
        return "How busy others kept the machine was not noted."
    cores, lane, who = max(seen)
    where = f"{number(cores)} cores (`{lane}`, {who}; median of its rounds)"
    if cores > OTHERS_MAX:
        return f"**Noisy:** other processes kept up to {where} busy. Quote nothing before it is repeated on a quiet machine."
    return f"Other processes kept at most {where} busy."


def special(results: Results) -> Iterator[str]:
    """Notes of the run, by target."""
    lines = [
        f"- **{results.title(name)}**: {' '.join(words)}"
        for name, words in results.notes.items()
        if words
    ]
    if lines:
        yield "\n".join(lines)
    else:
        yield "Nothing: no time-outs, no surprises."


def machine(results: Results) -> Iterator[str]:
    """Where and when."""
    rows = [["date", results.at], *([name, str(value)] for name, value in results.machine.items())]
    yield table(["", ""], rows, figures=False)


def bullets(lines: tuple[str, ...]) -> str:
    """A Markdown list."""
    return "\n".join(f"- {line}" for line in lines)

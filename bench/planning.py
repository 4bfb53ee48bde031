"""What a plan costs: `python -m bench.planning`.

Resolving the names, reading the preferences and making the plan, by kind of request and number of
endpoints; CPU of this process, the best of several rounds. Live figures are known of every endpoint, and
one of them has trouble.
"""

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec
from rich.console import Console
from rich.table import Table

from proxy.catalog.catalog import Catalog
from proxy.dialects.registry import DIALECTS
from proxy.model.document import Document
from proxy.model.endpoint import Endpoint, Model, Prices, Provider
from proxy.model.standing import Quantiles, Snapshot, Standing
from proxy.policy.inquiry import decide, inquire
from proxy.policy.roster import make_roster
from proxy.policy.situation import Present
from proxy.units import NanoDollarsPerMillion, Seconds

GOALS_US = {5: 10.0, 30: 25.0}
"""Most that any kind of request may cost, microseconds of CPU, by number of endpoints."""
ROUNDS, REQUESTS = 20, 300
QUICK_ROUNDS, QUICK_REQUESTS = 5, 100
ATTEMPTS_MAX = 3
NAME = "maker/model"
NOW = Seconds(100.0)
PARAMETERS = (
    "tools", "temperature", "top_p", "stop", "seed", "response_format", "structured_outputs",
    "tool_choice",
)  # fmt: skip
TOOLS: Document = {"tools": [{"type": "function", "function": {"name": "f"}}]}
KINDS: dict[str, Document] = {
    "plain": {},
    "nitro": {"model": f"{NAME}:nitro"},
    "order": {"provider": {"order": ["p3", "p1"]}},
    "preferences": {
        "provider": {
            "sort": "latency", "max_price": {"prompt": 2}, "ignore": ["p4"], "data_collection": "allow",
        }
    },
    "tools": TOOLS,
}  # fmt: skip
"""Fields of a request besides the usual ones."""


@dataclass(frozen=True, slots=True)
class Cost:
    """One row."""

    kind: str
    endpoints: int
    microseconds: float

    @property
    def goal_us(self) -> float:
        """What it may be."""
        return GOALS_US[self.endpoints]


def market(count: int) -> Model:
    """A model at that many providers, each dearer than the one before."""
    endpoints = tuple(
        Endpoint(
            Provider(f"p{n}", f"P{n}", "openai-chat", "http://p/v1"),
            NAME,
            "m",
            Prices(NanoDollarsPerMillion((n + 1) * 10**8), NanoDollarsPerMillion((n + 2) * 10**8)),
            100_000,
            supported_parameters=PARAMETERS,
        )
        for n in range(count)
    )
    return Model(NAME, "Model", 0, 100_000, endpoints, supported_parameters=PARAMETERS)


def known(model: Model) -> Snapshot:
    """Figures of all, and trouble of one."""
    standings = {
        endpoint.id: Standing(
            ttft=Quantiles(n + 1.0, n + 2.0, n + 3.0, n + 4.0),
            throughput=Quantiles(90.0 - n, 80.0, 70.0, 60.0),
            prompt_price=float(endpoint.prices.prompt),
            completion_price=float(endpoint.prices.completion),
        )
        for n, endpoint in enumerate(model.endpoints)
    }
    return Snapshot(standings=standings, troubled={model.endpoints[1].id: Seconds(NOW + 9)})


def planning(kind: str, count: int) -> Callable[[], None]:
    """Plan one request of this kind."""
    model = market(count)
    providers = [endpoint.provider for endpoint in model.endpoints]
    catalog = Catalog(models=[model], providers=providers, aliases={})
    rosters = {model.id: make_roster(model)}
    body: Document = {"model": NAME, "messages": [{"role": "user", "content": "hi"}]}
    call = DIALECTS["openai-chat"].decode_request({**body, **KINDS[kind]}, "chat")
    call = msgspec.structs.replace(call, prompt_bytes=400)
    snapshot, draw = known(model), Random(1).random

    def once() -> None:
        inquiry = inquire(call, catalog, rosters)
        decide(inquiry, Present(NOW, snapshot, draw()), attempts_max=ATTEMPTS_MAX)

    return once


def measure(rounds: int = ROUNDS, requests: int = REQUESTS) -> list[Cost]:
    """The best round of each row."""
    found = []
    for count in GOALS_US:
        for kind in KINDS:
            once, best = planning(kind, count), float("inf")
            for _ in range(rounds):
                began = time.process_time()
                for _ in range(requests):
                    once()
                best = min(best, time.process_time() - began)
            found.append(Cost(kind, count, best / requests * 1e6))
    return found


def table(costs: list[Cost]) -> Table:
    """Rows against their goals."""
    shown = Table(title="CPU for one plan", title_justify="left")
    for name in ("kind", "endpoints", "us", "goal", ""):
        shown.add_column(name, justify="left" if name in {"kind", ""} else "right")
    for one in costs:
        verdict = "pass" if one.microseconds <= one.goal_us else "FAIL"
        shown.add_row(
            one.kind, str(one.endpoints), f"{one.microseconds:.1f}", f"{one.goal_us:.0f}", verdict
        )
    return shown


def main(argv: list[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.planning", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a second")
    quick = parser.parse_args(sys.argv[1:] if argv is None else argv).quick
    costs = measure(QUICK_ROUNDS, QUICK_REQUESTS) if quick else measure()
    Console().print(table(costs))


if __name__ == "__main__":
    main()

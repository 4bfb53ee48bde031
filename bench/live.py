"""`python -m bench.live`: what live statistics cost: per attempt, per refresh, per endpoint in memory.

No gateway runs: a board is fed with attempts whose times are drawn once, from log-normal distributions
that look like a chat model's. Time is made up; CPU time is measured.
"""

import gc
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
from prometheus_client import CollectorRegistry, generate_latest
from rich.console import Console

from proxy.config.settings import HealthSettings
from proxy.live.board import REFRESH_S, Board
from proxy.live.health import Health
from proxy.live.keeping import dump, restore
from proxy.live.metrics import EndpointMetrics
from proxy.model.endpoint import Endpoint, Prices, Provider
from proxy.model.observation import Observation
from proxy.units import NanoDollarsPerMillion, Seconds

ENDPOINTS, CHANGING, PROVIDERS = 1_000, 100, 70
RECORD_US_MAX, SHARE_MAX, KIB_MAX = 6.0, 0.01, 100.0
ROUNDS, RECORDS = 9, 20_000
PER_REFRESH = 10
"""Attempts at each changing endpoint between two refreshes."""
WARM_REFRESHES, REFRESHES = 220, 110
"""Eleven minutes, in which windows fill and slices begin to leave; then what is measured."""
SMALL_ENDPOINTS, HALF_HOURS_REFRESHES, BUSY = 20, 700, 40
"""For memory: 35 minutes at 13 attempts a second each."""
FREE = NanoDollarsPerMillion(0)


@dataclass(frozen=True, slots=True)
class Costs:
    """One run."""

    record_us: float
    """CPU time of one `record`; the best round."""
    refresh_ms: float
    """Mean of a refresh."""
    refresh_max_ms: float
    """The longest one."""
    step_max_ms: float
    """Longest stretch of a refresh between two pauses."""
    endpoint_kib: float
    report_us: float
    scrape_ms: float
    """All metrics of 1,000 endpoints."""
    dump_ms: float
    restore_ms: float
    kept_kib: float
    """File, per endpoint."""


def endpoint(number: int) -> Endpoint:
    """One of many."""
    provider = Provider(f"p{number % PROVIDERS}", "P", "openai_chat", "https://provider.test")
    return Endpoint(provider, f"author/model-{number}", "m", Prices(FREE, FREE), 100_000)


def attempts(of: Endpoint, count: int, at: float, draw: random.Random) -> list[Observation]:
    """Complete streamed replies: 0.5 s to the first token, 2.7 s in all, mostly."""
    return [
        Observation(
            of,
            Seconds(at),
            streamed=True,
            ttft_s=draw.lognormvariate(-0.7, 0.6),
            total_s=draw.lognormvariate(1.0, 0.6),
            prompt_tokens=1_000,
            completion_tokens=draw.randrange(1, 1_000),
            prompt_cost=2_000_000,
            completion_cost=4_000_000,
        )
        for _ in range(count)
    ]


def cost_of_record(draw: random.Random) -> float:
    """Microseconds per attempt, the best of some rounds."""
    board, said = Board(), attempts(endpoint(0), RECORDS, 1.0, draw)
    best = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for one in said:
            board.record(one)
        best = min(best, time.process_time() - began)
    return best / RECORDS * 1e6


def busy_board(draw: random.Random) -> tuple[Board, list[float], list[float], float]:
    """A board after some minutes; seconds of its last refreshes, and of their steps; its time."""
    board, places = Board(), [endpoint(n) for n in range(ENDPOINTS)]
    pool = [attempts(place, PER_REFRESH, 0.0, draw) for place in places]
    refreshes, steps, now = [], [], 0.0
    for turn in range(WARM_REFRESHES + REFRESHES):
        now += REFRESH_S
        for n in range(CHANGING):
            for one in pool[(turn * CHANGING + n) % ENDPOINTS]:
                board.record(_at(one, now))
        began = last = time.process_time()
        for _ in board.steps(Seconds(now)):
            instant = time.process_time()
            steps.append(instant - last)
            last = instant
        refreshes.append(time.process_time() - began)
        if turn < WARM_REFRESHES:
            refreshes.clear()
            steps.clear()
    return board, refreshes, steps, now


def memory(draw: random.Random) -> float:
    """KiB per endpoint with much traffic for more than half an hour."""
    places = [endpoint(n) for n in range(SMALL_ENDPOINTS)]
    pool = [attempts(place, BUSY * 5, 0.0, draw) for place in places]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    board = Board()
    for turn in range(1, HALF_HOURS_REFRESHES):
        for said in pool:
            for one in said[turn % 5 :: 5]:
                board.record(_at(one, turn * REFRESH_S))
        board.refresh(Seconds(turn * REFRESH_S))
    gc.collect()
    used = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return used / SMALL_ENDPOINTS / 1024


def measure() -> Costs:
    """Everything, in about half a minute."""
    draw = random.Random(7)
    record_us = cost_of_record(draw)
    board, refreshes, steps, now = busy_board(draw)
    instant = Seconds(now)
    names = list(board)
    report_s = _spent(lambda: [board.report(name, instant) for name in names[:100]]) / 100
    registry = CollectorRegistry()
    registry.register(EndpointMetrics(board, Health(HealthSettings(), {}), lambda: instant))
    scrape_s = _spent(lambda: generate_latest(registry))
    kept = dump(board, 0.0, instant)
    return Costs(
        record_us,
        sum(refreshes) / len(refreshes) * 1e3,
        max(refreshes) * 1e3,
        max(steps) * 1e3,
        memory(draw),
        report_s * 1e6,
        scrape_s * 1e3,
        _spent(lambda: dump(board, 0.0, instant)) * 1e3,
        _spent(lambda: restore(Board(), kept, 0.0, instant)) * 1e3,
        len(kept) / len(board) / 1024,
    )


def main() -> None:
    """Measure and print; exit code 1 where a budget is not kept."""
    found = measure()
    share = found.refresh_ms / 1e3 / REFRESH_S
    say = Console(highlight=False, soft_wrap=True).print
    rows = (
        (f"record: {found.record_us:.2f} us", RECORD_US_MAX, found.record_us),
        (
            f"refresh at {ENDPOINTS:,} endpoints, {CHANGING} changing: {found.refresh_ms:.1f} ms "
            f"(longest {found.refresh_max_ms:.1f}, longest step {found.step_max_ms:.1f}), "
            f"percent of a core: {share * 100:.2f}",
            SHARE_MAX * 100,
            share * 100,
        ),
        (f"memory: {found.endpoint_kib:.1f} KiB per endpoint", KIB_MAX, found.endpoint_kib),
    )
    for words, most, value in rows:
        say(f"{words}; budget {most:g}: {'pass' if value <= most else 'FAIL'}")
    say(
        f"report: {found.report_us:.0f} us; metrics of {ENDPOINTS:,} endpoints: "
        f"{found.scrape_ms:.0f} ms; dump {found.dump_ms:.0f} ms, restore {found.restore_ms:.0f} ms, "
        f"{found.kept_kib:.1f} KiB per endpoint"
    )
    sys.exit(any(value > most for _, most, value in rows))


def _at(observation: Observation, now: float) -> Observation:
    return msgspec.structs.replace(observation, at=Seconds(now))


def _spent(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    main()

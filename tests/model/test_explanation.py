"""An explanation is a value that can be written as JSON."""

import msgspec

from proxy.model.explanation import Candidate, Explanation

ONE = Candidate(
    endpoint="a:m/m", model="m/m", provider="A", tag="", place=None, selected=False, out=["why"],
    why="", prompt_usd_per_million="1", completion_usd_per_million="2", ttft_p50=None,
    throughput_p50=9.5, state="healthy",
)  # fmt: skip


def test_it_survives_being_written() -> None:
    told = Explanation("m/m", "direct", "available=0, selected=none", [], [ONE])

    assert told == msgspec.json.decode(msgspec.json.encode(told), type=Explanation)

"""A generation gets its name and date."""

import re

from proxy.stages.enrich import enrich
from tests.fakes.downstream import a_gateway
from tests.fakes.things import a_call


async def test_a_call_gets_an_id_of_its_own_and_a_date() -> None:
    gateway = a_gateway()
    first, second = enrich(a_call(), gateway), enrich(a_call(), gateway)

    assert 1_700_000_000 == first.created
    assert re.fullmatch(r"gen-1700000000-[0-9a-f]{20}", first.generation_id)
    assert first.generation_id != second.generation_id

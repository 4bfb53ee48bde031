"""Every registered dialect keeps the contract."""

from proxy.dialects.registry import DIALECTS
from proxy.model.dialect import Dialect
from tests.fakes.things import a_call, an_endpoint


def test_every_dialect_has_the_four_functions_and_what_they_give_feeds() -> None:
    for dialect in DIALECTS.values():
        checked: Dialect = dialect
        assert checked.encode_request(a_call(), an_endpoint())
        assert [] == [
            e
            for e in checked.decode_response(a_call(), an_endpoint(), 200).feed(b"{}")
            if e is None
        ]
        assert b"" == checked.encode_response(a_call(), an_endpoint()).feed([])

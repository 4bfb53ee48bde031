"""The contract of a dialect, held against everything the registry offers."""

import inspect

import pytest

from proxy.dialects.registry import DIALECTS
from proxy.model.dialect import Decoder, Dialect, Encoder
from tests.fakes.things import a_call, an_endpoint

FUNCTIONS = ("decode_request", "encode_request", "decode_response", "encode_response")


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_dialects_functions_take_what_the_contract_says(name: str, function: str) -> None:
    expected = list(inspect.signature(getattr(Dialect, function)).parameters)[1:]

    assert expected == list(inspect.signature(getattr(DIALECTS[name], function)).parameters)


@pytest.mark.parametrize("name", DIALECTS)
def test_decoders_and_encoders_are_fed(name: str) -> None:
    decoder: Decoder = DIALECTS[name].decode_response(a_call(), an_endpoint(), 200)
    encoder: Encoder = DIALECTS[name].encode_response(a_call(), an_endpoint())

    assert b"" == encoder.feed([])
    assert 1 == len(decoder.feed(b"not json"))

"""Who calls is known before a byte of the body is read."""

import hashlib

import pytest

from proxy.config.settings import ServerSettings, Settings
from proxy.errors import AuthenticationError, PermissionDeniedError
from proxy.model.call import Caller
from proxy.model.head import RequestHead
from proxy.stages.authorize import OPEN, authorize, recognised
from tests.fakes.downstream import FakeDownstream, a_gateway

KEY = b"sk-hr-v1-secret"
DIGEST = hashlib.sha256(KEY).hexdigest()
LOCAL = {b"host": b"localhost"}


def client(headers: dict[bytes, bytes], *, local: bool = True) -> FakeDownstream:
    return FakeDownstream(RequestHead("POST", "/", b"", headers), local=local)


async def test_a_program_of_this_machine_needs_no_key_in_open_mode() -> None:
    assert OPEN == authorize(client(LOCAL), a_gateway())


@pytest.mark.parametrize(
    ("headers", "local"),
    [
        (LOCAL, False),
        ({b"host": b"evil.test"}, True),
        ({**LOCAL, b"origin": b"https://e.test"}, True),
    ],
)
async def test_others_are_refused_in_open_mode(headers: dict[bytes, bytes], local: bool) -> None:
    with pytest.raises(PermissionDeniedError):
        authorize(client(headers, local=local), a_gateway())


async def test_the_operator_may_name_hosts_and_origins() -> None:
    server = ServerSettings(hosts=("box.lan",), origins=("https://app.example",))
    headers = {b"host": b"box.lan:80", b"origin": b"https://app.example"}

    assert OPEN == authorize(client(headers), a_gateway(settings=Settings(server=server)))


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER   "])
async def test_a_known_key_is_an_account_named_by_its_digest(scheme: bytes) -> None:
    found = authorize(
        client({b"authorization": scheme + KEY}, local=False), a_gateway(keys=[DIGEST])
    )

    assert Caller(account=DIGEST, key_hash=DIGEST) == found


@pytest.mark.parametrize("value", [None, b"", b"Basic abc", b"Bearer", b"Bearer ", b"Bearer  "])
async def test_no_key_is_told_as_such(value: bytes | None) -> None:
    headers = {} if value is None else {b"authorization": value}
    with pytest.raises(AuthenticationError, match="No auth credentials found"):
        authorize(client(headers), a_gateway(keys=[DIGEST]))


@pytest.mark.parametrize("key", [b"other", KEY[:-1], KEY + b"x", DIGEST.encode(), b"\xff"])
async def test_an_unknown_key_is_told_as_such(key: bytes) -> None:
    with pytest.raises(AuthenticationError, match=r"User not found\."):
        authorize(client({b"authorization": b"Bearer " + key}), a_gateway(keys=[DIGEST]))


@pytest.mark.parametrize(
    ("headers", "known"),
    [
        ({b"authorization": b"Bearer " + KEY}, True),
        ({b"authorization": b"Bearer other"}, False),
        ({b"authorization": b"Basic x"}, False),
        ({}, False),
    ],
)
async def test_only_a_valid_key_is_recognised(headers: dict[bytes, bytes], known: bool) -> None:
    assert known is recognised(client({**LOCAL, **headers}, local=False), a_gateway(keys=[DIGEST]))


async def test_in_open_mode_this_machine_is_recognised() -> None:
    assert recognised(client(LOCAL), a_gateway())
    assert not recognised(client(LOCAL, local=False), a_gateway())


async def test_a_key_may_come_in_a_field_of_its_own() -> None:
    gateway = a_gateway(keys=[DIGEST])

    assert DIGEST == authorize(client({b"x-api-key": KEY}, local=False), gateway).account
    both = {b"x-api-key": b"other", b"authorization": b"Bearer " + KEY}
    assert DIGEST == authorize(client(both, local=False), gateway).account
    with pytest.raises(AuthenticationError, match="User not found"):
        authorize(client({b"x-api-key": b"other"}, local=False), gateway)
    with pytest.raises(AuthenticationError, match="No auth credentials"):
        authorize(client({b"x-api-key": b" "}, local=False), gateway)

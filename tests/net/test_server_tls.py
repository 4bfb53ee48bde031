"""A listener's certificate: loaded or refused in one line, and read again when it changes."""

import logging
import ssl
from pathlib import Path

import pytest
import trustme

from proxy.errors import ConfigError
from proxy.net.server_tls import LOOK_S, ServerTls
from proxy.units import Seconds

CA = trustme.CA()


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> Seconds:
        return Seconds(self.now)


def write(folder: Path, name: str, ca: trustme.CA = CA) -> None:
    issued = ca.issue_cert(name)
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(pem.bytes() for pem in issued.cert_chain_pems))


def shake(server: ServerTls, name: str, *offered: str) -> str | None:
    """Shake hands in memory; returns what ALPN chose. Raises: ssl.SSLError for a wrong name."""
    client = ssl.create_default_context()
    CA.configure_trust(client)
    client.set_alpn_protocols(list(offered))
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = server.context().wrap_bio(to_server, to_client, server_side=True)
    theirs = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(4):
        for side in (theirs, ours):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours.selected_alpn_protocol()


def served(folder: Path, clock: Clock) -> ServerTls:
    return ServerTls(
        str(folder / "cert.pem"), str(folder / "key.pem"), protocols=("http/1.1", "h2"), clock=clock
    )


def test_who_offers_both_gets_http_11(tmp_path: Path) -> None:
    write(tmp_path, "one.example")
    server = served(tmp_path, Clock())
    assert "http/1.1" == shake(server, "one.example", "h2", "http/1.1")
    assert "h2" == shake(server, "one.example", "h2")
    assert shake(server, "one.example", "spdy/3") is None


def test_a_changed_certificate_serves_the_next_handshake(tmp_path: Path) -> None:
    clock = Clock()
    write(tmp_path, "one.example")
    server = served(tmp_path, clock)
    first = server.context()
    write(tmp_path, "two.example")
    assert first is server.context(), "not looked at yet"
    clock.now += LOOK_S
    shake(server, "two.example")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(server, "one.example")


def test_a_certificate_that_cannot_be_used_leaves_the_last_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    write(tmp_path, "one.example")
    server = served(tmp_path, clock)
    half = (tmp_path / "key.pem").read_bytes()
    for broken in (b"", b"garbage", half[:200]):
        (tmp_path / "cert.pem").write_bytes(broken)
        clock.now += LOOK_S
        with caplog.at_level(logging.WARNING):
            shake(server, "one.example")
    (tmp_path / "cert.pem").unlink()
    clock.now += LOOK_S
    shake(server, "one.example")
    assert 4 == len(caplog.records)
    assert "PRIVATE" not in caplog.text
    write(tmp_path, "two.example")
    clock.now += LOOK_S
    shake(server, "two.example")


def test_of_two_files_one_may_change_first(tmp_path: Path) -> None:
    clock = Clock()
    write(tmp_path, "one.example")
    server = served(tmp_path, clock)
    old_key = (tmp_path / "key.pem").read_bytes()
    write(tmp_path, "two.example")
    new_key = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_bytes(old_key)
    clock.now += LOOK_S
    shake(server, "one.example")
    (tmp_path / "key.pem").write_bytes(new_key)
    clock.now += LOOK_S
    shake(server, "two.example")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "no PEM|NO_START_LINE|not a usable"), (b"x", "not a usable")],
)
def test_an_unusable_file_is_one_line_at_start(
    tmp_path: Path, content: bytes | None, reason: str
) -> None:
    write(tmp_path, "one.example")
    path = tmp_path / "cert.pem"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigError, match=f"server.bind: tls_cert .*: .*({reason})"):
        served(tmp_path, Clock())


def test_old_protocols_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "one.example")
    context = served(tmp_path, Clock()).context()
    assert ssl.TLSVersion.TLSv1_2 == context.minimum_version
    assert context.options & ssl.OP_NO_RENEGOTIATION

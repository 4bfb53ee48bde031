"""A streamed reply gives its key back at its end, once."""

from proxy.net.connection import Connection
from proxy.net.leased import LeasedReply
from proxy.wire.body import BodyReader
from tests.fakes.downstream import namespace
from tests.fakes.things import a_transcript


def test_the_key_is_given_back_when_the_reply_is_closed_and_not_before() -> None:
    told: list[str] = []
    pool = namespace(discard=lambda connection: told.append("connection"))
    lease = namespace(release=lambda: told.append("key"))
    transcript = a_transcript(BodyReader(chunked=True, length=None))
    reply = LeasedReply(transcript, Connection("x", None), pool, keep_alive=True, lease=lease)

    assert not reply.done()
    assert [] == told
    reply.close()
    assert ["connection", "key"] == told

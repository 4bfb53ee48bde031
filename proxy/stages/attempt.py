"""One try at one offer: a resumable object that ends as `Opened` or `Failure`.

Rule 1: `drive` may be cancelled at any wait and called again; it goes on where it stopped.
Rule 2: nothing has reached the client before `Opened`, so any failure here may be retried.
Rule 3: only a reused connection that died without one byte of reply is tried again at the same place.
"""

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError, ShedError, UpstreamTimeoutError, UpstreamUnavailableError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Endpoint
from proxy.model.event import Failed
from proxy.model.meter import Delivered
from proxy.model.outcome import Failure, Opened
from proxy.net.connection import Connection
from proxy.net.reply import StreamReply, WholeReply
from proxy.net.waiters import Waiter
from proxy.units import Seconds
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.http1 import ResponseHead, ResponseHeadReader
from proxy.wire.parsers import parser_named
from proxy.wire.retry_after import read_retry_after
from proxy.wire.transcript import Transcript

PROXY_AUTHENTICATION_REQUIRED = 407


class Attempt:
    """One try at one offer."""

    def __init__(self, call: Call, endpoint: Endpoint, gateway: Gateway) -> None:
        self.endpoint = endpoint
        self._call = call
        self._gateway = gateway
        self._limits = gateway.settings.limits
        self._delivered = Delivered()
        self._dialect = DIALECTS[endpoint.provider.dialect]
        self._encoder = DIALECTS[call.dialect].encode_response(call, endpoint)
        upstream = gateway.upstreams.of(endpoint)
        self._pool = upstream.pool
        self._request = upstream.request(
            call.surface,
            self._dialect.encode_request(call, endpoint),
            call.native_headers
            if call.dialect == endpoint.provider.dialect
            else self._dialect.headers,
        )
        self._parser = parser_named(endpoint.provider.parser)
        self._heads = ResponseHeadReader(self._limits.upstream_head_bytes_max, self._parser)
        self._head: ResponseHead | None = None
        self._body = NOTHING
        self._whole = bytearray()
        """A body that is not streamed; not a list, as pieces may be of one byte."""
        self._transcript: Transcript | None = None
        self._held: list[Buffer] = []
        self._held_bytes = 0
        self._sent_at = Seconds(-1.0)
        now = gateway.clock()
        self._started_at = self._heard_at = now
        self.deadline = Seconds(now + endpoint.timeouts.connect_s)
        """When the phase that the attempt is in must be over."""
        self._waiter: Waiter | None = None
        connection = self._pool.take() or self._pool.fresh()
        if connection is not None:
            self._use(connection)
        else:
            self._connection, self._reused = SPENT, False
            self._waiter = self._pool.line_up()

    async def drive(self) -> Opened | Failure | None:
        """Go on until there is a result; None: a phase is over and `deadline` has moved."""
        try:
            if self._sent_at < 0:
                reused = self._connection.ready
                await self._send()
                if not reused:
                    return None
            return await self._listen()
        except HedgerowError as error:
            return self._fail(error)
        except FramingError as error:
            return self._fail(
                UpstreamUnavailableError(f"Provider broke its reply's framing: {error}.")
            )
        except InterruptedError:
            return None
        except OSError:
            if not self._reused or self._heads.started or self._head is not None:
                return self._fail(UpstreamUnavailableError("Provider reset the connection."))
            try:
                self._start_over()
            except HedgerowError as error:
                return self._fail(error)
            return None

    def wake_at(self, deadline: float) -> bool:
        """Interrupt `drive` soon after `deadline`; False: not while it connects."""
        connection = self._connection
        if not connection.ready:
            return False
        connection.deadline = deadline
        self._pool.watch.waits.add(connection)
        return True

    def overdue(self) -> Failure:
        """The deadline passed."""
        if self._waiter is not None:
            return self._fail(ShedError("No connection to the provider became free in time."))
        what = "accept a connection" if self._sent_at < 0 else "answer"
        return self._fail(UpstreamTimeoutError(f"Provider did not {what} in time."))

    def close(self) -> None:
        """Drop the connection, or the place among those who wait for one; idempotent."""
        if self._waiter is not None:
            self._pool.leave(self._waiter)
            self._waiter = None
        if self._connection is not SPENT:
            self._pool.discard(self._connection)
            self._connection = SPENT

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._reused = connection.served > 0
        connection.queue(self._request)

    async def _send(self) -> None:
        if self._waiter is not None:
            connection = await self._pool.turn(self._waiter)
            self._waiter = None
            self._use(connection)
        connection = self._connection
        if not connection.ready:
            await self._pool.establish(connection)
        await connection.flush()
        timeouts = self.endpoint.timeouts
        self._sent_at = self._gateway.clock()
        limit = timeouts.first_token_s if self._call.stream else timeouts.total_s
        self.deadline = Seconds(self._sent_at + limit)

    def _start_over(self) -> None:
        """The idle connection had died unseen: once more, on one that nobody used."""
        self._use(self._pool.renewed(self._connection))
        self._sent_at = Seconds(-1.0)
        self.deadline = Seconds(self._gateway.clock() + self.endpoint.timeouts.connect_s)

    async def _listen(self) -> Opened | Failure:
        while True:
            data = await self._connection.receive()
            self._heard_at = self._gateway.clock()
            if self._head is None:
                if not data:
                    raise ConnectionResetError
                found = self._heads.feed(data)
                if found is None:
                    continue
                data = self._accept(*found)
                if not data and not self._body.done:
                    continue
            result = self._take_whole(data) if self._transcript is None else self._take_stream(data)
            if result is not None:
                return result

    def _accept(self, head: ResponseHead, rest: bytes) -> bytes:
        """Decide from the head how the body is read; returns the first bytes of it."""
        self._head = head
        self._body = self._parser.body(chunked=head.chunked, length=head.content_length)
        kind = head.headers.get(b"content-type", b"")
        coding = head.headers.get(b"content-encoding")
        if coding is not None and is_coded(coding):
            raise UpstreamUnavailableError("Provider compressed its reply though asked not to.")
        if 300 <= head.status <= 399:
            raise UpstreamUnavailableError("Provider redirected, which is not followed.")
        if head.status == PROXY_AUTHENTICATION_REQUIRED:
            raise UpstreamUnavailableError(f"Proxy refused the request: status {head.status}.")
        if head.status <= 299:
            if b"html" in kind:
                raise UpstreamUnavailableError("Provider sent a web page.")
            if self._call.stream and b"application/json" not in kind:
                self._transcript = self._open_transcript(head)
        return rest

    def _open_transcript(self, head: ResponseHead) -> Transcript:
        return Transcript(
            self._body,
            self._dialect.decode_response(self._call, self.endpoint, head.status),
            self._encoder,
            self._delivered,
            event_bytes_max=self._limits.upstream_event_bytes_max,
            stream_bytes_max=self._limits.upstream_stream_bytes_max,
        )

    def _take_stream(self, data: bytes) -> Opened | Failure | None:
        """Take received bytes of a stream, or the end of the connection (empty)."""
        transcript, head = self._transcript, self._head
        assert transcript is not None
        assert head is not None
        buffers = transcript.feed(data) if data else transcript.close()
        self._held += buffers
        if transcript.content or (transcript.ended and transcript.failure is None):
            reply = StreamReply(
                transcript, self._connection, self._pool, keep_alive=head.keep_alive
            )
            self._connection = SPENT
            return Opened(
                self.endpoint,
                reply,
                self._delivered,
                self._encoder,
                held=self._held,
                waited_s=self._waited_s(),
            )
        self._held_bytes += sum(map(len, buffers))
        if self._held_bytes > self._limits.upstream_event_bytes_max:
            raise UpstreamUnavailableError(
                "Provider's reply exceeds the size limit before its first content."
            )
        return self._fail(transcript.failure) if transcript.failure is not None else None

    def _take_whole(self, data: bytes) -> Opened | Failure | None:
        """Take received bytes of a reply that is not streamed, or the end of the connection."""
        if data:
            data, spans = self._body.feed(data)
            for start, end in spans:
                self._whole += data[start:end]
            if len(self._whole) > self._limits.upstream_reply_bytes_max:
                raise UpstreamUnavailableError("Provider's reply exceeds the size limit.")
        elif not self._body.close():
            raise UpstreamUnavailableError("Provider ended its reply early.")
        return self._conclude() if self._body.done else None

    def _conclude(self) -> Opened | Failure:
        """The whole body is here."""
        head = self._head
        assert head is not None
        body = bytes(self._whole.strip())  # some providers pad with blank lines while they think
        if head.keep_alive and not self._body.leftover:
            self._pool.give(self._connection)
            self._connection = SPENT
        events = self._dialect.decode_response(self._call, self.endpoint, head.status).feed(body)
        if isinstance(events[0], Failed):
            hint = read_retry_after(head.headers.get(b"retry-after"), self._gateway.unix())
            return self._fail(events[0].error, hint)
        if self._call.stream:
            return self._fail(UpstreamUnavailableError("Provider did not stream."))
        self._delivered.note(events)
        self.close()
        return Opened(
            self.endpoint,
            WholeReply(),
            self._delivered,
            self._encoder,
            events=events,
            waited_s=self._waited_s(),
        )

    def _fail(self, error: HedgerowError, retry_after_s: float | None = None) -> Failure:
        self.close()
        waited_s = self._gateway.clock() - self._started_at
        return Failure(self.endpoint, error, retry_after_s, waited_s)

    def _waited_s(self) -> float:
        return self._heard_at - self._sent_at


def is_coded(codings: bytes) -> bool:
    """Whether a value of Content-Encoding names anything that changes the body."""
    return any(word.strip().lower() not in {b"", b"identity"} for word in codings.split(b","))


NOTHING = BodyReader(chunked=False, length=0)
"""Stands where no head has come; never touched."""
SPENT = Connection("", None)
"""Stands where a connection was given away or closed, or is waited for; never touched."""

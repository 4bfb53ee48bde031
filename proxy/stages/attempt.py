"""One try at one offer: a resumable object that ends as `Opened` or `Failure`.

Rule 1: `drive` may be cancelled at any wait and called again; it goes on where it stopped.
Rule 2: nothing has reached the client before `Opened`, so any failure here may be retried.
Rule 3: only a reused connection that died without one byte of reply is tried again at the same place,
and, once, a request whose key was limited or refused, with another key.
"""

from proxy.dialects.registry import DIALECTS
from proxy.errors import HedgerowError, ShedError, UpstreamTimeoutError, UpstreamUnavailableError
from proxy.gateway import Gateway
from proxy.model.call import Call
from proxy.model.downstream import Buffer
from proxy.model.endpoint import Endpoint
from proxy.model.event import Failed
from proxy.model.meter import Delivered
from proxy.model.observation import Fault, Observation
from proxy.model.outcome import Dropped, Failure, Opened
from proxy.net.connection import Connection
from proxy.net.key import Lease
from proxy.net.keyring import Waiter as KeyWaiter
from proxy.net.leased import LeasedReply
from proxy.net.reply import StreamReply, WholeReply
from proxy.net.waiters import Waiter
from proxy.policy.faults import fault_of
from proxy.policy.owing import owed
from proxy.policy.pricing import BYTES_PER_TOKEN
from proxy.units import Seconds
from proxy.wire.body import BodyReader, FramingError
from proxy.wire.http1 import ResponseHead, ResponseHeadReader
from proxy.wire.parsers import parser_named
from proxy.wire.retry_after import read_retry_after
from proxy.wire.transcript import Transcript

PROXY_AUTHENTICATION_REQUIRED = 407
WATCHED = frozenset(("chat", "completions", "messages"))
"""Surfaces whose attempts say how an endpoint does; many that answer well cannot count tokens."""

TELLING = 0.5
"""Who lost after less than this share of the winner's time says nothing: it had hardly begun."""


class Attempt:
    """One try at one offer."""

    # Beyond 30 attributes instances share no dictionary of names: slots save 0.4 us an attempt.
    __slots__ = (
        "_asked", "_began_at", "_body", "_call", "_connection", "_delivered", "_dialect", "_encoder",
        "_gateway", "_head", "_heads", "_heard_at", "_held", "_held_bytes", "_key_waiter", "_keyring",
        "_lease", "_limits", "_more", "_moved", "_opened", "_parser", "_pool", "_request", "_reused",
        "_seen",
        "_sent_at", "_transcript", "_upstream", "_waiter", "_whole", "deadline", "endpoint",
    )  # fmt: skip

    def __init__(self, call: Call, endpoint: Endpoint, gateway: Gateway) -> None:
        self.endpoint = endpoint
        self._call = call
        self._gateway = gateway
        self._limits = gateway.settings.limits
        self._dialect = DIALECTS[endpoint.provider.dialect]
        upstream = self._upstream = gateway.upstreams.of(endpoint)
        self._pool, self._keyring = upstream.pool, upstream.keyring
        self._asked = self._dialect.encode_request(call, endpoint)
        if call.echoes is not None:
            call.echoes.append(self._asked)
        self._more = (
            call.native_headers
            if call.dialect == endpoint.provider.dialect
            else self._dialect.headers
        )
        self._parser = parser_named(endpoint.provider.parser)
        self._connection, self._reused = SPENT, False
        self._waiter: Waiter | None = None
        self._key_waiter: KeyWaiter | None = None
        self._opened: Opened | None = None
        """What came of it, if that is good."""
        self._lease: Lease | None = None
        """Of the key; None: there is none, or it is waited for, or it is no more needed."""
        self._moved = False
        """It has begun again with another key."""
        self._seen = False
        """The provider may have seen the request, on this connection or one before."""
        now = gateway.clock()
        self._began_at = self._heard_at = now
        self._forget(now)
        lease = None if self._keyring is None else self._keyring.take(self._tokens, now)
        if lease is None and self._keyring is not None:
            self._key_waiter = self._keyring.line_up(self._tokens, now, self.deadline)
        else:
            self._go(lease)
        if call.surface in WATCHED:
            gateway.live.health.began(endpoint, now)

    def _forget(self, now: Seconds) -> None:
        """Nothing is sent and nothing heard."""
        self._delivered = Delivered()
        self._encoder = DIALECTS[self._call.dialect].encode_response(self._call, self.endpoint)
        self._heads = ResponseHeadReader(self._limits.upstream_head_bytes_max, self._parser)
        self._head: ResponseHead | None = None
        self._body = NOTHING
        self._whole = bytearray()
        """A body that is not streamed; not a list, as pieces may be of one byte."""
        self._transcript: Transcript | None = None
        self._held: list[Buffer] = []
        self._held_bytes = 0
        self._sent_at = Seconds(-1.0)
        self.deadline = Seconds(now + self.endpoint.timeouts.connect_s)
        """When the phase that the attempt is in must be over."""

    def _go(self, lease: Lease | None) -> None:
        """Ask for a connection to send the request on. Raises: ShedError; then the key is free again."""
        self._lease = lease
        self._request = self._upstream.request(self._call.surface, self._asked, self._more, lease)
        try:
            connection = self._pool.take() or self._pool.fresh()
            if connection is None:
                self._waiter = self._pool.line_up()
            else:
                self._use(connection)
        except ShedError:
            self.close()
            raise

    @property
    def _tokens(self) -> int:
        """What the request may cost of a key's limit; estimated, at least 1."""
        call = self._call
        return call.prompt_bytes // BYTES_PER_TOKEN + (call.output_tokens_max or 0) or 1

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
        if self._key_waiter is not None and self._keyring is not None:
            return self._fail(self._keyring.late(self._key_waiter))
        if self._waiter is not None:
            return self._fail(ShedError("No connection to the provider became free in time."))
        what = "accept a connection" if self._sent_at < 0 else "answer"
        late = UpstreamTimeoutError(f"Provider did not {what} in time.")
        return self._fail(late, waited_s=self._silence_s(), cut=True)

    def abandon(self, winner_s: float = 0.0) -> Dropped:
        """Nobody waits for it any more; how long it was waited for may still be worth knowing.

        Args:
            winner_s: how long the attempt that won was waited for, seconds; 0: none did.
        """
        now, opened = self._gateway.clock(), self._opened
        ttft_s = self._silence_s() if opened is None else opened.waited_s
        if opened is not None:
            opened.reply.close()
        elif ttft_s is not None and ttft_s < winner_s:
            ttft_s = winner_s if ttft_s > winner_s * TELLING else None
        self.close()
        self._tell(
            Observation(
                self.endpoint,
                now,
                "client",
                streamed=self._call.stream,
                ttft_s=ttft_s,
                censored=opened is None,
            )
        )
        return Dropped(
            self.endpoint,
            self._began_at,
            now - self._began_at,
            owed(self._call, self.endpoint, self._delivered, sent=self._seen),
        )

    def _tell(self, observation: Observation) -> None:
        if self._call.surface in WATCHED:
            self._gateway.live.observe(observation)

    def close(self) -> None:
        """Drop connection and key, or the place among those who wait for one; idempotent."""
        if self._key_waiter is not None and self._keyring is not None:
            self._keyring.leave(self._key_waiter)
            self._key_waiter = None
        if self._waiter is not None:
            self._pool.leave(self._waiter)
            self._waiter = None
        if self._connection is not SPENT:
            self._pool.discard(self._connection)
            self._connection = SPENT
        if self._lease is not None:
            self._lease.release()
            self._lease = None

    def _use(self, connection: Connection) -> None:
        self._connection = connection
        self._reused = connection.served > 0
        connection.queue(self._request)

    async def _send(self) -> None:
        if self._key_waiter is not None and self._keyring is not None:
            lease = await self._keyring.turn(self._key_waiter)
            self._key_waiter = None
            self._go(lease)
        if self._waiter is not None:
            connection = await self._pool.turn(self._waiter)
            self._waiter = None
            self._use(connection)
        connection = self._connection
        if not connection.ready:
            await self._pool.establish(connection)
        if self._lease is not None:
            self._lease.sent(self._gateway.clock())
        await connection.flush()
        timeouts = self.endpoint.timeouts
        self._sent_at, self._seen = self._gateway.clock(), True
        limit = timeouts.first_token_s if self._call.stream else timeouts.total_s
        self.deadline = Seconds(self._sent_at + limit)

    def _start_over(self) -> None:
        """The idle connection had died unseen: once more, on one that nobody used."""
        self._use(self._pool.renewed(self._connection))
        if self._lease is not None:
            self._lease.unsent()
        self._sent_at = Seconds(-1.0)
        self.deadline = Seconds(self._gateway.clock() + self.endpoint.timeouts.connect_s)

    def _moves_on(self, error: HedgerowError, retry_after_s: float | None) -> bool:
        """Tell what an error says of our key; begin again if that is to blame and another is free.

        The endpoint is not blamed then, and the plan not spent; the retry budget is.
        """
        lease, keyring, now = self._lease, self._keyring, self._gateway.clock()
        if lease is None or keyring is None:
            return False
        match fault_of(error):
            case "rate_limit":
                keyring.limited(lease, retry_after_s, now)
            case "credential":
                keyring.refused(lease, now)
            case _ if error.error_type != "permission_denied":  # another key may be allowed more
                return False
            case _:
                pass
        other = None if self._moved else keyring.take_another(self._tokens, now)
        if other is None:
            return False
        if not self._gateway.live.retries.withdraw(now):
            other.release()
            return False
        self.close()
        self._moved = True
        self._forget(now)
        try:
            self._go(other)
        except ShedError:
            return False
        return True

    async def _listen(self) -> Opened | Failure | None:
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
            if result is not None or self._sent_at < 0:
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
            reply = self._handed_on(transcript, keep_alive=head.keep_alive)
            self._opened = Opened(
                self.endpoint,
                reply,
                self._delivered,
                self._encoder,
                held=self._held,
                waited_s=self._waited_s(),
                sent_at=self._sent_at,
            )
            return self._opened
        self._held_bytes += sum(map(len, buffers))
        if self._held_bytes > self._limits.upstream_event_bytes_max:
            raise UpstreamUnavailableError(
                "Provider's reply exceeds the size limit before its first content."
            )
        if transcript.failure is None or self._moves_on(transcript.failure, None):
            return None
        return self._fail(transcript.failure)

    def _handed_on(self, transcript: Transcript, *, keep_alive: bool) -> StreamReply:
        """The reply, which from now on holds the connection, and the key if it is counted."""
        connection, lease = self._connection, self._lease
        self._succeeded()
        self._connection, self._lease = SPENT, None
        if lease is None or not lease.counted:
            return StreamReply(transcript, connection, self._pool, keep_alive=keep_alive)
        return LeasedReply(transcript, connection, self._pool, keep_alive=keep_alive, lease=lease)

    def _succeeded(self) -> None:
        if self._lease is not None and self._keyring is not None:
            self._keyring.succeeded(self._lease, self._sent_at)

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

    def _conclude(self) -> Opened | Failure | None:
        """The whole body is here."""
        head = self._head
        assert head is not None
        body = bytes(self._whole.strip())  # some providers pad with blank lines while they think
        if head.keep_alive and not self._body.leftover:
            self._pool.give(self._connection)
            self._connection = SPENT
        events = self._dialect.decode_response(self._call, self.endpoint, head.status).feed(body)
        if isinstance(events[0], Failed):
            error = events[0].error
            hint = read_retry_after(head.headers.get(b"retry-after"), self._gateway.unix())
            return None if self._moves_on(error, hint) else self._fail(error, hint)
        if self._call.stream:
            return self._fail(UpstreamUnavailableError("Provider did not stream."))
        self._delivered.note(events)
        self._succeeded()
        self.close()
        self._opened = Opened(
            self.endpoint,
            WholeReply(),
            self._delivered,
            self._encoder,
            events=events,
            waited_s=self._waited_s(),
            sent_at=self._sent_at,
        )
        return self._opened

    def _fail(
        self, error: HedgerowError, retry_after_s: float | None = None, *,
        waited_s: float | None = None, cut: bool = False,
    ) -> Failure:  # fmt: skip
        """End it, and tell who keeps statistics.

        Args:
            waited_s: the time to the first token is no less than this.
            cut: the provider may still be at work on it.
        """
        self.close()
        now = self._gateway.clock()
        self._tell(
            Observation(
                self.endpoint,
                now,
                self._blame(error),
                streamed=self._call.stream,
                ttft_s=waited_s,
                censored=waited_s is not None,
                retry_after_s=retry_after_s,
            )
        )
        return Failure(
            self.endpoint,
            error,
            retry_after_s,
            now - self._began_at,
            self._began_at,
            sent=self._seen,
            owed=owed(self._call, self.endpoint, self._delivered, sent=self._seen, cut=cut),
        )

    def _blame(self, error: HedgerowError) -> Fault:
        """Whose fault it is; of several keys the one it was sent with, which rests already."""
        fault, keyring = fault_of(error), self._keyring
        if fault in {"rate_limit", "credential"} and keyring is not None and keyring.counts:
            return "gateway"
        return fault

    def _silence_s(self) -> float | None:
        """How long a stream has been waited for so far: its time to the first token is no less."""
        if self._sent_at < 0 or not self._call.stream:
            return None
        return self._gateway.clock() - self._sent_at

    def _waited_s(self) -> float:
        return self._heard_at - self._sent_at


def is_coded(codings: bytes) -> bool:
    """Whether a value of Content-Encoding names anything that changes the body."""
    return any(word.strip().lower() not in {b"", b"identity"} for word in codings.split(b","))


NOTHING = BodyReader(chunked=False, length=0)
"""Stands where no head has come; never touched."""
SPENT = Connection("", None)
"""Stands where a connection was given away or closed, or is waited for; never touched."""

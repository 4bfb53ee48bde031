"""The keys of one provider: which one a request is sent with, and who waits for one.

A key is chosen by weight among those that do not rest and are below their limits. Who finds none waits
in line, unless that is known to be in vain.

Rule 1: first come, first served: while somebody waits, nobody else is given a key.
Rule 2: a lease that its waiter does not take is handed on.
Rule 3: a single key without limits counts nothing and is given to everybody, rest or not.
"""

import logging
import math
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import trio

from proxy.errors import CredentialsBusyError, ShedError
from proxy.model.call import Surface
from proxy.model.endpoint import Credential, Provider
from proxy.net.allowance import Allowance
from proxy.net.key import CountedLease, Key, KeyReport, Lease
from proxy.units import Seconds

log = logging.getLogger("hedgerow.keys")

RETRY_AFTER_MAX_S = 3600
METADATA = {"limit_source": "gateway_provider_credentials"}

OnRest: TypeAlias = Callable[[str, Seconds | None], None]
"""Told (provider id, until when no key of it can be used); None: one can again."""


class Waiter:
    """A place in the line; kept through any number of cancelled waits, until it leaves."""

    __slots__ = ("lease", "stirred", "tokens", "waits")

    def __init__(self, tokens: int) -> None:
        self.tokens = tokens
        self.lease: Lease | None = None
        """Ours, from when it is handed out."""
        self.stirred = trio.Event()
        """Set when there is a lease, or something to look at."""
        self.waits = False
        """Some task waits in `Keyring.turn` now."""


class Keyring:
    """All keys of one provider."""

    def __init__(
        self,
        provider: Provider,
        heads: Sequence[Mapping[Surface, bytes]],
        *,
        clock: Callable[[], Seconds],
        on_rest: OnRest,
    ) -> None:
        """Take the keys in the order of the settings.

        Args:
            heads: request heads of each of `provider.credentials`; of its `api_key` if there are none.
            on_rest: told when no key can be used, and when one can again.
        """
        said = provider.credentials or (Credential(provider.api_key or ""),)
        counted = len(said) > 1 or said[0].limited
        self.keys = [
            Key(
                f"{provider.id}#{number}",
                heads_of_one,
                one.weight,
                Allowance(one.rpm, one.tpm, one.max_concurrency) if counted else None,
            )
            for number, (one, heads_of_one) in enumerate(zip(said, heads, strict=True), 1)
        ]
        self._sole = None if counted else Lease(self.keys[0])
        self._provider = provider
        self._clock = clock
        self._on_rest = on_rest
        self._told: Seconds | None = None
        """Until when everybody was told that no key can be used."""
        self._line: OrderedDict[Waiter, None] = OrderedDict()
        self._timekeeper: Waiter | None = None
        """The one waiter that also waits for the next limit to open."""

    @property
    def counts(self) -> bool:
        """Whether the requests of each key are counted; False: a single one without limits."""
        return self._sole is None

    @property
    def waiting(self) -> int:
        """Requests in line."""
        return len(self._line)

    def take(self, tokens: int, now: Seconds) -> Lease | None:
        """A key for a request of `tokens`, at once; None: `line_up`.

        A single key without limits is always given: whether it rests is up to planning.
        """
        if self._sole is not None:
            return self._sole
        return None if self._line else self._choose(tokens, now)

    def take_another(self, tokens: int, now: Seconds) -> Lease | None:
        """A key for a request that failed because of the one it had; None: none is free."""
        return None if self._sole is not None else self.take(tokens, now)

    def line_up(self, tokens: int, now: Seconds, deadline: Seconds) -> Waiter:
        """Come last among those who wait; then `turn`, then perhaps `leave`.

        Raises: ShedError, mostly CredentialsBusyError, where too many wait, or where no key can be
            had until `deadline` for certain.
        """
        if all(key.is_hopeless(tokens, now, deadline) for key in self.keys):
            raise self._refusal(tokens, now, "No key for the provider is free in time.")
        if len(self._line) >= self._provider.credential_waiters_max:
            most = self._provider.credential_waiters_max
            problem = f"More than {most} requests wait for a key for one provider."
            raise self._refusal(tokens, now, problem)
        waiter = Waiter(tokens)
        self._line[waiter] = None
        return waiter

    async def turn(self, waiter: Waiter) -> Lease:
        """Wait for a key; resumable, and the place is kept. The waiter is done with then."""
        waiter.waits = True
        try:
            while waiter.lease is None:
                if self._timekeeper is None:
                    self._timekeeper = waiter
                due = self._next_opening() if self._timekeeper is waiter else math.inf
                with trio.CancelScope(deadline=due):
                    await waiter.stirred.wait()
                waiter.stirred = trio.Event()
                self._serve()
            return waiter.lease
        finally:
            waiter.waits = False
            if self._timekeeper is waiter:
                self._timekeeper = None
                self._stir()

    def leave(self, waiter: Waiter) -> None:
        """Give up waiting; a key that has come already goes to the next one."""
        if waiter.lease is not None:
            waiter.lease.release()
        else:
            del self._line[waiter]
            self.hand_out()

    def late(self, waiter: Waiter) -> ShedError:
        """What to say to one who waited in vain."""
        return self._refusal(
            waiter.tokens, self._clock(), "No key for the provider became free in time."
        )

    def hand_out(self) -> None:
        """Something changed: give those in line what is free, and look when there is more."""
        if self._line:
            self._serve()
            self._stir()

    def succeeded(self, lease: Lease, sent_at: Seconds) -> None:
        """A request that was sent then was served."""
        if lease.key.succeeded(sent_at):
            if self._told is not None:
                self._told = None
                self._on_rest(self._provider.id, None)
            self.hand_out()

    def limited(self, lease: Lease, retry_after_s: float | None, now: Seconds) -> None:
        """The provider said 429; a single key without limits leaves that to its endpoints."""
        if self._sole is None:
            lease.key.rest("rate_limit", retry_after_s, now)
            self._tell(now)

    def refused(self, lease: Lease, now: Seconds) -> None:
        """The provider refused the key, or its account is out of credit."""
        key = lease.key
        if key.rest("credential", None, now):
            log.warning("alert: key %s was refused, or is out of credit; it rests", key.label)
        self._tell(now)

    def rests(self, now: Seconds) -> bool:
        """Whether all keys rest."""
        return all(now < key.until for key in self.keys)

    def statistics(self) -> list[KeyReport]:
        """Each key, in the order of the settings."""
        now = self._clock()
        return [key.report(now) for key in self.keys]

    def _serve(self) -> None:
        now = self._clock()
        while self._line:
            waiter = next(iter(self._line))
            waiter.lease = self._choose(waiter.tokens, now)
            if waiter.lease is None:
                break
            del self._line[waiter]
            waiter.stirred.set()

    def _choose(self, tokens: int, now: Seconds) -> Lease | None:
        """Smooth weighted round robin: the turns of each key are spread evenly."""
        open_keys = [key for key in self.keys if key.opens_at(tokens, now) <= now]
        if not open_keys:
            return None
        for key in open_keys:
            key.credit += key.weight
        chosen = max(open_keys, key=lambda key: key.credit)
        chosen.credit -= sum(key.weight for key in open_keys)
        return CountedLease(chosen, tokens, self.hand_out)

    def _tell(self, now: Seconds) -> None:
        until = min(key.until for key in self.keys)
        if until > now and until != self._told:
            self._told = until
            self._on_rest(self._provider.id, until)

    def _next_opening(self) -> float:
        """When the first in line may go, if nothing else happens."""
        waiter, now = next(iter(self._line)), self._clock()
        return min(key.opens_at(waiter.tokens, now) for key in self.keys)

    def _stir(self) -> None:
        """Let whoever keeps the time look again, or somebody begin to."""
        keeper = self._timekeeper or next((one for one in self._line if one.waits), None)
        if keeper is not None:
            keeper.stirred.set()

    def _refusal(self, tokens: int, now: Seconds, problem: str) -> ShedError:
        """Why no key is to be had, with the time after which there may be one."""
        if not any(key.fits(tokens) for key in self.keys):
            problem = (
                "The request has more tokens than any key for the provider may send in a minute."
            )
            return CredentialsBusyError(problem, metadata=METADATA)
        opens = min(key.opens_at(tokens, now) for key in self.keys)
        seconds = 1 if opens == math.inf else min(max(math.ceil(opens - now), 1), RETRY_AFTER_MAX_S)
        refused = all(now < key.until and key.reason == "credential" for key in self.keys)
        kind = ShedError if refused else CredentialsBusyError
        return kind(problem, metadata=METADATA, headers=(("retry-after", str(seconds)),))

"""What every simulated user does: asks at its pace, reads the reply as it comes, checks all of it, reports the times.

In locust's tables each request is a row of its own with the time to the reply's head, and by its side stand rows of other
types: `ttft` (first content), `gap` (between arrivals of content), `whole`, `overhead` and `own`. `overhead` is what the
client waited for the first content less what the provider kept the request: network, gateway and locust's own delay, so
rather too much than too little. Only replies of one attempt have it. `own` is the gateway's share in its own words; it
cannot know what waited in its sockets.
"""

import json
import os
import random
import re
from abc import abstractmethod
from time import perf_counter
from typing import ClassVar

import gevent
from locust import HttpUser, events
from locust.clients import ResponseContextManager
from locust.env import Environment
from requests import RequestException
from urllib3.exceptions import HTTPError

from loadtests import answers, stamps, watching
from loadtests.answers import Answer, Document
from loadtests.figures import Figures
from loadtests.scenarios import Scenario
from loadtests.stamps import BadReplyError

PATH = "/api/v1/chat/completions"
KEY_VARIABLE = "HEDGEROW_LOAD_KEY"
MODEL_VARIABLE = "HEDGEROW_LOAD_MODEL"
"""Asked for instead of the models of our own providers."""
SILENCE_S_MAX = 30.0
"""A reply of which nothing comes for so long has failed."""
_OWN = re.compile(r"gateway;dur=([0-9.]+)")


class GatewayUser(HttpUser):
    """A user of the gateway; a scenario says in `act` what it does each time."""

    abstract = True
    host = "http://127.0.0.1:8080"
    scenario: ClassVar[Scenario]
    figures: ClassVar[Figures] = Figures()
    """Of the run; all users write into the same."""

    def __init__(self, environment: Environment) -> None:
        """A user with draws and connections of its own."""
        super().__init__(environment)
        self.draw = random.Random(f"{self.scenario.name} {id(self)}")
        self._due = 0.0
        key = os.environ.get(KEY_VARIABLE)
        self._headers = {"content-type": "application/json"}
        if key:
            self._headers["authorization"] = f"Bearer {key}"
        self.client.trust_env = False

    def on_start(self) -> None:
        """Begin somewhere in the pace, lest users of one second march in step."""
        gevent.sleep(self.draw.uniform(0.0, self.scenario.pace_s))
        self._due = perf_counter()

    def wait_time(self) -> float:
        """Seconds until the next turn. Turns planned for a time that has passed are counted as missed."""
        now = perf_counter()
        self._due += self._span()
        while self._due < now:
            self.figures.missed(self._due)
            self._due += self._span()
        return self._due - now

    def _span(self) -> float:
        return self.scenario.pace_s * self.draw.uniform(0.5, 1.5)

    @abstractmethod
    def act(self) -> None:
        """One turn."""

    def nonce(self) -> str:
        """A new one."""
        return f"{self.draw.getrandbits(48):012x}"

    def ask(
        self, model: str, messages: list[Document], nonce: str, **more: object
    ) -> Answer | None:
        """Ask for a reply, streamed if `more` says `stream=True`; None if it is not as it must be.

        Args:
            model: of our providers, such as "steady".
            nonce: that the first message names.
            more: further fields of the request.
        """
        name = os.environ.get(MODEL_VARIABLE) or f"load/{model}"
        body = json.dumps({"model": name, "messages": messages, **more}).encode()
        began = perf_counter()
        with self.client.post(
            PATH, data=body, headers=self._headers, name=self.scenario.name, stream=True,
            catch_response=True, timeout=SILENCE_S_MAX,
        ) as reply:  # fmt: skip
            try:
                answer = _read(reply, stream=bool(more.get("stream")))
                stamp = answers.check(answer, nonce, stamped=watching.stamped())
            except BadReplyError as error:
                self.figures.failed(str(error))
                reply.failure(str(error))
                return None
        self.figures.answered(began, answer.attempts)
        waited_s = stamp.waited_s if stamp and answer.attempts == 1 else None
        self._report(answer, began, waited_s, stream=bool(more.get("stream")))
        return answer

    def _report(
        self, answer: Answer, began: float, waited_s: float | None, *, stream: bool
    ) -> None:
        """Args: waited_s: how long the provider kept the request, where that is known."""
        first_s = answer.first_at - began
        if stream:
            self.time("ttft", first_s, began)
            for gap_s in answer.gaps_s:
                self.time("gap", gap_s, began)
        self.time("whole", answer.ended_at - began, began)
        if waited_s is not None:
            self.time("overhead", max(first_s - waited_s, 0.0), began)
        if answer.own_s is not None:
            self.time("own", answer.own_s, began)

    def time(self, what: str, seconds: float, began: float) -> None:
        """Report a time of something that began at `began`, as a row of type `what`."""
        self.figures.add(what, seconds, began)
        self._fire(what, seconds, None)

    def fault(self, what: str, reason: str) -> None:
        """Report that something of several requests went wrong, as a failure in the row of type `what`."""
        self.figures.failed(reason)
        self._fire(what, 0.0, BadReplyError(reason))

    def _fire(self, what: str, seconds: float, error: BadReplyError | None) -> None:
        self.environment.events.request.fire(
            request_type=what,
            name=self.scenario.name,
            response_time=seconds * 1e3,
            response_length=0,
            exception=error,
            context={},
        )


def _read(reply: ResponseContextManager, *, stream: bool) -> Answer:
    """The answer, and what its head tells. Raises: BadReplyError."""
    if reply.status_code == 0:
        raise BadReplyError(f"no reply: {type(reply.error).__name__}")
    if reply.status_code != 200:
        raise BadReplyError(f"status {reply.status_code}")
    pieces = reply.iter_content(chunk_size=None)
    try:
        read = answers.read_stream if stream else answers.read_whole
        answer = read(pieces, perf_counter)
    except (RequestException, HTTPError, OSError) as error:
        raise BadReplyError(f"broke off: {type(error).__name__}") from error
    answer.attempts = int(reply.headers.get("x-hedgerow-attempts", "1"))
    own = _OWN.search(reply.headers.get("server-timing", ""))
    answer.own_s = float(own[1]) / 1e3 if own else None
    return answer


def prompt(nonce: str, text: str) -> Document:
    """A user's message with the nonce."""
    return {"role": "user", "content": f"{stamps.ask(nonce)} {text}"}


def _init(environment: Environment, **_: object) -> None:
    """Watch the run of whatever users this locust has."""
    users = [one for one in environment.user_classes if issubclass(one, GatewayUser)]
    if users:
        watching.attach(environment, GatewayUser.figures, users[0].scenario)


events.init.add_listener(_init)

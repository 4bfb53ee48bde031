"""Several models, streamed or not, and a provider that is sick: clients must not notice.

The model `load/shared` is served by three providers. One of them answers three requests in ten with 503, 429, a closed
connection or an error as first event, and one in seven with four seconds of silence. One user in ten insists on asking it first, so
that it is never quite left alone.
"""

from locust import task

from loadtests.answers import Document
from loadtests.scenarios import SCENARIOS
from loadtests.users import GatewayUser, prompt

PIECES = 20
STREAMED = 0.8
"""Share of requests."""


class MixedUser(GatewayUser):
    """Asks now this model, now that."""

    scenario = SCENARIOS["mixed"]

    @task(5)
    def act(self) -> None:
        """Ask the model that the sick provider serves with two others."""
        self._ask("shared")

    @task(2)
    def ask_steady(self) -> None:
        """Ask a model that only a healthy one serves."""
        self._ask("steady")

    @task(2)
    def ask_quick(self) -> None:
        """The same, another."""
        self._ask("quick")

    @task(1)
    def ask_sick_first(self) -> None:
        """Ask the sick provider first; others may follow."""
        self._ask("shared", provider={"order": ["sick"]})

    def _ask(self, model: str, **more: Document) -> None:
        nonce = self.nonce()
        stream = self.draw.random() < STREAMED
        question = [prompt(nonce, "Name five shrubs of a hedge.")]
        self.ask(model, question, nonce, max_tokens=PIECES, stream=stream, **more)

"""Short answers in one piece: how many requests go through, and what each costs in time."""

from locust import task

from loadtests.scenarios import SCENARIOS
from loadtests.users import GatewayUser, prompt

PIECES = 16


class ChatUser(GatewayUser):
    """Asks a short question and waits for the whole answer."""

    scenario = SCENARIOS["chat"]

    @task
    def act(self) -> None:
        """Ask once."""
        nonce = self.nonce()
        words = "What is a hedgerow, and who looks after it? Answer in one sentence."
        self.ask("quick", [prompt(nonce, words)], nonce, max_tokens=PIECES)

"""Streams, read as they come: the time to the first content, and the pace of the rest."""

from locust import task

from loadtests.scenarios import SCENARIOS
from loadtests.users import GatewayUser, prompt

PIECES = 40


class StreamingUser(GatewayUser):
    """Asks a short question and reads the answer piece by piece."""

    scenario = SCENARIOS["streaming"]

    @task
    def act(self) -> None:
        """Ask once."""
        nonce = self.nonce()
        words = "Tell the story of a hedge from its planting to its hundredth year."
        self.ask("steady", [prompt(nonce, words)], nonce, max_tokens=PIECES, stream=True)

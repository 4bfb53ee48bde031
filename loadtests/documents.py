"""Long documents with a short question: bodies of 50 to 400 KB, read, planned for and sent on."""

from locust import task

from loadtests.scenarios import SCENARIOS
from loadtests.users import GatewayUser, prompt

KILOBYTES = (50, 100, 200, 400)
SENTENCE = 'The hedge along the lane was laid in the winter of 1911, "plashed" as they say, and has grown since. '
PIECES = 12


class DocumentUser(GatewayUser):
    """Sends a document and asks for its gist."""

    scenario = SCENARIOS["documents"]

    @task
    def act(self) -> None:
        """Ask once."""
        nonce = self.nonce()
        size = self.draw.choice(KILOBYTES) * 1_000
        text = (SENTENCE * (size // len(SENTENCE) + 1))[:size]
        self.ask("quick", [prompt(nonce, text)], nonce, max_tokens=PIECES, stream=True)

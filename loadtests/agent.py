"""Jobs with tools: the model asks for a tool, the user sends what it said, three to six times, the context growing.

A row of type `job` has the whole of it.
"""

import json
from time import perf_counter

from locust import task

from loadtests.answers import Answer, Document
from loadtests.scenarios import SCENARIOS
from loadtests.users import GatewayUser, prompt
from loadtests.watching import stamped

TURNS_MIN, TURNS_MAX = 3, 6
PIECES = 12
RESULT_BYTES = (2_000, 8_000)
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "look_up",
            "description": "Looks something up in the register of hedges.",
            "parameters": {"type": "object", "properties": {"step": {"type": "integer"}}},
        },
    }
]
SYSTEM: Document = {"role": "system", "content": "You keep a register of hedges. " * 40}


class AgentUser(GatewayUser):
    """Gives the model a job and runs its tools."""

    scenario = SCENARIOS["agent"]

    @task
    def act(self) -> None:
        """One job, from the question to the answer without a tool call."""
        nonce = self.nonce()
        messages = [SYSTEM, prompt(nonce, "Which of our hedges is the oldest? Look it up.")]
        began = perf_counter()
        for turn in range(1, TURNS_MAX + 1):
            answer = self.ask("quick", messages, nonce, tools=TOOLS, max_tokens=PIECES, stream=True)
            if answer is None:
                return
            if not answer.calls:
                self._end(turn, began)
                return
            messages = [*messages, *self._results(answer)]
        self._end(TURNS_MAX + 1, began)

    def _end(self, turns: int, began: float) -> None:
        """Report the job. Providers that are not ours may take as many turns as they like; six are enough of them."""
        if TURNS_MIN <= turns <= TURNS_MAX or not stamped():
            self.time("job", perf_counter() - began, began)
        else:
            self.fault("job", "wrong number of turns")

    def _results(self, answer: Answer) -> list[Document]:
        """What the model said, and what its tools did."""
        calls = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": c.arguments}}
            for c in answer.calls
        ]
        said: Document = {"role": "assistant", "content": answer.text, "tool_calls": calls}
        size = self.draw.randint(*RESULT_BYTES)
        result = json.dumps({"hedges": ("hawthorn, blackthorn, hazel; " * 300)[:size]})
        results: list[Document] = [
            {"role": "tool", "tool_call_id": call.id, "content": result} for call in answer.calls
        ]
        return [said, *results]

"""Streams, and step by step more users: where do times begin to rise?"""

from locust import LoadTestShape

from loadtests import streaming  # not the class: locust runs every user class that it finds here
from loadtests.scenarios import SCENARIOS

STEPS = 6


class RampUser(streaming.StreamingUser):
    """The same user; there are more and more of them."""

    scenario = SCENARIOS["ramp"]


class RampShape(LoadTestShape):
    """`--users` is the last step's, `--run-time` the whole."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users that there should be now, and how fast to get there; None: the end."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        scenario = RampUser.scenario
        last = (options and options.num_users) or scenario.users
        seconds = (options and options.run_time) or scenario.seconds
        step = int(self.get_run_time() / seconds * STEPS)
        if step >= STEPS:
            return None
        return max(1, last * (step + 1) // STEPS), max(1.0, last / STEPS)

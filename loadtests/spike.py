"""Streams, and suddenly eight times as many users: for the middle fifth of the run."""

from locust import LoadTestShape

from loadtests import streaming  # not the class: locust runs every user class that it finds here
from loadtests.scenarios import SCENARIOS

CALM = 8
"""The usual number of users is the peak's, divided by this."""
FROM, TO = 0.4, 0.6
"""Share of the run at which the peak begins and ends."""


class SpikeUser(streaming.StreamingUser):
    """The same user, in a crowd."""

    scenario = SCENARIOS["spike"]


class SpikeShape(LoadTestShape):
    """`--users` is the peak, `--run-time` the whole."""

    use_common_options = True

    def tick(self) -> tuple[int, float] | None:
        """Users that there should be now, and how fast to get there; None: the end."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        scenario = SpikeUser.scenario
        peak = (options and options.num_users) or scenario.users
        seconds = (options and options.run_time) or scenario.seconds
        share = self.get_run_time() / seconds
        if share >= 1:
            return None
        users = peak if FROM <= share < TO else max(1, peak // CALM)
        return users, float(peak)

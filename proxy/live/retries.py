"""How many attempts beyond the first are still affordable, for all requests together.

Rule 1: a provider that fails altogether costs a share more, never a multiple: there is no storm of
retries. Rule 2: nothing is saved up for longer than the window.
Source: linkerd's and Finagle's retry budgets (20 % of requests, 10 a second, over 10 s).
"""

from proxy.config.settings import RetrySettings
from proxy.policy.recent import Recent
from proxy.units import Seconds

WINDOW_S = 10


class RetryBudget:
    """A share of the requests of the last 10 s, and some per second."""

    def __init__(self, settings: RetrySettings) -> None:
        self._share = settings.budget_share
        self._least = settings.budget_per_s * WINDOW_S
        self._requests = Recent(WINDOW_S)
        self._withdrawn = Recent(WINDOW_S)

    def request(self, now: Seconds) -> None:
        """A request begins."""
        self._requests.add(now)

    def withdraw(self, now: Seconds) -> bool:
        """Whether one more attempt is affordable; if so, it is counted."""
        affordable = self.left(now) > 0
        if affordable:
            self._withdrawn.add(now)
        return affordable

    def left(self, now: Seconds) -> int:
        """Attempts that are affordable now, 0 or more."""
        deposited = self._least + self._share * self._requests.total(now, WINDOW_S)
        return max(int(deposited + ROUNDING) - self._withdrawn.total(now, WINDOW_S), 0)


ROUNDING = 1e-9
"""A fifth of 35 is 7, not 7.000000000000001 or 6.999999999999999."""

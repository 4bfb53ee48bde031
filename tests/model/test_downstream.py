"""What a door provides for one request: the stages ask for exactly this."""

import inspect

from proxy.model.downstream import Downstream


def test_a_door_waits_only_where_a_client_may_be_slow() -> None:
    asynchronous = {
        name
        for name, member in vars(Downstream).items()
        if not name.startswith("_") and inspect.iscoroutinefunction(member)
    }

    assert {"body", "drain", "end", "reply"} == asynchronous


def test_starting_and_writing_are_synchronous() -> None:
    assert not inspect.iscoroutinefunction(Downstream.start)
    assert not inspect.iscoroutinefunction(Downstream.write)

"""Every error says whose fault it is, and whether another try may help."""

import pytest

from proxy import errors


def leaves() -> list[type[errors.HedgerowError]]:
    found, todo = [], [errors.HedgerowError]
    while todo:
        kind = todo.pop()
        todo += kind.__subclasses__()
        found.append(kind)
    return found


@pytest.mark.parametrize("kind", leaves(), ids=lambda k: k.__name__)
def test_a_leaf_has_blame_retry_status_and_type(kind: type[errors.HedgerowError]) -> None:
    error = kind("what")

    assert "what" == error.message == str(error)
    assert 400 <= error.status <= 599
    assert error.source in {"downstream", "upstream", "gateway"}
    assert "never" == error.retry or "upstream" == error.source
    assert error.error_type == error.error_type.lower()

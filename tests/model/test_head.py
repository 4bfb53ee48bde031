"""A head without a body says so."""

from proxy.model.head import RequestHead


def test_a_head_has_no_body_unless_it_says_so() -> None:
    head = RequestHead("GET", "/", b"", {})

    assert (0, False, True) == (head.content_length, head.chunked, head.keep_alive)

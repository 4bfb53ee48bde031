"""A request's head: without a word about its body, there is none, and the connection stays."""

from proxy.model.head import RequestHead


def test_a_head_has_no_body_and_keeps_the_connection_unless_it_says_so() -> None:
    head = RequestHead("GET", "/v1/models", b"", {})

    assert (0, False, False) == (head.content_length, head.chunked, head.expects_continue)
    assert (True, False) == (head.keep_alive, head.http_10)

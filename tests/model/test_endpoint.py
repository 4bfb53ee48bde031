"""An endpoint has one stable name."""

from tests.fakes.things import an_endpoint


def test_an_endpoint_is_named_by_provider_tag_and_model() -> None:
    assert "acme:maker/model" == an_endpoint().id
    assert "acme/fast:maker/model" == an_endpoint(tag="fast").id

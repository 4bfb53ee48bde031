"""Environment variables over a document."""

import pytest

from proxy.config.overlay import overlay_environment
from proxy.errors import ConfigError
from proxy.model.document import Document


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("HEDGEROW_SERVER__DATA", "5", {"server": {"data": "5"}}),
        ("HEDGEROW_SERVER__BIND", "a:1, b:2", {"server": {"bind": ["a:1", "b:2"]}}),
        ("HEDGEROW_SERVER__BIND", '["a:1"]', {"server": {"bind": ["a:1"]}}),
        ("HEDGEROW_POLICY__ZDR", "true", {"policy": {"zdr": True}}),
        ("HEDGEROW_TIMEOUTS__IDLE", "2.5", {"timeouts": {"idle": 2.5}}),
        ("HEDGEROW_LIMITS__HEADERS_MAX", "many", {"limits": {"headers_max": "many"}}),
        ("HEDGEROW_LIMITS__HEADERS_MAX", "1\nx = 2", {"limits": {"headers_max": "1\nx = 2"}}),
        ("HEDGEROW_CATALOG", "none", {"catalog": "none"}),
        ("HEDGEROW_ALIASES__FAST", "a/b", {"aliases": {"fast": "a/b"}}),
        (
            "HEDGEROW_PROVIDERS__MOCK__BASE_URL",
            "http://m/v1",
            {"providers": {"mock": {"base_url": "http://m/v1"}}},
        ),
        ("HEDGEROW_SERVER__BNID", "1", {"server": {"bnid": 1}}),
        ("HEDGEROW_NO__SUCH__KEY", "x", {"no": {"such": {"key": "x"}}}),
    ],
)
def test_a_variable_sets_the_key_it_names(name: str, text: str, expected: Document) -> None:
    assert overlay_environment({}, {name: text}) == expected


def test_variables_that_kubernetes_sets_are_ignored() -> None:
    environ = {"HEDGEROW_PORT": "tcp://1", "HEDGEROW_SERVICE_HOST": "x", "PATH": "/", "A__B": "1"}

    assert overlay_environment({}, environ) == {}


def test_the_file_keeps_the_rest_and_its_spelling_and_is_not_changed() -> None:
    document: Document = {"providers": {"My-Box": {"name": "n", "dialect": "openai-chat"}}}

    overlaid = overlay_environment(document, {"HEDGEROW_PROVIDERS__MY_BOX__NAME": "m"})

    assert overlaid == {"providers": {"My-Box": {"name": "m", "dialect": "openai-chat"}}}
    assert document == {"providers": {"My-Box": {"name": "n", "dialect": "openai-chat"}}}


@pytest.mark.parametrize("name", ["HEDGEROW___A", "HEDGEROW_SERVER__", "HEDGEROW_A____B"])
def test_a_name_with_an_empty_part_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a part of the name is empty"):
        overlay_environment({}, {name: "1"})


def test_a_name_that_leads_through_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"HEDGEROW_CATALOG__X: catalog is not a table"):
        overlay_environment({"catalog": "none"}, {"HEDGEROW_CATALOG__X": "1"})

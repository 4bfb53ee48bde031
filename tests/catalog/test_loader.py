"""Which providers are live and what they serve."""

import pytest

from proxy.catalog.catalog import Catalog
from proxy.catalog.loader import ROUTING_SUFFIXES, build_catalog
from proxy.config import parse_settings
from proxy.errors import ConfigError
from proxy.model.document import Document, Json
from proxy.policy.suffixes import IGNORED, SORTING

OWN: Document = {"base_url": "http://127.0.0.1:9/v1/"}


def served(provider: str, model: str = "own/model", **more: Json) -> Document:
    endpoint: Document = {"provider": provider, "upstream_model": "m", "prices": "free"}
    return {"id": model, "context_length": 10, "endpoints": [endpoint], **more}


def build(document: Document | None = None, **environ: str) -> Catalog:
    return build_catalog(parse_settings(document or {}, origin="test"), environ=environ)


def providers_of(catalog: Catalog, model: str) -> list[str]:
    return [endpoint.provider.id for endpoint in catalog.models[model].endpoints]


def test_without_keys_the_sandbox_stands_in_for_every_model() -> None:
    catalog = build()

    assert catalog.sandboxed
    assert providers_of(catalog, "openai/gpt-4o") == ["sandbox"] * 3
    assert list(catalog.providers) == ["sandbox"]
    assert len(catalog.models) == len(catalog.all_models)


def test_a_key_makes_its_provider_live_and_leaves_the_sandbox_its_own_model() -> None:
    catalog = build(GROQ_API_KEY="k", OPENAI_API_KEY="")

    assert not catalog.sandboxed
    assert list(catalog.providers) == ["groq", "sandbox"]
    assert providers_of(catalog, "meta-llama/llama-3.3-70b-instruct") == ["groq"]
    assert providers_of(catalog, "hedgerow/sandbox") == ["sandbox"] * 3
    assert "openai/gpt-4o" not in catalog.models
    assert catalog.providers["groq"].api_key == "env:GROQ_API_KEY"


def test_a_provider_does_not_offer_parameters_it_refuses() -> None:
    model = build(GROQ_API_KEY="k").resolve("llama-3.3-70b-versatile")

    assert "temperature" in model.endpoints[0].supported_parameters
    assert "logprobs" not in model.endpoints[0].supported_parameters


def test_models_that_are_not_served_name_the_keys_they_need() -> None:
    needs = {one.model.id: one.needs for one in build(GROQ_API_KEY="k").all_models}

    assert needs["anthropic/claude-sonnet-4.5"] == ("ANTHROPIC_API_KEY", "OPENROUTER_API_KEY")
    assert needs["meta-llama/llama-3.3-70b-instruct"] == ()
    assert needs["hedgerow/sandbox"] == ()


def test_stand_ins_name_the_keys_that_would_make_them_real() -> None:
    needs = {one.model.id: one.needs for one in build().all_models}

    assert needs["openai/gpt-4o"] == ("OPENAI_API_KEY", "OPENROUTER_API_KEY")


def test_a_provider_of_the_file_ends_the_standing_in() -> None:
    catalog = build({"providers": {"own": OWN}, "models": [served("own")]})

    assert list(catalog.models) == ["hedgerow/sandbox", "own/model"]
    assert catalog.providers["own"].base_url == "http://127.0.0.1:9/v1"


def test_without_the_builtin_catalogue_only_the_file_counts() -> None:
    document: Document = {
        "catalog": "none", "providers": {"own": OWN}, "models": [served("own")],
    }  # fmt: skip

    catalog = build(document, OPENAI_API_KEY="k")

    assert list(catalog.models) == ["own/model"]
    assert list(catalog.providers) == ["own"]


def test_without_anything_only_the_sandboxs_own_model_is_left() -> None:
    assert list(build({"catalog": "none"}).models) == ["hedgerow/sandbox"]


def test_a_model_of_the_file_replaces_the_builtin_one_and_inherits_its_facts() -> None:
    own = served("own", "openai/gpt-4o")
    del own["context_length"]

    catalog = build({"providers": {"own": OWN}, "models": [own]}, OPENAI_API_KEY="k")

    assert providers_of(catalog, "openai/gpt-4o") == ["own"]
    assert catalog.models["openai/gpt-4o"].context_length == 128_000
    assert catalog.models["openai/gpt-4o"].name == "GPT-4o"


def test_a_provider_of_the_file_changes_the_builtin_one_of_its_id() -> None:
    document: Document = {
        "providers": {"groq": {"api_key": "file:/run/key", "name": "Mine", "quirks": []}}
    }

    groq = build(document).providers["groq"]

    assert (groq.name, groq.api_key, groq.base_url) == (
        "Mine", "file:/run/key", "https://api.groq.com/openai/v1",
    )  # fmt: skip


def test_deadlines_go_from_all_to_provider_to_model() -> None:
    document: Document = {
        "timeouts": {"connect": 1, "idle": 1, "total": 1},
        "providers": {"own": {**OWN, "timeouts": {"idle": 2, "total": 2}}},
        "models": [served("own", timeouts={"total": 3})],
    }

    timeouts = build(document).models["own/model"].endpoints[0].timeouts

    assert (timeouts.connect_s, timeouts.idle_s, timeouts.total_s) == (1, 2, 3)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"policy": {"ignore": ["deepsek"]}},
         "policy.ignore[0]: no provider 'deepsek'; the nearest known one is \"deepseek\""),
        ({"policy": {"only": ["?"]}}, "policy.only[0]: no provider '?'"),
        ({"aliases": {"x": "openai/gpt-4p"}}, "aliases.x: no model 'openai/gpt-4p'; the nearest"),
        ({"aliases": {"openai/gpt-4o": "openai/gpt-4.1"}},
         "aliases.openai/gpt-4o: is already the id of a model"),
    ],
)  # fmt: skip
def test_a_reference_to_nothing_is_refused(document: Document, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(document)

    assert caught.value.message.startswith(expected)


def test_an_alias_leads_to_its_model() -> None:
    assert build({"aliases": {"smart": "openai/gpt-4o"}}).resolve("smart").id == "openai/gpt-4o"


def test_an_alias_of_a_model_that_is_not_served_is_unknown_but_no_error() -> None:
    catalog = build({"aliases": {"smart": "openai/gpt-4o"}}, GROQ_API_KEY="k")

    assert "openai/gpt-4o" not in catalog.models


def split(*models: str, **more: Json) -> Document:
    return {"experiments": {"t": {"arms": [{"model": model} for model in models]}}, **more}


def test_an_arm_may_be_named_as_clients_name_models() -> None:
    names = ("openai/gpt-4o", "gpt-4o", "openai/gpt-4o:nitro", "smart", "smart:floor:nitro")

    build(split(*names, aliases={"smart": "openai/gpt-4o"}))
    build(split("openai/gpt-4o"), OPENAI_API_KEY="k")


def test_an_arm_may_be_a_variant_that_there_is() -> None:
    models: list[Json] = [
        served("own", name) for name in ("own/m", "own/m:free", "own/n:nitro", "own/o:8b")
    ]
    names = ("own/m:free:nitro", "m:nitro:free", "own/n:nitro", "own/o:8b:floor")

    build(split(*names, providers={"own": OWN}, models=models))


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        ("openai/gpt-4p", "nothing serves 'openai/gpt-4p'; the nearest known one is \"openai/gpt-"),
        ("?:nitro", "nothing serves '?'"),
        ("groq/none:free", "nothing serves 'groq/none:free'"),
        ("llama-3.3-70b-instruct:nitor", "nothing serves 'llama-3.3-70b-instruct:nitor'; the near"),
        ("llama-3.3-70b-instruct:free", "nothing serves 'llama-3.3-70b-instruct:free'; the near"),
        ("openai/gpt-4o", "nothing serves 'openai/gpt-4o'; a key in OPENAI_API_KEY or OPENROUTER"),
        ("smart:nitro", "nothing serves 'openai/gpt-4o'; a key in OPENAI_API_KEY or OPENROUTER"),
    ],
)
def test_an_arm_that_nothing_serves_is_refused(model: str, problem: str) -> None:
    arms = split("meta-llama/llama-3.3-70b-instruct", model, aliases={"smart": "openai/gpt-4o"})
    with pytest.raises(ConfigError) as caught:
        build(arms, GROQ_API_KEY="k")

    assert caught.value.message.startswith(f"experiments.t.arms[1].model: {problem}")


def test_an_arm_whose_name_several_models_share_is_refused() -> None:
    models: list[Json] = [served("own", "a/same"), served("own", "b/same")]
    with pytest.raises(ConfigError, match="nothing serves 'same'"):
        build(split("same", providers={"own": OWN}, models=models))


def test_suffixes_that_route_are_those_that_planning_knows() -> None:
    assert ROUTING_SUFFIXES == SORTING | IGNORED

"""Providers and models as the operator wrote them."""

import pytest

from proxy.catalog.builtin import SANDBOX, Builtin, load_builtin
from proxy.catalog.configured import configured_models, configured_provider
from proxy.config import (
    EndpointSettings,
    ModelSettings,
    PriceSettings,
    ProviderSettings,
    Settings,
)
from proxy.config.settings import CredentialSettings
from proxy.errors import ConfigError
from proxy.model.endpoint import Credential, Model, Provider, Timeouts

GROQ = Provider(
    id="groq",
    name="Groq",
    dialect="openai-chat",
    base_url="https://groq.example",
    api_key="env:GROQ_API_KEY",
    quirks=frozenset({"max_tokens"}),
)
URL = "http://own/v1"


def provider(written: ProviderSettings, below: Provider | None = None, **environ: str) -> Provider:
    return configured_provider("groq", written, below, base=Timeouts(), environ=environ)


def models(*written: ModelSettings, builtin: Builtin | None = None) -> list[Model]:
    known = load_builtin() if builtin is None else builtin
    return list(configured_models(Settings(models=written), known, {"groq": GROQ}, SANDBOX))


def endpoint(name: str, **fields: str | int | tuple[str, ...]) -> EndpointSettings:
    prices = PriceSettings(prompt="1", completion="2")
    return EndpointSettings(
        provider=name,
        upstream_model="m",
        prices=prices,
        **fields,  # type: ignore[arg-type]
    )


def test_a_dialect_says_where_the_key_goes() -> None:
    made = provider(
        ProviderSettings(base_url=URL, dialect="anthropic-messages", headers={"x-a": "b"})
    )

    assert "x-api-key" == made.auth
    assert (("x-a", "b"),) == made.headers
    bearer = ProviderSettings(base_url=URL, dialect="anthropic-messages", auth="bearer")
    assert "bearer" == provider(bearer).auth


def test_a_new_provider_speaks_the_first_dialect_and_sends_no_key() -> None:
    made = provider(ProviderSettings(base_url=URL + "/"))

    assert made == Provider(id="groq", name="groq", dialect="openai-chat", base_url=URL)


def test_everything_written_wins_over_the_builtin_entry() -> None:
    written = ProviderSettings(
        dialect="openai-chat",
        base_url=URL,
        api_key="env:MY_KEY",
        name="Mine",
        quirks=(),
        headers={"x-team": "a"},
        proxy="env:MY_PROXY",
        ca_file="ca.pem",
        client_cert="client.pem",
    )

    made = provider(written, GROQ, MY_KEY="k", MY_PROXY="http://proxy")

    assert made.headers == (("x-team", "a"),)
    assert (made.name, made.base_url, made.api_key) == ("Mine", URL, "env:MY_KEY")
    assert made.quirks == frozenset()
    assert (made.proxy, made.ca_file, made.client_cert) == (
        "env:MY_PROXY",
        "ca.pem",
        "client.pem",
    )


def test_what_is_not_written_comes_from_the_builtin_entry() -> None:
    made = provider(ProviderSettings(), GROQ, GROQ_API_KEY="k")

    assert made == GROQ


def test_at_an_url_of_ones_own_the_builtin_key_is_sent_if_there_is_one() -> None:
    written = ProviderSettings(base_url=URL)

    assert provider(written, GROQ).api_key is None
    assert provider(written, GROQ, GROQ_API_KEY="k").api_key == "env:GROQ_API_KEY"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (ProviderSettings(), "providers.groq.base_url: missing, and no built-in provider"),
        (
            ProviderSettings(base_url=URL, quirks=("max_tokens", "shy")),
            "providers.groq.quirks: 'shy' is not",
        ),
        (
            ProviderSettings(base_url=URL, api_key="env:ABSENT"),
            "providers.groq.api_key: the environment variable ABSENT is not set",
        ),
        (
            ProviderSettings(base_url=URL, proxy="env:ABSENT"),
            "providers.groq.proxy: the environment variable ABSENT is not set",
        ),
        (
            ProviderSettings(base_url=URL, headers={"x-a": "env:ABSENT"}),
            "providers.groq.headers.x-a: the environment variable ABSENT is not set",
        ),
    ],
)
def test_what_cannot_work_is_refused(written: ProviderSettings, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        provider(written)

    assert caught.value.message.startswith(expected)


def test_a_new_model_has_what_is_written_and_plain_defaults() -> None:
    (model,) = models(ModelSettings(id="own/m", context_length=9, endpoints=(endpoint("groq"),)))

    assert (model.name, model.created, model.context_length) == ("own/m", 0, 9)
    assert model.input_modalities == ("text",)
    assert model.endpoints[0].provider is GROQ
    assert model.endpoints[0].context_length == 9


def test_everything_written_about_a_known_model_wins() -> None:
    (model,) = models(
        ModelSettings(
            id="openai/gpt-4o",
            name="Ours",
            description="",
            created=1,
            context_length=2,
            output_tokens_max=1,
            supported_parameters=("stop",),
            endpoints=(
                endpoint("sandbox", tag="a", context_length=1, output_tokens_max=1),
                endpoint("sandbox", tag="b", supported_parameters=()),
            ),
        )
    )

    assert (model.name, model.created, model.context_length) == ("Ours", 1, 2)
    assert model.tokenizer == "GPT"
    assert [one.context_length for one in model.endpoints] == [1, 2]
    assert [one.supported_parameters for one in model.endpoints] == [("stop",), ()]


@pytest.mark.parametrize(
    ("name", "model", "expected"),
    [
        ("openai", "openai/gpt-4o", "models[0].endpoints[0].provider: 'openai' needs OPENAI_API_"),
        ("opnai", "openai/gpt-4o", "models[0].endpoints[0].provider: no provider 'opnai'"),
        ("groq", "own/m", "models[0].context_length: missing"),
    ],
)
def test_a_model_that_nothing_can_serve_is_refused(name: str, model: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        models(ModelSettings(id=model, endpoints=(endpoint(name),)))

    assert caught.value.message.startswith(expected)


def test_several_keys_take_the_place_of_the_builtin_one() -> None:
    written = ProviderSettings(
        credentials=(
            CredentialSettings(key="env:A", rpm=1, tpm=2, max_concurrency=3, weight=4.0),
            CredentialSettings(key="file:/run/key"),
        ),
        credential_waiters_max=7,
    )
    made = provider(written, GROQ, A="k", GROQ_API_KEY="k")

    assert (None, 7) == (made.api_key, made.credential_waiters_max)
    assert (Credential("env:A", 1, 2, 3, 4.0), Credential("file:/run/key")) == made.credentials
    with pytest.raises(ConfigError) as caught:
        provider(written, GROQ, GROQ_API_KEY="k")
    assert caught.value.message == (
        "providers.groq.credentials[0].key: the environment variable A is not set"
    )

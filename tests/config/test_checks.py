"""Values and references that a type cannot check."""

from typing import Final

import pytest

from proxy.config.checks import Complaint, check_settings, refuse_plain_secrets
from proxy.config.settings import (
    ArmSettings,
    AuthSettings,
    CredentialSettings,
    EndpointSettings,
    ExperimentSettings,
    HedgingSettings,
    MaxPriceSettings,
    ModelSettings,
    PolicySettings,
    PriceSettings,
    ProviderSettings,
    ServerSettings,
    Settings,
)
from proxy.model.document import Json

GOOD: Final = PriceSettings(prompt="1", completion="2", cache_read="0.5")


def model(*endpoints: EndpointSettings, name: str = "a/b") -> ModelSettings:
    return ModelSettings(id=name, endpoints=endpoints or (endpoint(),))


def endpoint(
    prices: PriceSettings | str = "free", *, upstream: str = "m", tag: str = ""
) -> EndpointSettings:
    written = prices if isinstance(prices, PriceSettings) else "free"
    return EndpointSettings(provider="p", upstream_model=upstream, prices=written, tag=tag)


def place(settings: Settings) -> str:
    with pytest.raises(Complaint) as caught:
        check_settings(settings)
    return caught.value.key


def providers(**fields: str | dict[str, str]) -> Settings:
    return Settings(providers={"p": ProviderSettings(**fields)})  # type: ignore[arg-type]


def test_sound_settings_pass() -> None:
    check_settings(
        Settings(
            server=ServerSettings(
                bind=("[::1]:1", "unix:/a"),
                hosts=("box.internal", "[::1]"),
                origins=("https://a.example:8443",),
            ),
            policy=PolicySettings(max_price=MaxPriceSettings(prompt="1.5")),
            providers={
                "p": ProviderSettings(
                    dialect="openai-chat",
                    base_url="https://p.example/v1/",
                    proxy="env:PROXY",
                    headers={"x-team": "a", "X-Api-Key": "env:OTHER"},
                ),
                "q": ProviderSettings(proxy="http://proxy:3128"),
            },
            models=(model(endpoint(GOOD), endpoint(tag="slow")), model(name="c/d:free")),
            aliases={"fast": "a/b"},
            catalog="none",
        )
    )


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        (ServerSettings(bind=()), "server.bind"),
        (ServerSettings(bind=("127.0.0.1:1", ":80")), "server.bind[1]"),
        (ServerSettings(hosts=("a:80",)), "server.hosts[0]"),
        (ServerSettings(origins=("https://a/b",)), "server.origins[0]"),
        (ServerSettings(origins=("a.example",)), "server.origins[0]"),
    ],
)
def test_unusable_addresses_are_refused(server: ServerSettings, expected: str) -> None:
    assert place(Settings(server=server)) == expected


@pytest.mark.parametrize(
    "url",
    ["", "p.example/v1", "ftp://p/v1", "http://", "http://p:0/", "http://p:99999/", "http://[::1/",
     "http://p/v1?a=b", "http://p/v1#a", "http://p/a b", "http://p\\@q/", "http://u:pw@p/v1",
     "http://p/\n"],
)  # fmt: skip
def test_a_bad_url_is_refused_and_no_password_is_repeated(url: str) -> None:
    with pytest.raises(Complaint) as caught:
        check_settings(providers(base_url=url))

    assert caught.value.key == "providers.p.base_url"
    assert "pw" not in caught.value.problem


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(auth=AuthSettings(key_prefix="a b")), "auth.key_prefix"),
        (Settings(providers={"P!": ProviderSettings()}), "providers.P!"),
        (Settings(providers={"sandbox": ProviderSettings()}), "providers.sandbox"),
        (providers(dialect="smoke-signals"), "providers.p.dialect"),
        (providers(proxy="socks://p"), "providers.p.proxy"),
        (providers(headers={"a b": "c"}), "providers.p.headers.a b"),
        (providers(headers={"a": "b\r\nc: d"}), "providers.p.headers.a"),
        (providers(headers={"Host": "x"}), "providers.p.headers.Host"),
        (providers(headers={"Authorization": "Bearer x"}), "providers.p.headers.Authorization"),
        (Settings(policy=PolicySettings(max_price=MaxPriceSettings(completion="x"))),
         "policy.max_price.completion"),
        (Settings(hedging=HedgingSettings(cost_max="a lot")), "hedging.cost_max"),
        (Settings(hedging=HedgingSettings(cost_max="-0.01")), "hedging.cost_max"),
        (Settings(hedging=HedgingSettings(cost_max="NaN")), "hedging.cost_max"),
        (Settings(models=(model(), model())), "models[1].id"),
        (Settings(models=(model(name="gpt-4o"),)), "models[0].id"),
        (Settings(models=(ModelSettings(id="a/b", endpoints=()),)), "models[0].endpoints"),
        (Settings(models=(model(endpoint(), endpoint()),)), "models[0].endpoints[1].tag"),
        (Settings(models=(model(endpoint(tag="A B")),)), "models[0].endpoints[0].tag"),
        (Settings(models=(model(endpoint(upstream="a b")),)),
         "models[0].endpoints[0].upstream_model"),
        (Settings(models=(model(endpoint(PriceSettings(prompt="-1", completion="1"))),)),
         "models[0].endpoints[0].prices.prompt"),
        (Settings(models=(model(endpoint(PriceSettings(prompt="0", completion="0"))),)),
         "models[0].endpoints[0].prices"),
        (Settings(aliases={"a b": "a/b"}), "aliases"),
        (Settings(aliases={"a/b": "c/d"}, models=(model(),)), "aliases.a/b"),
        (Settings(aliases={"x": "y", "y": "a/b"}), "aliases.x"),
        (Settings(aliases={"x": "c/d"}, models=(model(),), catalog="none"), "aliases.x"),
    ],
)  # fmt: skip
def test_unusable_values_are_refused_at_their_place(settings: Settings, expected: str) -> None:
    assert place(settings) == expected


def test_an_alias_may_name_a_builtin_model() -> None:
    check_settings(Settings(aliases={"x": "openai/gpt-4o"}))


@pytest.mark.parametrize("key", ["sk-secret", "env:", "env:A B", "file:", "ENV:A"])
def test_a_plain_provider_key_is_refused_unseen(key: str) -> None:
    with pytest.raises(Complaint) as caught:
        refuse_plain_secrets({"providers": {"p": {"api_key": key}}})

    assert caught.value.key == "providers.p.api_key"
    assert "secret" not in caught.value.problem.replace("a secret is never", "")


@pytest.mark.parametrize("key", ["sk-hr-v1-0", "sha256:12", "file:/a"])
def test_a_plain_gateway_key_is_refused(key: str) -> None:
    with pytest.raises(Complaint) as caught:
        refuse_plain_secrets({"auth": {"keys": ["sha256:" + "0" * 64, "env:K", 3, key]}})

    assert caught.value.key == "auth.keys[3]"


def test_references_and_foreign_types_are_left_alone() -> None:
    refuse_plain_secrets({"providers": {"p": {"api_key": "env:A"}, "q": {"api_key": 3}, "r": 1}})
    refuse_plain_secrets({"providers": {"p": {"api_key": "file:/run/key"}}, "auth": 3})


# --- several keys ----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("written", "key"),
    [
        ([{"key": "env:A"}, {"key": "sk-very-secret"}], "providers.p.credentials[1].key"),
        (["sk-very-secret"], "providers.p.credentials[0]"),
    ],
)
def test_plain_secrets_among_several_keys_are_refused_and_not_repeated(
    written: list[Json], key: str
) -> None:
    with pytest.raises(Complaint) as caught:
        refuse_plain_secrets({"providers": {"p": {"credentials": written}}})

    assert key == caught.value.key
    assert "secret" not in caught.value.problem.replace("a secret is never", "")


def test_references_among_several_keys_pass() -> None:
    written: list[Json] = [{"key": "env:A"}, {"key": "file:/run/key"}, {"key": 3}, 4]
    refuse_plain_secrets({"providers": {"p": {"credentials": written}}})


def several(*keys: str, api_key: str | None = None) -> Settings:
    credentials = tuple(CredentialSettings(key=key) for key in keys)
    return Settings(providers={"p": ProviderSettings(api_key=api_key, credentials=credentials)})


def test_several_keys_stand_in_for_the_one_and_each_is_listed_once() -> None:
    check_settings(several("env:A", "env:B"))

    assert "providers.p.credentials" == place(several("env:A", api_key="env:B"))
    assert "providers.p.credentials[2].key" == place(several("env:A", "env:B", "env:A"))


# --- experiments -----------------------------------------------------------------------------------
def experiment(*arms: str) -> ExperimentSettings:
    return ExperimentSettings(arms=tuple(ArmSettings(model=arm) for arm in arms))


SOUND: Final = experiment("openai/gpt-4o", "gpt-4o:nitro")


def test_sound_experiments_pass() -> None:
    check_settings(Settings(experiments={"tone-2": SOUND, "b": SOUND}))


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (Settings(experiments={"To/ne": SOUND}), "experiments.To/ne"),
        (Settings(experiments={"tone:x": SOUND}), "experiments.tone:x"),
        (Settings(experiments={"request-1": SOUND}), "experiments.request-1"),
        (Settings(experiments={"t": SOUND}, aliases={"split/t": "a/b"}), "experiments.t"),
        (Settings(experiments={"t": SOUND}, models=(model(name="split/t"),)), "experiments.t"),
        (Settings(experiments={"t": experiment("a/b", "")}), "experiments.t.arms[1].model"),
        (Settings(experiments={"t": experiment("split/u")}), "experiments.t.arms[0].model"),
        (Settings(experiments={"t": experiment("a/b", "c", "a/b")}), "experiments.t.arms[2].model"),
        (Settings(experiments={f"t{n}": SOUND for n in range(17)}), "experiments"),
    ],
)
def test_unusable_experiments_are_refused(settings: Settings, key: str) -> None:
    assert key == place(settings)

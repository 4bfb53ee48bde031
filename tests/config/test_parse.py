"""From a document to settings, or one line that says what is wrong and where."""

import tomllib

import pytest

from proxy.config.parse import nearest, parse_settings
from proxy.errors import ConfigError

EXAMPLE = """
[server]
bind = ["127.0.0.1:8080"]
data = "./data"
[auth]
mode = "open"                      # "open" (loopback, unix sockets) | "keys" | "accounts" (later)
# keys = ["sha256:…"]              # static keys, hashed
[policy]                           # ceilings for everyone, no accounts needed
# data_collection = "deny"; zdr = true; only = []; ignore = []; max_price = { completion = "20" }
[timeouts]                         # seconds; also per provider and per model
# connect = 5; first_token = 60; idle = 60; total = 600
[providers.mock]
dialect = "openai-chat"
base_url = "http://127.0.0.1:9101/v1"
api_key = "env:MOCK_API_KEY"
# proxy = "http://…"; ca_file = "…"; client_cert = "…"; headers = { x-team = "a" }
[[models]]
id = "openai/gpt-4o"
context_length = 128000
[[models.endpoints]]
provider = "mock"
upstream_model = "gpt-4o"
prices = { prompt = "2.50", completion = "10.00" }   # USD per million tokens, as strings
[aliases]
# "gpt-4o" = "openai/gpt-4o"
"""

COMMENTED = """
[auth]
keys = ["sha256:0000000000000000000000000000000000000000000000000000000000000000", "env:KEY"]
[policy]
data_collection = "deny"
zdr = true
only = []
ignore = []
max_price = { completion = "20" }
[timeouts]
connect = 5
first_token = 60
idle = 0.5
total = 600
[providers.mock]
base_url = "http://127.0.0.1:9101/v1"
proxy = "http://proxy.example:3128"
ca_file = "ca.pem"
client_cert = "client.pem"
headers = { x-team = "a" }
timeouts = { idle = 9 }
[[models]]
id = "openai/gpt-4o"
timeouts = { total = 30 }
endpoints = [{ provider = "mock", upstream_model = "gpt-4o", prices = "free" }]
[aliases]
"gpt-4o" = "openai/gpt-4o"
"""


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse_settings(tomllib.loads(text), origin="h.toml")
    return caught.value.message


def test_the_example_of_the_documentation_is_accepted() -> None:
    settings = parse_settings(tomllib.loads(EXAMPLE), origin="h.toml")

    assert settings.providers["mock"].api_key == "env:MOCK_API_KEY"
    assert settings.models[0].endpoints[0].upstream_model == "gpt-4o"


def test_its_comments_are_accepted_when_uncommented() -> None:
    settings = parse_settings(tomllib.loads(COMMENTED), origin="h.toml")

    assert settings.timeouts.idle_s == 0.5
    assert settings.providers["mock"].headers == {"x-team": "a"}
    assert settings.models[0].timeouts.total_s == 30


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nbnid = 1", 'server.bnid: unknown key; the nearest known key is "server.bind"'),
        ("zzz = 1", "zzz: unknown key; known here: server, auth, policy, timeouts, limits"),
        (
            "[providers.mock.timeouts]\nconect = 1",
            "providers.mock.timeouts.conect: unknown key; "
            'the nearest known key is "providers.mock.timeouts.connect"',
        ),
        (
            '[[models]]\nid = "a/b"\nendpoints = [{ price = "free" }]',
            "models[0].endpoints[0].price: unknown key; "
            'the nearest known key is "models[0].endpoints[0].prices"',
        ),
        (
            '[[models]]\nid = "a/b"\nendpoints = [{ prices = { prmpt = "1" } }]',
            "models[0].endpoints[0].prices.prmpt: unknown key; "
            'the nearest known key is "models[0].endpoints[0].prices.prompt"',
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest_known_one(text: str, expected: str) -> None:
    assert complaint(text).startswith(f"h.toml: {expected}")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("server = 1", "server: expected object, got int"),
        ("[server]\nbind = [1]", "server.bind[0]: expected str | object, got int"),
        ("[limits]\nbody_bytes_max = -1", "limits.body_bytes_max: expected int >= 1"),
        ("[limits]\nattempts_max = 4", "limits.attempts_max: expected int <= 3"),
        ("[timeouts]\ntotal = nan", "timeouts.total: expected float > 0.0"),
        ("[timeouts]\ntotal = inf", "timeouts.total: expected float <= 604800.0"),
        (
            '[providers.m.timeouts]\nidle = "1"',
            "providers.m.timeouts.idle: expected float | null, got str",
        ),
        ("[providers.m.headers]\nx = 1", "providers.m.headers.x: expected str, got int"),
        ("[providers]\nm = 1", "providers.m: expected object, got int"),
        ("[aliases]\na = 1", "aliases.a: expected str, got int"),
        ('[[models]]\nid = "a/b"', "models[0].endpoints: missing"),
        ('catalog = "some"', "catalog: Invalid enum value 'some'"),
    ],
)
def test_a_wrong_type_is_refused_with_its_place(text: str, expected: str) -> None:
    assert complaint(text) == f"h.toml: {expected}"


def test_a_plain_secret_is_refused_without_repeating_it_even_beside_other_faults() -> None:
    message = complaint('[providers.m]\napi_key = "sk-very-secret"\ntimeouts = 3')

    assert message.startswith("h.toml: providers.m.api_key: a secret is never written here")
    assert "very" not in message


def test_a_fault_of_values_names_the_file_too() -> None:
    assert complaint('[server]\nbind = ["x"]').startswith("h.toml: server.bind[0]: 'x' is not")


def test_a_key_with_a_line_break_still_makes_one_line() -> None:
    message = complaint('"a\\nb" = 1')

    assert "\n" not in message


def test_a_date_where_text_belongs_is_a_wrong_type() -> None:
    assert complaint("[server]\ndata = 2026-01-01").startswith("h.toml: server.data: expected str")


def test_a_word_like_nothing_has_no_nearest() -> None:
    assert nearest("qqqq", ["server"]) is None

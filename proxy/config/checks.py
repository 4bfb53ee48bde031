"""What a type cannot say: that URLs, prices, addresses, secrets and references make sense.

Rule 1: each check either returns or raises one `Complaint`; the first fault ends the reading.
Rule 2: no message repeats a value that may hold a secret (keys, URLs with a password, headers).
"""

import re
from urllib.parse import SplitResult, urlsplit

from proxy.config.bind import parse_bind
from proxy.config.settings import (
    DIALECTS,
    EndpointSettings,
    ListenerSettings,
    ModelSettings,
    PriceSettings,
    ProviderSettings,
    Settings,
)
from proxy.model.document import Document, as_document, as_list
from proxy.units import price_from_usd

_PROVIDER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_MODEL_ID = re.compile(r"[A-Za-z0-9._~-]{1,64}/[A-Za-z0-9._~-]{1,128}(?::[a-z0-9._-]{1,32})?")
_HOST_NAME = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]{0,4096}")
_KEY_HASH = re.compile(r"sha256:[0-9a-f]{64}")
_REFERENCE = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*|file:[^\0]+")
_KEY_PREFIX = re.compile(r"[A-Za-z0-9_-]{1,32}")
_WORD = re.compile(r"[!-~]{1,256}")
FRAMING_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "expect", "te"}
SECRET_HEADERS = {"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"}
RESERVED_PROVIDERS = {"sandbox"}
SPLIT_PREFIX = "split/"
"""Begins the name of a model by which clients ask for an experiment."""
REQUEST_PREFIX = "request-"
"""Begins the names of experiments that requests bring along."""
EXPERIMENTS_MAX = 16
"""Each has results and series by arm, of which it has as many at most."""


class Complaint(Exception):  # noqa: N818 - it becomes a ConfigError once the file's name is known
    """A fault at a dotted key."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(key, problem)
        self.key = key
        self.problem = problem


def refuse_plain_secrets(document: Document) -> None:
    """Refuse secrets written into the file, before any other message could repeat them.

    Raises: Complaint.
    """
    for name, provider in as_document(document.get("providers")).items():
        written = as_document(provider)
        _refuse_plain_secret(written.get("api_key"), f"providers.{name}.api_key")
        for index, one in enumerate(as_list(written.get("credentials"))):
            place = f"providers.{name}.credentials[{index}]"
            _refuse_plain_secret(one, place)  # keys without their tables: still a secret
            _refuse_plain_secret(as_document(one).get("key"), f"{place}.key")
    for index, key in enumerate(as_list(as_document(document.get("auth")).get("keys"))):
        if isinstance(key, str) and not (_KEY_HASH.fullmatch(key) or _is_variable(key)):
            problem = 'say "sha256:<64 hexadecimal digits of the key\'s hash>" or "env:NAME"'
            raise Complaint(f"auth.keys[{index}]", problem)


def _refuse_plain_secret(text: object, place: str) -> None:
    if isinstance(text, str) and not _REFERENCE.fullmatch(text):
        raise Complaint(place, 'a secret is never written here: say "env:NAME" or "file:PATH"')


def check_settings(settings: Settings) -> None:
    """Check every value and every reference that the file alone can answer.

    References to built-in providers and models are left to `catalog.loader`, which knows them.

    Raises: Complaint.
    """
    _check_server(settings)
    if not _KEY_PREFIX.fullmatch(settings.auth.key_prefix):
        raise Complaint("auth.key_prefix", "1..32 letters, digits, - and _")
    for part in ("prompt", "completion"):
        _check_price(getattr(settings.policy.max_price, part), f"policy.max_price.{part}")
    _check_amount(settings.hedging.cost_max, "hedging.cost_max")
    for name, provider in settings.providers.items():
        _check_provider(name, provider, f"providers.{name}")
    seen: set[str] = set()
    for index, model in enumerate(settings.models):
        if model.id in seen:
            raise Complaint(f"models[{index}].id", f"{model.id!r} is listed twice")
        seen.add(model.id)
        _check_model(model, f"models[{index}]")
    _check_aliases(settings, seen)
    _check_experiments(settings, seen)


def _check_server(settings: Settings) -> None:
    server = settings.server
    if not server.bind:
        raise Complaint("server.bind", "needs at least one address")
    for index, listener in enumerate(server.listeners):
        _check_listener(listener, f"server.bind[{index}]")
    for index, host in enumerate(server.hosts):
        if not _HOST_NAME.fullmatch(host):
            raise Complaint(f"server.hosts[{index}]", f"{host!r} is not a host name without port")
    for index, origin in enumerate(server.origins):
        url = _url(origin, f"server.origins[{index}]")
        if url.path:
            raise Complaint(f"server.origins[{index}]", "an origin ends before the path")


def _check_listener(listener: ListenerSettings, place: str) -> None:
    try:
        bind = parse_bind(listener.address)
    except ValueError as error:
        raise Complaint(place, str(error)) from None
    if listener.tls_cert is None and listener.tls_key is not None:
        raise Complaint(f"{place}.tls_key", "needs tls_cert beside it")
    if listener.http3 and (listener.tls_cert is None or bind.path):
        raise Complaint(f"{place}.http3", "needs tls_cert, and an address with a port")


def _check_provider(name: str, provider: ProviderSettings, place: str) -> None:
    if not _PROVIDER_ID.fullmatch(name):
        raise Complaint(place, "an id has lower case letters, digits, '.', '_' and '-'")
    if name in RESERVED_PROVIDERS:
        raise Complaint(place, "this id is reserved for the built-in sandbox")
    if provider.dialect is not None and provider.dialect not in DIALECTS:
        known = ", ".join(DIALECTS)
        raise Complaint(f"{place}.dialect", f"{provider.dialect!r} is not one of: {known}")
    if provider.base_url is not None:
        _url(provider.base_url, f"{place}.base_url")
    if provider.proxy not in {None, "none"} and not _is_variable(provider.proxy or ""):
        _check_proxy(provider.proxy or "", f"{place}.proxy")
    for header, value in provider.headers.items():
        _check_header(header, value, f"{place}.headers.{header}")
    _check_credentials(provider, place)


def _check_credentials(provider: ProviderSettings, place: str) -> None:
    if provider.credentials and provider.api_key is not None:
        raise Complaint(f"{place}.credentials", "takes the place of api_key: say one of the two")
    seen: set[str] = set()
    for index, one in enumerate(provider.credentials):
        if one.key in seen:
            raise Complaint(f"{place}.credentials[{index}].key", f"{one.key!r} is listed twice")
        seen.add(one.key)


def _check_proxy(text: str, place: str) -> None:
    url = _url(text, place)
    if url.scheme != "http" or url.path.strip("/"):
        raise Complaint(place, 'a proxy is written as "http://host:port"')


def _check_header(name: str, value: str, place: str) -> None:
    if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
        raise Complaint(place, "not a header that HTTP allows")
    if name.lower() in FRAMING_HEADERS:
        raise Complaint(place, "the gateway sets this header itself")
    if name.lower() in SECRET_HEADERS and not _REFERENCE.fullmatch(value):
        raise Complaint(place, 'a secret is never written here: say "env:NAME" or "file:PATH"')


def _check_model(model: ModelSettings, place: str) -> None:
    if not _MODEL_ID.fullmatch(model.id):
        raise Complaint(f"{place}.id", f'{model.id!r} is not of the form "author/slug"')
    if not model.endpoints:
        raise Complaint(f"{place}.endpoints", "needs at least one endpoint")
    seen: set[tuple[str, str]] = set()
    for index, endpoint in enumerate(model.endpoints):
        inner = f"{place}.endpoints[{index}]"
        if (endpoint.provider, endpoint.tag) in seen:
            raise Complaint(f"{inner}.tag", "two endpoints of one provider need different tags")
        seen.add((endpoint.provider, endpoint.tag))
        _check_endpoint(endpoint, inner)


def _check_endpoint(endpoint: EndpointSettings, place: str) -> None:
    if not _WORD.fullmatch(endpoint.upstream_model):
        raise Complaint(f"{place}.upstream_model", "1..256 printable characters without spaces")
    if endpoint.tag and not _PROVIDER_ID.fullmatch(endpoint.tag):
        raise Complaint(f"{place}.tag", "a tag has lower case letters, digits, '.', '_' and '-'")
    if isinstance(endpoint.prices, PriceSettings):
        _check_prices(endpoint.prices, f"{place}.prices")


def _check_prices(prices: PriceSettings, place: str) -> None:
    parts = ("prompt", "completion", "cache_read", "cache_write", "request")
    values = [_check_price(getattr(prices, part), f"{place}.{part}") for part in parts]
    if not any(values):
        raise Complaint(place, 'every price is 0: say prices = "free" if that is meant')


def _check_price(text: str | None, place: str) -> int:
    try:
        return 0 if text is None else price_from_usd(text)
    except ValueError as error:
        raise Complaint(place, str(error)) from None


def _check_amount(text: str, place: str) -> None:
    try:
        price_from_usd(text)
    except ValueError:
        raise Complaint(place, 'say USD as a decimal, no finer than 1e-9: "0.05"') from None


def _check_aliases(settings: Settings, models: set[str]) -> None:
    for alias, target in settings.aliases.items():
        place = f"aliases.{alias}"
        if not _WORD.fullmatch(alias):
            raise Complaint("aliases", "an alias has 1..256 printable characters without spaces")
        if alias in models:
            raise Complaint(place, "is already the id of a model")
        if target in settings.aliases:
            raise Complaint(place, "names another alias; name the model itself")
        if settings.catalog == "none" and target not in models:
            raise Complaint(place, f"{target!r} is not the id of a model")


def _check_experiments(settings: Settings, models: set[str]) -> None:
    if len(settings.experiments) > EXPERIMENTS_MAX:
        raise Complaint("experiments", f"at most {EXPERIMENTS_MAX} at a time")
    for name, experiment in settings.experiments.items():
        place, model = f"experiments.{name}", f"{SPLIT_PREFIX}{name}"
        if not _PROVIDER_ID.fullmatch(name):
            raise Complaint(place, "a name has lower case letters, digits, '.', '_' and '-'")
        if name.startswith(REQUEST_PREFIX):
            raise Complaint(place, "this name is reserved for experiments of requests")
        if model in models or model in settings.aliases:
            raise Complaint(place, f"{model!r} is already the name of a model")
        seen: set[str] = set()
        for index, arm in enumerate(experiment.arms):
            inner = f"{place}.arms[{index}].model"
            if not _WORD.fullmatch(arm.model) or arm.model.startswith(SPLIT_PREFIX):
                raise Complaint(inner, "an arm is a model, not an experiment")
            if arm.model in seen:
                raise Complaint(inner, f"{arm.model!r} is listed twice")
            seen.add(arm.model)


def _url(text: str, place: str) -> SplitResult:
    """An http(s) URL with a host and nothing that could carry a secret."""
    problem = "not an http:// or https:// URL with a host"
    try:
        url = urlsplit(text)
        usable = url.scheme in {"http", "https"} and bool(url.hostname) and url.port != 0
    except ValueError:
        raise Complaint(place, problem) from None
    if not usable or not _WORD.fullmatch(text) or "\\" in text:
        raise Complaint(place, problem)
    if url.username is not None or url.password is not None:
        raise Complaint(place, "a secret is never written here: no user or password in a URL")
    if "?" in text or "#" in text:
        raise Complaint(place, "a URL here has neither query nor fragment")
    return url


def _is_variable(text: str) -> bool:
    return text.startswith("env:") and _REFERENCE.fullmatch(text) is not None

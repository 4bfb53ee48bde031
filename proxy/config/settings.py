"""Every setting, its default and its unit.

Rule 1: the name in the file is the name here, but that deadlines end in `_s` here (`connect` in a
file is `connect_s`). Rule 2: what is absent is None where "not said" differs from the default.
"""

from typing import Annotated, Literal, TypeAlias

import msgspec
from msgspec import Meta

from proxy.model.endpoint import Tier, Timeouts
from proxy.units import Seconds

DIALECTS = ("openai-chat", "anthropic-messages")
"""Dialects a provider may speak; `dialects.registry` implements exactly these."""

SPAN_MAX_S = 604_800
"""Longest deadline accepted: a week, seconds."""
Span: TypeAlias = Annotated[float, Meta(gt=0, le=SPAN_MAX_S)]
Share: TypeAlias = Annotated[float, Meta(gt=0, le=1)]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=1 << 40)]
Attempts: TypeAlias = Annotated[int, Meta(ge=1, le=3)]
Tokens: TypeAlias = Annotated[int, Meta(ge=1, le=1_000_000_000)]
Parser: TypeAlias = Literal["fast", "strict"]
"""Who reads HTTP/1.1: llhttp behind our own checks, or h11."""
Auth: TypeAlias = Literal["bearer", "x-api-key"]
Instant: TypeAlias = Annotated[int, Meta(ge=0, le=1 << 40)]


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One table of the file: immutable, and strict about its keys."""


class ListenerSettings(Table, frozen=True):
    """One listening address and how it is spoken to; a bare address in `bind` has the defaults."""

    address: str
    """Read it with `parse_bind`."""
    tls_cert: str | None = None
    """PEM file with the certificate chain; None: clear text. Read again when it changes."""
    tls_key: str | None = None
    """PEM file with the private key; None: it is in `tls_cert`."""
    http2: bool | None = None
    """Whether HTTP/2 is spoken besides HTTP/1.1; None: with TLS yes, in clear text no."""
    http3: bool = False
    """Whether HTTP/3 is spoken on the UDP port of the same number; needs TLS."""
    parser: Parser = "fast"

    @property
    def speaks_http2(self) -> bool:
        """Whether HTTP/2 is spoken here."""
        return self.tls_cert is not None if self.http2 is None else self.http2


class ServerSettings(Table, frozen=True):
    """Where we listen and whom we answer."""

    bind: tuple[str | ListenerSettings, ...] = ("127.0.0.1:8080",)
    """Addresses, bare or as tables; `listeners` has them all as tables."""
    data: str = "./data"
    """Folder for everything kept; empty: nothing is kept."""
    hosts: tuple[str, ...] = ()
    """Names allowed in `Host` in open mode, besides loopback ones; without port."""
    origins: tuple[str, ...] = ()
    """Values allowed in `Origin` in open mode: "https://app.example"."""

    @property
    def listeners(self) -> tuple[ListenerSettings, ...]:
        """Every entry of `bind` as a table."""
        return tuple(
            ListenerSettings(address=entry) if isinstance(entry, str) else entry
            for entry in self.bind
        )


class AuthSettings(Table, frozen=True):
    """Who may call."""

    mode: Literal["open", "keys", "accounts"] | None = None
    """None: open on loopback without keys, else keys."""
    keys: tuple[str, ...] = ()
    """ "sha256:<64 hexadecimal digits>" of a key, or "env:NAME" of a variable holding one."""
    key_prefix: str = "sk-hr-v1-"
    """How the keys we make begin."""


class MaxPriceSettings(Table, frozen=True):
    """Dearest prices anyone may be served at; USD per million tokens, decimal strings."""

    prompt: str | None = None
    completion: str | None = None


class PolicySettings(Table, frozen=True):
    """Ceilings for everyone; a request may only be stricter."""

    data_collection: Literal["allow", "deny"] = "allow"
    """Deny: only providers known not to train on prompts."""
    zdr: bool = False
    """True: only providers known to keep no prompts."""
    only: tuple[str, ...] = ()
    """Provider ids; empty: all."""
    ignore: tuple[str, ...] = ()
    """Provider ids never used."""
    max_price: MaxPriceSettings = MaxPriceSettings()


class TimeoutSettings(Table, frozen=True):
    """Deadlines of one attempt, seconds; None: as the level above says."""

    connect_s: Span | None = msgspec.field(default=None, name="connect")
    first_token_s: Span | None = msgspec.field(default=None, name="first_token")
    idle_s: Span | None = msgspec.field(default=None, name="idle")
    total_s: Span | None = msgspec.field(default=None, name="total")

    def over(self, above: Timeouts) -> Timeouts:
        """Lay what is said here over the level above."""
        return Timeouts(
            connect_s=_seconds(self.connect_s, above.connect_s),
            first_token_s=_seconds(self.first_token_s, above.first_token_s),
            idle_s=_seconds(self.idle_s, above.idle_s),
            total_s=_seconds(self.total_s, above.total_s),
        )


class LimitSettings(Table, frozen=True):
    """Every bound of the data plane."""

    body_bytes_max: Count = 33_554_432
    """Request body; beyond it 413."""
    head_bytes_max: Count = 32_768
    headers_max: Count = 100
    head_time_s: Span = 10.0
    """First byte of a request head -> its last."""
    idle_connection_s: Span = 75.0
    """A kept-alive client connection without a request."""
    body_bytes_unknown_max: Count = 65_536
    """Request body of a caller who has shown no valid key where keys are required; beyond it 413."""
    body_grace_s: Span = 10.0
    """Time in which a request's body may come as slowly as it likes."""
    body_rate_min: Count = 1_024
    """Bytes per second that it must keep up on average after that; below it 408."""
    reader_s: Span = 30.0
    """Longest time a client may take to accept what was sent, and 1 s more per `reader_rate_min`."""
    reader_rate_min: Count = 1_024
    """Bytes per second at which a client must take a piece that is larger than that."""
    connections_max: Count | None = None
    """Client connections in all; None: from descriptors and memory (`doors.quota`)."""
    connections_per_address_max: Count | None = None
    """The same from one address; None: half of all."""
    requests_per_connection_max: Count = 10_000
    """Requests on one client connection; the last answer says `connection: close`."""
    streams_per_connection_max: Count = 100
    """Requests at a time on one HTTP/2 or HTTP/3 connection."""
    comment_after_s: Span = 10.0
    """Silence of the upstream after which heads and a comment are sent."""
    upstream_head_bytes_max: Count = 65_536
    upstream_event_bytes_max: Count = 4_194_304
    upstream_reply_bytes_max: Count = 67_108_864
    """A reply that is not streamed."""
    upstream_stream_bytes_max: Count = 1_073_741_824
    """A streamed reply in all."""
    upstream_connections_max: Count = 1_000
    """Per origin."""
    upstream_waiters_max: Count = 1_000
    """Requests that may wait for a connection to one origin, each for its `connect` deadline."""
    upstream_idle_s: Span = 30.0
    """A kept-alive upstream connection without a request."""
    attempts_max: Attempts = 3
    """Retries and hedges together."""
    drain_s: Span = 600.0
    """Time requests in progress get when we stop."""


class HealthSettings(Table, frozen=True):
    """When an endpoint is left alone, and for how long."""

    failures_max: Annotated[int, Meta(ge=1, le=1_000)] = 5
    """Failures in a row that open an endpoint's breaker."""
    failure_share_max: Share = 0.5
    """Share of failures within 10 s that opens it, where there were at least `samples_min` ends."""
    samples_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 20
    rest_s: Span = 30.0
    """First rest; the n-th in a row is n times as long."""
    rest_max_s: Span = 300.0
    ejected_share_max: Share = 0.5
    """Share of a model's endpoints that breakers may rest at a time."""
    retry_after_max_s: Span = 60.0
    """Longest rest that a provider's Retry-After is granted."""
    trouble_s: Span = 30.0
    """How long an endpoint with trouble is asked after those without."""


class RetrySettings(Table, frozen=True):
    """How much attempts beyond the first may add to the traffic."""

    budget_share: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """Of the requests of the last 10 s."""
    budget_per_s: Annotated[float, Meta(ge=0, le=1_000_000)] = 10.0
    """Besides, per second, so that little traffic can retry as well."""


class HedgingSettings(Table, frozen=True):
    """When a second attempt is started because of the first one's silence, and what that may cost."""

    enabled: bool = True
    budget_share: Annotated[float, Meta(ge=0, le=0.5)] = 0.05
    """Second attempts that silence may start, as a share of the requests; also sets the delay, to the
    percentile 100 (1 - share) of the endpoint's time to the first token."""
    budget_burst: Annotated[int, Meta(ge=1, le=1_000)] = 10
    """Most that can be saved up."""
    budget_per_s: Annotated[float, Meta(ge=0, le=1_000)] = 1.0
    """At least so many per second, so that little traffic is hedged as well."""
    floor_s: Span = 0.2
    """Never sooner than this, nor than `floor_medians` times the endpoint's median."""
    floor_medians: Annotated[float, Meta(ge=1, le=100)] = 1.5
    cap_s: Span = 4.0
    """Never later than this."""
    cap_reasoning_s: Span = 8.0
    """The same for requests that ask for reasoning."""
    default_s: Span = 2.5
    """Where neither the endpoint nor its provider has `samples_min` samples."""
    samples_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 100
    cost_share_max: Annotated[float, Meta(ge=0, le=1)] = 0.02
    """Cost of second attempts, as a share of what was spent in the last 24 h."""
    cost_max: str = "0.05"
    """Cost of one request's second attempt, USD."""
    late_share_max: Share = 0.2
    """Share of the last 200 requests that waited beyond their delay, from which nothing is hedged."""
    resting_share_max: Share = 0.3
    """Share of a model's endpoints that rest, from which it is not hedged."""
    race_max: Annotated[int, Meta(ge=1, le=3)] = 2
    """Most attempts that a request may start together (`provider.race`); 1: none."""


class CredentialSettings(Table, frozen=True):
    """One of several keys of a provider."""

    key: str
    """ "env:NAME" or "file:PATH"."""
    rpm: Count | None = None
    """Requests sent within any 60 s; None: no limit of ours."""
    tpm: Count | None = None
    """Tokens (estimated prompt and output cap) sent within any 60 s."""
    max_concurrency: Count | None = None
    """Requests in progress."""
    weight: Annotated[float, Meta(gt=0, le=1_000_000)] = 1.0
    """Share of the requests, as long as there is a choice."""


class ArmSettings(Table, frozen=True):
    """One arm of an experiment."""

    model: str
    """Any name a client could use, suffixes included."""
    weight: Annotated[float, Meta(gt=0, le=1_000_000)] = 1.0


class ExperimentSettings(Table, frozen=True):
    """A split of traffic over models; clients ask for the model `split/NAME`."""

    arms: Annotated[tuple[ArmSettings, ...], Meta(min_length=1, max_length=16)]


class ProviderSettings(Table, frozen=True):
    """A provider, or what to change in a built-in one of the same id."""

    dialect: str | None = None
    """One of DIALECTS; None: the built-in one's, else the first."""
    base_url: str | None = None
    """http(s) URL up to the version, such as ".../v1"; None: the built-in one's."""
    api_key: str | None = None
    """ "env:NAME" or "file:PATH"; None: the built-in one's variable, else no key is sent."""
    credentials: tuple[CredentialSettings, ...] = ()
    """Several keys instead of `api_key`: each request is sent with one of them."""
    credential_waiters_max: Count = 100
    """Requests that may wait for a key below its limits, each for its `connect` deadline; more: 429."""
    bills_cancelled: bool | None = None
    """Whether streams that are cancelled are billed in full; None: as the built-in one, else no."""
    auth: Auth | None = None
    """In which header field the key is sent; None: as the built-in one, else as its dialect has it."""
    name: str | None = None
    """As shown in replies."""
    quirks: tuple[str, ...] | None = None
    """Names in `catalog.schema.QUIRKS`; None: the built-in one's."""
    timeouts: TimeoutSettings = TimeoutSettings()
    proxy: str | None = None
    """http URL of a proxy, "env:NAME" holding one (it may contain a password), or "none" to ignore
    `HTTPS_PROXY` and its like; None: as these variables say."""
    ca_file: str | None = None
    client_cert: str | None = None
    """PEM file with certificate chain and private key."""
    parser: Parser = "fast"
    """Who reads its replies."""
    headers: dict[str, str] = {}
    """Extra request headers; a value may be "env:NAME" or "file:PATH"."""


class PriceSettings(Table, frozen=True):
    """USD per million tokens, decimal strings; `request` per million requests."""

    prompt: str
    completion: str
    cache_read: str | None = None
    """None: as `prompt`."""
    cache_write: str | None = None
    """None: as `prompt`."""
    request: str | None = None
    """None: requests as such cost nothing."""


class EndpointSettings(Table, frozen=True):
    """One way to serve a model."""

    provider: str
    """Id in `providers`, or of a built-in provider."""
    upstream_model: str
    prices: PriceSettings | Literal["free"]
    context_length: Tokens | None = None
    """None: the model's."""
    output_tokens_max: Tokens | None = None
    quantization: str | None = None
    supported_parameters: tuple[str, ...] | None = None
    """None: the model's."""
    tag: str = ""
    """Distinguishes several endpoints of one provider for this model."""
    tier: Tier | None = None
    """Service tier that these prices are for; None: the usual one."""
    expected_ttft_s: Span | None = msgspec.field(default=None, name="expected_ttft")
    """Time to the first token to expect until there are samples, seconds."""
    expected_throughput: Annotated[float, Meta(gt=0, le=1_000_000)] | None = None
    """The same, output tokens per second."""


class ModelSettings(Table, frozen=True):
    """A model; replaces the built-in one of the same id, whose facts fill what is not said."""

    id: str
    endpoints: tuple[EndpointSettings, ...]
    name: str | None = None
    description: str | None = None
    created: Instant | None = None
    """Unix seconds."""
    context_length: Tokens | None = None
    output_tokens_max: Tokens | None = None
    input_modalities: tuple[str, ...] | None = None
    output_modalities: tuple[str, ...] | None = None
    tokenizer: str | None = None
    knowledge_cutoff: str | None = None
    hugging_face_id: str | None = None
    supported_parameters: tuple[str, ...] | None = None
    distillable: bool | None = None
    """Whether its author allows other models to be trained on its output."""
    timeouts: TimeoutSettings = TimeoutSettings()


class Settings(Table, frozen=True):
    """The whole file."""

    server: ServerSettings = ServerSettings()
    auth: AuthSettings = AuthSettings()
    policy: PolicySettings = PolicySettings()
    timeouts: TimeoutSettings = TimeoutSettings()
    limits: LimitSettings = LimitSettings()
    health: HealthSettings = HealthSettings()
    retries: RetrySettings = RetrySettings()
    hedging: HedgingSettings = HedgingSettings()
    experiments: dict[str, ExperimentSettings] = {}
    providers: dict[str, ProviderSettings] = {}
    models: tuple[ModelSettings, ...] = ()
    aliases: dict[str, str] = {}
    catalog: Literal["builtin", "none"] = "builtin"


def _seconds(value: float | None, above: Seconds) -> Seconds:
    return above if value is None else Seconds(value)

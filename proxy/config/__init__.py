"""Frozen settings: what an operator may write, checked whole before anything starts.

`parse_settings` reads a decoded TOML document, `overlay_environment` lays `HEDGEROW_*` variables
over one. Nothing here opens a file, a socket or a clock: contents and environment are arguments.
"""

from proxy.config.bind import Bind, parse_bind
from proxy.config.document import decode_document
from proxy.config.overlay import overlay_environment
from proxy.config.parse import parse_settings
from proxy.config.settings import (
    DIALECTS,
    Auth,
    AuthSettings,
    EndpointSettings,
    LimitSettings,
    ListenerSettings,
    MaxPriceSettings,
    ModelSettings,
    PolicySettings,
    PriceSettings,
    ProviderSettings,
    ServerSettings,
    Settings,
    TimeoutSettings,
)

__all__ = [
    "DIALECTS",
    "Auth",
    "AuthSettings",
    "Bind",
    "EndpointSettings",
    "LimitSettings",
    "ListenerSettings",
    "MaxPriceSettings",
    "ModelSettings",
    "PolicySettings",
    "PriceSettings",
    "ProviderSettings",
    "ServerSettings",
    "Settings",
    "TimeoutSettings",
    "decode_document",
    "overlay_environment",
    "parse_bind",
    "parse_settings",
]

"""From a decoded document to `Settings`, or one line that says what is wrong and where.

Order: unknown keys first (a typo explains most other faults), then types, then values.

Rule 1: a message names file and dotted key, never a value that may be a secret.
"""

import difflib
import re
from collections.abc import Mapping
from typing import NoReturn, TypeVar

import msgspec
import msgspec.inspect

from proxy.config.checks import Complaint, check_settings, refuse_plain_secrets
from proxy.config.settings import ProviderSettings, Settings
from proxy.errors import ConfigError
from proxy.model.document import Document, Json, as_document

T = TypeVar("T")
_PLACE = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<place>.*)`)?", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`")


def parse_settings(document: Document, *, origin: str) -> Settings:
    """Check a decoded settings file whole.

    Args:
        origin: what to call the source in messages: a file's name.
    Raises: ConfigError, one line: origin, dotted key, problem, and the nearest known key.
    """
    try:
        _refuse_unknown_keys(document, msgspec.inspect.type_info(Settings), "")
        refuse_plain_secrets(document)
        settings = _convert_whole(document)
        check_settings(settings)
    except Complaint as complaint:
        line = f"{origin}: {complaint.key}: {complaint.problem}"
        raise ConfigError(" ".join(line.split())) from None
    return settings


def nearest(word: str, known: Mapping[str, object] | list[str]) -> str | None:
    """The known word that `word` was probably meant to be."""
    return next(iter(difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)), None)


def _refuse_unknown_keys(value: Json, kind: msgspec.inspect.Type, place: str) -> None:
    """Walk the document beside its type; other mismatches are left to the conversion."""
    match kind, value:
        case msgspec.inspect.StructType(), dict():
            fields = {field.encode_name: field.type for field in kind.fields}
            for key, inner in value.items():
                if key not in fields:
                    _complain_unknown(place, key, list(fields))
                _refuse_unknown_keys(inner, fields[key], _join(place, key))
        case msgspec.inspect.DictType(), dict():
            for key, inner in value.items():
                _refuse_unknown_keys(inner, kind.value_type, _join(place, key))
        case msgspec.inspect.VarTupleType(), list():
            for index, inner in enumerate(value):
                _refuse_unknown_keys(inner, kind.item_type, f"{place}[{index}]")
        case msgspec.inspect.UnionType(), dict():
            for option in kind.types:
                _refuse_unknown_keys(value, option, place)
        case _:
            pass


def _complain_unknown(place: str, key: str, known: list[str]) -> NoReturn:
    guess = nearest(key, known)
    hint = f'the nearest known key is "{_join(place, guess)}"' if guess else _listing(known)
    raise Complaint(_join(place, key), f"unknown key; {hint}")


def _listing(known: list[str]) -> str:
    return "known here: " + ", ".join(known)


def _convert_whole(document: Document) -> Settings:
    """Convert entry by entry where msgspec would say `[...]` instead of the key."""
    for name, provider in as_document(document.get("providers")).items():
        place = f"providers.{name}"
        for header, value in as_document(as_document(provider).get("headers")).items():
            _convert(value, str, f"{place}.headers.{header}")
        _convert(provider, ProviderSettings, place)
    for alias, target in as_document(document.get("aliases")).items():
        _convert(target, str, f"aliases.{alias}")
    return _convert(document, Settings, "")


def _convert(value: Json, kind: type[T], place: str) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise _complaint(str(error), place) from None


def _complaint(message: str, place: str) -> Complaint:
    """Turn "Expected `int`, got `str` - at `$.a.b`" into a key and a problem."""
    match = _PLACE.fullmatch(message)
    problem = match["problem"] if match else message
    key = _join(place, (match["place"] if match else None) or "")
    missing = _MISSING.fullmatch(problem)
    if missing:
        return Complaint(_join(key, missing[1]), "missing")
    return Complaint(key or "document", problem.replace("`", "").replace("Expected", "expected", 1))


def _join(place: str, key: str) -> str:
    return f"{place}.{key}" if place and key else place or key

"""A template passes on what decoding and encoding would have given, and nothing else."""

import json

import orjson
import pytest
from hypothesis import given, strategies as st

from proxy.wire.splice import MARKER, Template, is_utf8, learn, text_size

PREFIX, SUFFIX = b'data: {"id":"x","t":"', b'"}\n\n'
FRAME = PREFIX + b"Hello" + SUFFIX


def translate(raw: bytes, text: str) -> bytes | None:
    """A stand-in for a dialect: `t` becomes `out`."""
    found = json.loads(raw[6:])["t"]
    return b'data: {"out":%b}\n\n' % orjson.dumps(found) if found == text else None


def a_template() -> Template:
    template = learn(FRAME, "Hello", translate)
    assert template is not None
    return template


def test_a_template_is_what_stands_around_the_text() -> None:
    template = a_template()

    assert (PREFIX, SUFFIX) == (template.prefix, template.suffix)
    assert (b'data: {"out":"', b'"}\n\n') == (template.head, template.tail)


def test_a_text_may_be_sent_twice() -> None:
    def twice(raw: bytes, text: str) -> bytes:
        return b'{"a":%b,"b":%b}' % ((orjson.dumps(json.loads(raw[6:])["t"]),) * 2)

    template = learn(FRAME, "Hello", twice)
    assert template is not None
    assert ([b'","b":"'], b'{"a":"', b'"}') == (template.between, template.head, template.tail)


def test_what_cannot_be_told_apart_is_not_learnt() -> None:
    assert None is learn(FRAME, "", translate)
    assert None is learn(PREFIX + b"x" + SUFFIX, "x", translate)  # "x" stands twice
    assert None is learn(FRAME, "Bye", translate)
    assert None is learn(FRAME[:-1], "Hello", translate)
    assert None is learn(FRAME, "Hello", lambda raw, text: None)
    assert None is learn(FRAME, "Hello", lambda raw, text: b"no marker")


def test_another_field_of_the_same_text_is_not_taken_for_it() -> None:
    raw = b'data: {"id":"Hi","t":"\\u0048i"}\n\n'  # the text is written with an escape

    assert None is learn(raw, "Hi", translate)


def test_a_frame_is_found_with_its_ends() -> None:
    data = FRAME + PREFIX + rb"a \"quoted\" \u00e9 \n" + SUFFIX

    assert (len(PREFIX) + 5, len(FRAME)) == a_template().match(data, 0, len(data), ascii_only=True)
    stop, end = a_template().match(data, len(FRAME), len(data), ascii_only=True)
    assert (len(data) - len(SUFFIX), len(data)) == (stop, end)


def test_what_is_not_the_frame_is_missed() -> None:
    for raw in (
        b"event: x\n\n",
        FRAME[:-1],
        PREFIX + b'Hello","more":"x' + SUFFIX,
        PREFIX + rb"\ud83d" + SUFFIX,
        PREFIX + rb"\x" + SUFFIX,
        PREFIX + b"a\x01b" + SUFFIX,
        PREFIX + b"\xff\xfe" + SUFFIX,
    ):
        assert (-1, -1) == a_template().match(raw, 0, len(raw), ascii_only=raw.isascii())


def test_a_frame_in_its_own_chunk_is_known_by_its_ends() -> None:
    template = a_template()

    assert b"\r\n" + PREFIX == template.in_chunk
    assert SUFFIX + b"\r\n" == template.to_chunk_end


def test_the_marker_is_nothing_that_a_model_says() -> None:
    assert "\x7f" in MARKER
    assert is_utf8("é".encode())
    assert not is_utf8(b"\xff")


@pytest.mark.parametrize(
    ("text", "size"),
    [(b"Hello", 5), ("é".encode(), 2), (rb"\u00e9", 2), (rb"\n\\", 2), (b"", 0)],
)
def test_a_text_is_measured_as_it_will_be_read(text: bytes, size: int) -> None:
    assert size == text_size(b'"' + text + b'"', 1, 1 + len(text))


@given(st.text(max_size=30), st.booleans())
def test_any_text_is_found_whole_or_left_to_the_slow_path(text: str, ascii_only: bool) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return
    literal = json.dumps(text, ensure_ascii=ascii_only).encode()
    raw = PREFIX + literal[1:-1] + SUFFIX

    stop, end = a_template().match(raw, 0, len(raw), ascii_only=raw.isascii())

    if stop < 0:
        assert max(map(ord, text), default=0) > 0xFFFF  # only what takes a surrogate pair is missed
    else:
        assert (literal, len(raw)) == (raw[len(PREFIX) - 1 : stop + 1], end)


@pytest.mark.parametrize(
    "text", ["id", "t", "x", ":", ",", "data: ", '","', MARKER, "\\", "\n", '"']
)
def test_a_template_is_learnt_right_or_not_at_all(text: str) -> None:
    raw = b'data: {"id":"x","t":' + orjson.dumps(text) + b"}\n\n"
    template = learn(raw, text, translate)

    if template is not None:
        sent = template.head + orjson.dumps("other")[1:-1] + template.tail
        assert {"out": "other"} == json.loads(sent[6:])
        assert raw == template.prefix + orjson.dumps(text)[1:-1] + template.suffix

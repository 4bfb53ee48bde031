"""Bugs that users reported of other gateways, by what went wrong: each has a test here, or cannot occur.

Numbers are those of our own list of 63 such reports; the ones left out are about dialects to come.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
ASKING, READING, TURNING, WRITING = (
    f"anthropic_messages/test_{name}.py" for name in ("asking", "reading", "turning", "writing")
)
TESTS: dict[int, tuple[str, str]] = {
    1: (READING, "test_bug_1_"),
    2: (READING, "test_bug_2_"),
    3: ("openai_chat/test_parts.py", "bug_3"),
    4: (WRITING, "test_bug_4_"),
    5: (WRITING, "test_bug_5_"),
    6: (WRITING, "test_bug_6_"),
    7: (READING, "test_bug_7_"),
    8: (READING, "test_bug_8_"),
    9: (WRITING, "test_bug_7_and_9_"),
    10: (ASKING, "test_bug_10_"),
    11: (READING, "test_bug_11_"),
    12: (WRITING, "test_bug_12_"),
    13: (ASKING, "test_bug_13_"),
    14: (ASKING, "test_bug_14_"),
    15: (TURNING, "(15, "),
    16: (TURNING, "(16, "),
    17: (TURNING, "(17, "),
    18: ("openai_chat/test_asking.py", "bug_18"),
    19: ("openai_chat/test_saying.py", "bug_19"),
    43: ("openai_chat/test_writing.py", "bug_43"),
    44: ("openai_chat/test_reading.py", "bug_44"),
    45: ("openai_chat/test_reading.py", "bug_45"),
    46: ("openai_chat/test_writing.py", "bug_46"),
    60: ("openai_chat/test_reading.py", "and_60"),
    61: ("openai_chat/test_reading.py", "bug_61"),
    62: ("openai_chat/test_asking.py", "bug_62"),
    63: (READING, "test_bug_63_"),
}


@pytest.mark.parametrize("number", TESTS)
def test_a_known_bug_has_a_test(number: int) -> None:
    file, name = TESTS[number]

    assert name in (HERE / file).read_text()

"""Figures and words as tables of the commands show them; pure.

Rule 1: what is not known is a dash, never a zero.
Rule 2: words that came over the network reach the terminal without control characters.
"""

NOTHING = "-"
EIGHTHS = " ▏▎▍▌▋▊▉"
"""Parts of a character cell, for bars."""


def duration(seconds: float | None) -> str:
    """A wait: "21 ms", "1.24 s", "75 s"."""
    if seconds is None:
        return NOTHING
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.2f} s" if seconds < 10 else f"{seconds:.0f} s"


def span(seconds: float) -> str:
    """A longer time, in its two largest units: "45 s", "12 min 5 s", "3 h 20 min", "2 d 4 h"."""
    left, words = int(seconds), []
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {unit}")
    return " ".join(words[:2]) or "0 s"


def number(value: float | None, *, digits: int = 0) -> str:
    """A count or a rate."""
    return NOTHING if value is None else f"{value:,.{digits}f}"


def percent(value: float | None) -> str:
    """A share in percent (0..100): whole where it is 100, else with one digit, never rounded up to 100."""
    if value is None:
        return NOTHING
    return "100 %" if value >= 100 else f"{min(value, 99.9):.1f} %"


def usd(amount: float | None) -> str:
    """Money: as many digits behind the point as it takes to show two that count, but at most eight."""
    if amount is None:
        return NOTHING
    size = abs(amount)
    if size == 0 or size >= 0.1:
        return f"${amount:,.2f}"
    return (
        f"${amount:.4f}"
        if size >= 0.001
        else f"${amount:.6f}"
        if size >= 1e-5
        else f"${amount:.8f}"
    )


def bar(share: float | None, cells: int = 8) -> str:
    """A bar of at most `cells` characters for a share of 0..1."""
    eighths = round(min(max(share or 0.0, 0.0), 1.0) * cells * 8)
    full, part = divmod(eighths, 8)
    return ("█" * full + (EIGHTHS[part] if part else "")).ljust(cells)


def plain(text: str, characters_max: int = 200) -> str:
    """Words that somebody else wrote: one line, printable, not too long."""
    line = "".join(c if c.isprintable() else " " for c in text[: characters_max + 1])
    return line if len(line) <= characters_max else line[:characters_max] + "…"

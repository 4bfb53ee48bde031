"""What each lane of the page is about: its words, its pictures, and which metrics are its rows."""

from typing import NamedTuple


class Lane(NamedTuple):
    """One table, with what is said before it."""

    heading: str
    words: str
    prefix: str
    """Metrics whose ids begin with this are its rows."""


class Chapter(NamedTuple):
    """Lanes that were measured in the same way."""

    heading: str
    words: str
    pictures: tuple[str, ...]
    """File names between `bench-` and `.svg`."""
    lanes: tuple[Lane, ...]


CHAPTERS = (
    Chapter(
        "Saturated",
        "wrk keeps 32 connections busy, one request after another on each: a closed loop. What counts is the CPU time "
        "of each target, from `/proc`, divided by what wrk counted: it says how many cores a load costs. Rates are those "
        "of one core; p50 and p99 are the times of whole replies while the target is overloaded, so they mirror the rate.",
        ("cpu", "rates"),
        (
            Lane("A small request", "600 bytes with ten headers; 610 bytes of JSON come back.", "plain."),
            Lane("A long document", "The same with 100,000 bytes of prompt; the reply is small.", "large."),
            Lane("A stream, a write per event", "64 pieces of text, the finish, the usage and `[DONE]`, each in a write of its "
                 "own as real providers do, back to back.", "chunks."),
            Lane("A stream in one write", "The same stream, all of it at once: kindest to who looks at nothing.", "burst."),
            Lane("Another dialect", "The client speaks OpenAI's chat, the provider Anthropic's Messages. Who only copies bytes "
                 "cannot do it; *direct* is asked in the provider's own words.", "translate."),
            Lane("Another dialect, streamed", "The same with 64 pieces of text, a write per event.", "translate_stream."),
        ),
    ),
    Chapter(
        "Added latency",
        "The small request at 1 to 128 connections, a closed loop again: with one connection it is the bare time of a "
        "request; with 64 most of it is waiting for one's turn. The percentile through the target, less that of the mock "
        "driven directly. Percentiles do not subtract exactly: it is what a client sees more.",
        ("added",),
        (Lane("", "", "ladder."),),
    ),
    Chapter(
        "Throughput at a bound on p99",
        "The highest rate on that ladder whose p99 stays within a bound. In a closed loop a slow reply holds back the next "
        "request, so these p99 are kinder than those of independent clients; they are equally kind to all.",
        ("ladder",),
        (Lane("", "", "tail."),),
    ),
    Chapter(
        "Half load",
        "Independent clients: requests come when their time has come (Poisson), whether or not others were answered. Each "
        "target gets half of the rate that **it** reached when saturated, or what the client can do if that is less; just "
        "before, the mock is driven directly at the same rate. Rates differ between columns, so compare what is added. "
        "Times are to the first byte of the body.",
        ("half",),
        (
            Lane("A small request", "", "half.plain."),
            Lane("A stream, a write per event", "", "half.chunks."),
        ),
    ),
    Chapter(
        "Paced streams",
        "Streams as models write them: an event every 20 ms, many streams at once, the same load for all. A target that is "
        "late finds several events in one read and gets *cheaper* per event; look at the gaps too.",
        ("paced",),
        (
            Lane("32 streams at once", "", "paced.32."),
            Lane("200 streams at once", "", "paced.200."),
        ),
    ),
    Chapter(
        "Memory",
        "Resident memory of all processes of a target; pages that they share count for each.",
        ("memory",),
        (Lane("", "", "memory."),),
    ),
    Chapter(
        "Cold start",
        "From the start of the process, files already in the page cache.",
        ("coldstart",),
        (Lane("", "", "coldstart."),),
    ),
    Chapter(
        "When a client leaves",
        "Clients close their connection after the first event of a paced stream: the time until the provider sees its own "
        "connection closed. Percentiles are of those that were closed; who leaves some open "
        "comes last, for it pays for tokens that nobody reads.",
        (),
        (Lane("", "", "leaving."),),
    ),
)  # fmt: skip

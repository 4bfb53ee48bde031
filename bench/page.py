"""`python -m bench.page`: `docs/benchmarks.md` and its pictures, out of the JSON of a side-by-side run.

Rule 1: every figure comes from the JSON; the same JSON gives the same bytes.
Rule 2: pictures of an earlier run that this one does not draw are removed.
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from bench import page_method as method, page_summary as summary, plots
from bench.machine import ROOT
from bench.page_lanes import chapters
from bench.page_results import Results, ResultsError, newest, read

DOCS = ROOT / "docs"


def page(results: Results, source: str, drawn: dict[str, str]) -> str:
    """The whole page.

    Args:
        source: where the JSON is, as a reader of the repository would say it.
        drawn: titles of the pictures by what ends their file name.
    """
    return "\n\n".join(_blocks(results, source, drawn)) + "\n"


def _blocks(results: Results, source: str, drawn: dict[str, str]) -> Iterator[str]:
    yield (
        f"<!-- Generated from {source} by `python -m bench.page {source}`. "
        "Do not edit: run it again. -->"
    )
    yield "# Benchmarks"
    yield summary.opening(results)
    yield (
        f"All of it is from one run on {results.at[:10]}, which `make bench` repeats on your machine; "
        "`python -m bench.page` writes this page. Trust ratios rather than figures: those belong to one machine."
    )
    if found := summary.standings(results):
        yield "## Who is ahead"
        yield (
            "Factors are medians of the ratios of each round. *About even*: within 5 %, or now one ahead and now the other. "
            "[What this does not show](#what-this-does-not-show) belongs to every line."
        )
        yield found
    if found := summary.budgets(results):
        yield "## Budgets"
        yield "What we allow ourselves, written down before the run; what it did not measure is not judged."
        yield found
    yield "## Who was measured"
    yield from method.targets(results)
    yield "## How"
    yield from method.procedure(results)
    yield "## Lanes"
    yield from chapters(results, drawn)
    yield from _ending(results)


def _ending(results: Results) -> Iterator[str]:
    yield "## What was special"
    yield from method.special(results)
    yield "## What this does not show"
    yield method.bullets(method.LIMITS)
    yield "## What others publish"
    yield "Figures from elsewhere, on other machines, none of them checked by us; and what each leaves out:"
    yield method.bullets(method.CLAIMS)
    yield "## The machine"
    yield from method.machine(results)
    yield "How to run single lanes, and how each is built: [bench](../bench/README.md)."


def write(path: Path, docs: Path) -> list[Path]:
    """Write the page and its pictures below `docs`; returns what was written. Raises: ResultsError."""
    results = read(path)
    whole = path.resolve()
    source = str(whole.relative_to(ROOT)) if whole.is_relative_to(ROOT) else path.name
    pictures = plots.pictures(results)
    images = docs / "images"
    images.mkdir(parents=True, exist_ok=True)
    for old in images.glob("bench-*.svg"):
        old.unlink()
    written = [docs / "benchmarks.md"]
    titles = {name: picture.title for name, picture in pictures.items()}
    written[0].write_text(page(results, source, titles), encoding="utf-8")
    for name, picture in pictures.items():
        written.append(images / f"bench-{name}.svg")
        written[-1].write_text(picture.svg, encoding="utf-8")
    return written


def main(argv: list[str]) -> int:
    """Write; an expected failure is one message and 1."""
    parser = argparse.ArgumentParser(prog="python -m bench.page", description=__doc__)
    parser.add_argument(
        "results", nargs="?", type=Path, help="default: the newest in bench/results"
    )
    parser.add_argument("--docs", type=Path, default=DOCS, help="folder of the page")
    options = parser.parse_args(argv)
    try:
        written = write(options.results or newest(), options.docs)
    except ResultsError as error:
        print(f"bench.page: {error}", file=sys.stderr)
        return 1
    print(f"written: {written[0]} and {len(written) - 1} pictures")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`python -m bench.profile`: where the gateway's CPU time goes, as a table and as a flame graph."""

import argparse
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import orjson

from bench.load import Load, check
from bench.machine import ROOT, facts, pinning
from bench.peers.hedgerow import HEDGEROW
from bench.peers.peer import BenchError
from bench.posts import KINDS, Kind
from bench.profile import costs, flame, sampling
from bench.profile.calls import with_calls
from bench.profile.sampling import Samples
from bench.profile.stretch import measured
from bench.servers import mock, proxy

CONNECTIONS, SECONDS, SECONDS_MAX = 32, 10, 60
RESULTS, IMAGES = ROOT / "bench" / "results", ROOT / "docs" / "images"


def arguments(argv: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__)
    parser.add_argument("--kind", choices=KINDS, action="append", help="default plain (repeatable)")
    parser.add_argument("--seconds", type=int, default=SECONDS, help=f"default {SECONDS}")
    parser.add_argument("--docs", action="store_true", help="put the picture into docs/images")
    options = parser.parse_args(argv)
    options.seconds = min(max(options.seconds, 1), SECONDS_MAX)
    options.kind = options.kind or ["plain"]
    return options


def profile(kind: Kind, seconds: int) -> tuple[costs.Costs, Samples]:
    """Start mock and gateway, load it without and then with the sampler. Raises: BenchError."""
    pins = pinning()
    with tempfile.TemporaryDirectory(prefix="bench-profile-") as name, mock(pins) as upstream:
        folder = Path(name)
        with proxy(HEDGEROW, upstream.port, folder, pins) as target:
            expected = check(target, kind)
            measured(target, Load(expected, CONNECTIONS, 1), pins)  # warm up
            alone = measured(target, Load(expected, CONNECTIONS, min(seconds, 5)), pins)
            raw = folder / "stacks.txt"
            with sampling.recording(target.pid, seconds, raw, pins):
                time.sleep(sampling.ATTACH_S)
                profiled = measured(target, Load(expected, CONNECTIONS, seconds), pins)
        samples = with_calls(sampling.read(raw.read_text()))
    return costs.costs_of(kind, samples, alone, profiled), samples


def picture(found: costs.Costs, samples: Samples) -> str:
    """The flame graph as SVG."""

    def tell(node: flame.Node) -> str:
        share = node.samples / max(found.samples, 1)
        return f"{share * found.alone.used_us:.1f} µs of a request, {100 * share:.1f} %"

    title = f"CPU time of one request ({found.kind}): {found.alone.used_us:.0f} µs"
    return flame.draw(title, flame.grow(samples, "CPU time"), tell)


def save(found: costs.Costs, samples: Samples, images: Path) -> list[Path]:
    """Write JSON, Markdown and the picture; where they are."""
    RESULTS.mkdir(exist_ok=True)
    name = f"profile-{found.kind}"
    document = {"machine": facts(), **asdict(found)}
    files = {
        RESULTS / f"{name}.json": orjson.dumps(document, option=orjson.OPT_INDENT_2).decode(),
        RESULTS / f"{name}.md": costs.markdown(found),
        images / f"{name}.svg": picture(found, samples),
    }
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    return list(files)


def main() -> None:
    """Profile, print and save; an expected failure is one line and exit code 1."""
    options = arguments(sys.argv[1:])
    try:
        if why := sampling.missing() or HEDGEROW.missing():
            raise BenchError(why)
        for kind in options.kind:
            found, samples = profile(kind, options.seconds)
            print(costs.text(found))
            for path in save(found, samples, IMAGES if options.docs else RESULTS):
                print(f"saved: {path.relative_to(ROOT)}")
    except BenchError as error:
        sys.exit(f"profile: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

"""A flame graph: each function as wide as its share of the CPU time, on top of whoever called it.

Rule 1: callees stand in the order in which their caller calls them, so a request's life is read from
left to right. Rule 2: no scripts; what a browser shows when the pointer rests is an SVG title.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape

from bench.day_svg import WIDTH, Drawing
from bench.profile.layers import colour_of, legend
from bench.profile.sampling import Frame, Samples, Stack

ROW = 17
"""Pixels from function to function."""
NARROWEST = 0.8
"""Pixels below which a function, and all that it calls, is left out."""
LETTER = 6.1
"""Pixels that a letter needs."""
TOP, BOTTOM = 30, 52
INK = "#1b1f24"
"""Of words on a block, by day and by night: blocks have their own background."""
SIDE = 16
"""Pixels left free at both sides."""


@dataclass(slots=True)
class Node:
    """A function in one place of the stack."""

    frame: Frame
    samples: int = 0
    """Those in which it or something that it called was running."""
    first_line: int = 1 << 30
    """Where its caller calls it first."""
    callees: dict[tuple[str, str], "Node"] = field(default_factory=dict)

    def ordered(self) -> list["Node"]:
        """What it called, in the order of the calls."""
        return sorted(self.callees.values(), key=lambda node: (node.first_line, node.frame))


def grow(samples: Samples, root: str) -> Node:
    """All stacks as one tree, below a `root` that is no function."""
    top = Node(Frame(root, "", 0))
    for stack, number in samples.items():
        top.samples += number
        node, line = top, 0
        for frame in trunk_off(stack):
            node = node.callees.setdefault((frame.function, frame.file), Node(frame))
            node.samples += number
            node.first_line = min(node.first_line, line)
            line = frame.line
    return top


def trunk_off(stack: Stack) -> Stack:
    """The stack from the event loop on: what starts the gateway is the same for all."""
    for place, frame in enumerate(stack):
        if frame.file.startswith("trio/"):
            return stack[place:]
    return stack


class Flame(Drawing):
    """The picture."""

    def __init__(self, title: str, tree: Node, tell: Callable[[Node], str]) -> None:
        """`tell` says in words how much time a function took."""
        self._scale = (WIDTH - 2 * SIDE) / max(tree.samples, 1)
        self._floor = TOP + ROW * _height(tree, self._scale)
        self._tell = tell
        super().__init__(title, round(self._floor) + BOTTOM)
        self._all(tree, SIDE, self._floor - ROW)
        self._layers(self._floor + 18)

    def _all(self, node: Node, x: float, y: float) -> None:
        """A function and what it called, above it."""
        width = node.samples * self._scale
        if width < NARROWEST:
            return
        self._one(node, x, y, width)
        for callee in node.ordered():
            self._all(callee, x, y - ROW)
            x += callee.samples * self._scale

    def _one(self, node: Node, x: float, y: float, width: float) -> None:
        frame = node.frame
        where = f" ({frame.file})" if frame.file else ""
        self._parts.append(
            f"<g><title>{escape(frame.function + where)}: {escape(self._tell(node))}</title>"
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width - 0.5, 0.4):.1f}" '
            f'height="{ROW - 1}" rx="1.5" fill="{colour_of(frame)}"/>'
        )
        if words := shortened(frame.function, width - 6):
            self._parts.append(
                f'<text x="{x + 3:.1f}" y="{y + 12:.1f}" style="fill:{INK};font-size:11px">'
                f"{escape(words)}</text>"
            )
        self._parts.append("</g>")

    def _layers(self, y: float) -> None:
        entries = legend()
        for line in (entries[:5], entries[5:]):
            self.legend(y, line)
            y += 18


def shortened(function: str, width: float) -> str:
    """As much of a name as has room: without its class, then cut; empty if nothing sensible has."""
    letters = int(width / LETTER)
    for name in (function, function.rpartition(".")[2]):
        if len(name) <= letters:
            return name
    return name[: letters - 1] + "…" if letters > 4 else ""


def _height(node: Node, scale: float) -> int:
    """Functions on top of each other that are drawn."""
    if node.samples * scale < NARROWEST:
        return 0
    return 1 + max((_height(callee, scale) for callee in node.callees.values()), default=0)


def draw(title: str, tree: Node, tell: Callable[[Node], str]) -> str:
    """The picture as SVG."""
    return Flame(title, tree, tell).text()

"""What must be true of the code itself: walls, mirror, vocabulary. A rule nobody checks is a wish."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILE_LINES_MAX = 500
BODY_LINES_MAX = 70
VENDOR = re.compile(
    r"openai|anthropic|gemini|bedrock|mistral|groq|vertex|deepseek|cerebras|xai\b|together", re.I
)
VENDORS_ALLOWED = ("proxy/dialects/", "proxy/catalog/")
VAGUE = frozenset(
    "utils util helpers helper common misc base manager handler core types stuff lib".split()
)
TOP_LEVEL = frozenset({"proxy", "bench", "tests", "loadtests", "docs"})


def sources(root: Path) -> list[Path]:
    """Every module of the package below `root`."""
    return sorted((root / "proxy").rglob("*.py"))


def complaints(path: Path, root: Path) -> list[str]:
    """What is untidy about one module; empty: nothing."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    where = path.relative_to(root).as_posix()
    found = []
    if text.count("\n") > FILE_LINES_MAX:
        found.append(f"longer than {FILE_LINES_MAX} lines")
    found += [
        f"{f.name}: body over {BODY_LINES_MAX} lines"
        for f in _functions(tree)
        if _body(f) > BODY_LINES_MAX
    ]
    names = path.relative_to(root).with_suffix("").parts
    found += [f"vague name {name}" for name in names if name in VAGUE]
    if text.strip() and not ast.get_docstring(tree):
        found.append("no module docstring")
    if any(isinstance(node, ast.Global) for node in ast.walk(tree)):
        found.append("global statement")
    if not where.startswith(VENDORS_ALLOWED):
        found += [f"vendor in control flow: {test}" for test in _tests(tree) if VENDOR.search(test)]
    if path.stem not in {"__init__", "__main__"}:
        inside = path.relative_to(root / "proxy")
        mirror = Path("tests") / inside.parent / f"test_{inside.name}"
        if not (root / mirror).exists():
            found.append(f"no {mirror}")
    return found


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef))


def _body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines to hold in mind: without signature and docstring."""
    documented = ast.get_docstring(function, clean=False) is not None
    first = function.body[min(int(documented), len(function.body) - 1)]
    return (function.end_lineno or 0) - first.lineno + 1


def _tests(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.If | ast.IfExp | ast.While):
            yield ast.unparse(node.test)
        elif isinstance(node, ast.comprehension):
            yield from (ast.unparse(test) for test in node.ifs)
        elif isinstance(node, ast.Match):
            yield ast.unparse(node.subject)
            yield from (ast.unparse(case.pattern) for case in node.cases)
            yield from (ast.unparse(case.guard) for case in node.cases if case.guard)


@pytest.mark.parametrize("path", sources(ROOT), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_a_module_is_tidy(path: Path) -> None:
    assert [] == complaints(path, ROOT)


def test_the_top_level_holds_only_what_the_design_names() -> None:
    folders = {p.name for p in ROOT.iterdir() if p.is_dir() and not p.name.startswith(".")}

    assert folders <= TOP_LEVEL | {"data", "dist", "build", "node_modules"} | {
        name for name in folders if name.endswith(".egg-info")
    }


def test_a_file_of_ours_names_no_registry_and_no_path_of_a_machine() -> None:
    listed = [
        *(ROOT / "Makefile", ROOT / ".ci" / "run"),
        *ROOT.glob("*.lock"),
        *ROOT.glob("*.toml"),
        *ROOT.glob("tests/**/package-lock.json"),
    ]
    bad = re.compile(
        r"--(extra-)?index-url|\"resolved\": *\"https?:|registry *= *\"?https?:"
        r"|(?<![\w.])/(home|root|work|Users|opt)/"
    )

    assert [] == [
        p.name for p in listed if "node_modules" not in p.parts and bad.search(p.read_text())
    ]

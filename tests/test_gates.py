"""Each gate fails when it is broken: a check that cannot fail would be no check.

A copy of the package is damaged in one way at a time, and the gate that should notice is run on it.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_tidy import ROOT, complaints


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its settings."""
    root = tmp_path_factory.mktemp("gates")
    shutil.copytree(ROOT / "proxy", root / "proxy", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    return root


@pytest.fixture
def house(pristine: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    root = tmp_path / "house"
    shutil.copytree(pristine, root)
    return root


def imports(root: Path) -> str:
    """The import contracts' verdict on a tree; empty: kept."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    return ran.stdout if ran.returncode else ""


def add(path: Path, line: str) -> None:
    """Put an import behind the module's docstring, where it is an ordinary line."""
    path.write_text(path.read_text() + f"\n{line}\n")


def test_the_contracts_hold_as_the_tree_is(pristine: Path) -> None:
    assert "" == imports(pristine)


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        ("stages/relay.py", "import proxy.stages.settle", "A stage returns a value"),
        ("model/call.py", "import trio", "The core is sans-io"),
        ("wire/sse.py", "import socket", "The core is sans-io"),
        ("policy/planner.py", "import proxy.net.pool", "Layers"),
        ("stages/relay.py", "import proxy.dialects.openai_chat", "Only the registry"),
        ("stages/relay.py", "import proxy.ledger.memory", "Money moves"),
        ("net/pool.py", "import proxy.doors.lane", "Layers"),
    ],
)
def test_a_forbidden_import_is_caught(house: Path, file: str, line: str, contract: str) -> None:
    add(house / "proxy" / file, line)

    verdict = imports(house)

    assert f"{contract}" in verdict
    assert "BROKEN" in verdict


def test_a_stray_package_is_caught(house: Path) -> None:
    (house / "proxy" / "utils").mkdir()
    (house / "proxy" / "utils" / "__init__.py").write_text('"""Things."""\n')

    assert "utils" in imports(house)


def test_a_cycle_among_siblings_is_caught(house: Path) -> None:
    add(house / "proxy" / "wire" / "body.py", "import proxy.wire.transcript")

    assert "No cycles among siblings BROKEN" in imports(house)


def test_a_type_error_is_caught(house: Path) -> None:
    add(house / "proxy" / "units.py", 'WRONG: int = "text"')
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        str(ROOT / ".mypy_cache"),
        "proxy/units.py",
    ]

    ran = subprocess.run(
        command, cwd=house, capture_output=True, text=True, check=False, timeout=120
    )

    assert 1 == ran.returncode
    assert "Incompatible types in assignment" in ran.stdout


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('"""Says."""\n' + "x = 1\n" * 501, "longer than"),
        ('"""Says."""\ndef f():\n' + "    x = 1\n" * 71, "body over"),
        ("x = 1\n", "no module docstring"),
        ('"""Says."""\nif provider == "groq":\n    x = 1\n', "vendor in control flow"),
        ('"""Says."""\ndef f():\n    global x\n    x = 1\n', "global statement"),
        ('"""Says."""\n', "no tests/stages"),
    ],
)
def test_untidiness_is_caught(tmp_path: Path, text: str, complaint: str) -> None:
    module = tmp_path / "proxy" / "stages" / "stray.py"
    module.parent.mkdir(parents=True)
    module.write_text(text)

    assert any(complaint in found for found in complaints(module, tmp_path))


def test_a_vague_name_is_caught(tmp_path: Path) -> None:
    module = tmp_path / "proxy" / "helpers.py"
    module.parent.mkdir()
    module.write_text('"""Says."""\n')

    assert "vague name helpers" in complaints(module, tmp_path)

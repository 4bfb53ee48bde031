"""Each gate fails when it is broken: a check that cannot fail would be no check.

A copy of the package is damaged in one way at a time, and the gate that should notice is run on it.
"""

import re
import shutil
import subprocess
import sys
import tomllib
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
    """What import-linter says about a tree; empty: every contract is kept."""
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    ran = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=60)
    return ran.stdout + ran.stderr if ran.returncode else ""


def broken(root: Path) -> list[str]:
    """Names of the contracts that a tree breaks. The linter lists the kept ones too."""
    return re.findall(r"^(.+) BROKEN(?: \(.*\))?$", imports(root), re.MULTILINE)


def add(path: Path, line: str) -> None:
    """Put an import at the end of a module, where it is an ordinary line."""
    path.write_text(path.read_text() + f"\n{line}\n")


def test_the_contracts_hold_as_the_tree_is(pristine: Path) -> None:
    assert "" == imports(pristine)


FORBIDDEN = [
    ("stages/relay.py", "import proxy.stages.settle", "A stage returns a value"),
    ("model/call.py", "import trio", "The core is sans-io"),
    ("wire/sse.py", "import socket", "The core is sans-io"),
    ("policy/planner.py", "import proxy.net.pool", "Layers"),
    ("stages/relay.py", "import proxy.dialects.openai_chat", "Only the registry"),
    ("stages/relay.py", "import proxy.dialects.stray", "Only the registry"),
    ("dialects/openai_chat/reading.py", "import proxy.dialects.stray", "A dialect knows no other"),
    ("stages/relay.py", "import proxy.ledger.memory", "Money moves"),
    ("net/pool.py", "import proxy.doors.lane", "Layers"),
    ("wire/body.py", "import proxy.wire.transcript", "No cycles among siblings"),
]


@pytest.mark.parametrize(("file", "line", "contract"), FORBIDDEN)
def test_a_forbidden_import_is_caught(house: Path, file: str, line: str, contract: str) -> None:
    (house / "proxy" / "dialects" / "stray.py").write_text('"""A dialect of tomorrow."""\n')
    assert [] == broken(house)
    add(house / "proxy" / file, line)

    assert any(name.startswith(contract) for name in broken(house))


def test_every_contract_is_shown_to_fail() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    names = [contract["name"] for contract in settings["contracts"]]

    assert [] == [n for n in names if not any(n.startswith(shown) for _, _, shown in FORBIDDEN)]


def test_a_stray_package_is_caught(house: Path) -> None:
    (house / "proxy" / "utils").mkdir()
    (house / "proxy" / "utils" / "__init__.py").write_text('"""Things."""\n')

    assert "utils" in imports(house)


def test_a_type_error_is_caught(house: Path) -> None:
    add(house / "proxy" / "units.py", 'WRONG: int = "text"')
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--cache-dir",
        str(house / ".mypy_cache"),
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
        (
            '"""Says."""\nmatch x:\n    case y if y == "groq":\n        pass\n',
            "vendor in control flow",
        ),
        ('"""Says."""\nx = [p for p in ps if p == "groq"]\n', "vendor in control flow"),
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


def test_a_vague_folder_is_caught_at_any_depth(tmp_path: Path) -> None:
    module = tmp_path / "proxy" / "net" / "utils" / "__init__.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""Says."""\n')

    assert ["vague name utils"] == complaints(module, tmp_path)

"""Running the command as a process, with an environment that holds nothing of ours."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROCESS_TIME_S = 60


def clean_environment(**more: str) -> dict[str, str]:
    """What a process needs to find Python and this package, and `more`."""
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **more}


def hedgerow(
    *arguments: str, folder: Path = ROOT, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `hedgerow` with `arguments` in `folder` until it ends."""
    return subprocess.run(
        [sys.executable, "-m", "proxy", *arguments],
        cwd=folder, env=clean_environment(**environ),
        capture_output=True, text=True, timeout=PROCESS_TIME_S, check=False,
    )  # fmt: skip

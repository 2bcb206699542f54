"""See to it that there is a Chromium for the browser tests: Debian's package where there is none and we may install it.

A browser that is elsewhere can be named: CHROMIUM=/path/to/chrome make test
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str | None:
    """The browser's program, or None."""
    named = os.environ.get("CHROMIUM")
    found = [shutil.which(name) for name in ([named] if named else NAMES)]
    return next((path for path in found if path), None)


def main() -> None:
    if chromium():
        return
    if named := os.environ.get("CHROMIUM"):
        sys.exit(f"CHROMIUM={named} is no program.")
    apt = shutil.which("apt-get")
    if apt is None or not hasattr(os, "geteuid") or os.geteuid() != 0:
        sys.exit(
            "The browser tests need Chromium, and there is none on PATH.\n"
            "On Debian and Ubuntu: sudo apt-get install chromium\n"
            "Elsewhere install Chromium or Chrome, and name it: CHROMIUM=/path/to/chrome make test\n"
            "Without it: make test-fast"
        )
    print("Installing Chromium for the browser tests: Debian's package, once.", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-qq"], ["install", "-qq", "--yes", "--no-install-recommends", "chromium"]):
        done = subprocess.run([apt, *command], env=environment, check=False, stdout=subprocess.DEVNULL)
        if done.returncode:
            sys.exit(f"apt-get {command[0]} failed; install chromium by hand, or: make test-fast")
    if chromium() is None:
        sys.exit("apt-get installed no program that is called chromium; name one: CHROMIUM=/path/to/chrome make test")


if __name__ == "__main__":
    main()

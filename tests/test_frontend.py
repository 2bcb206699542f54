"""What is committed and built of the front end: no addresses, no surprises in pages, pictures of a reasonable size."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "jupyter_extension" / "package-lock.json"
MOST_BYTES = 300 * 1024


def test_the_lock_pins_packages_without_addresses():
    packages = json.loads(LOCK.read_text(encoding="utf-8"))["packages"]

    assert len(packages) > 4
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all("integrity" in package for name, package in packages.items() if name)


def test_the_front_end_needs_nothing_of_others_at_run_time():
    package = json.loads((ROOT / "jupyter_extension" / "package.json").read_text(encoding="utf-8"))

    assert "dependencies" not in package


def test_no_source_makes_markup_of_data():
    for source in (ROOT / "jupyter_extension" / "src").glob("**/*.ts"):
        text = source.read_text(encoding="utf-8")
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
            assert way not in text, f"{way} in {source.name}"


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "images").glob("*")), ids=lambda path: path.name)
def test_a_picture_is_no_burden(path):
    assert path.stat().st_size < MOST_BYTES

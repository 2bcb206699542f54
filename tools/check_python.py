"""Say what is missing before `make` builds .venv: a Python that is too old, or one without venv.

Runs under whatever `python3` is, so it uses nothing that an old one would not understand.
"""

import importlib.util
import sys

OLDEST = (3, 11)
HAVE = "{}.{}".format(*sys.version_info)

if sys.version_info < OLDEST:
    sys.exit(
        f"mirascope_ops needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {sys.executable} is {HAVE}.\n"
        "Name another one: make PYTHON=python3.12 demo"
    )
if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
    sys.exit(
        f"{sys.executable} cannot make virtual environments: its module venv or ensurepip is missing.\n"
        f"On Debian and Ubuntu: apt install python{HAVE}-venv"
    )

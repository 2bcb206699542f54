"""What models cost, as the user says: `configure(prices=...)`. No price is known otherwise."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from mirascope_ops.exceptions import ConfigurationError

_UNITS: Final = {"_per_token": 1, "_per_million": 1_000_000}  # tokens that a price is for
_PARTS: Final = ("input", "output", "cache_read")
_HELP: Final = (
    'expected a mapping such as {"gpt-4o-mini": {"input_per_million": 0.15, "output_per_million": 0.60}}, '
    "or a .json or .csv file of the same"
)


class Price(NamedTuple):
    """US dollars a token.

    Attributes:
        input: A token of the prompt.
        output: A token of the answer.
        cache_read: A token of the prompt that came from the provider's cache; as `input` where it was not told.
    """

    input: float
    output: float
    cache_read: float

    def cost(self, input_tokens: int | None, output_tokens: int | None, cache_read_tokens: int | None) -> float:
        """Give the cost of a call in US dollars.

        Example:
            >>> Price(2e-6, 8e-6, 1e-6).cost(1_000, 100, 500)
            0.0023
        """
        cached = min(cache_read_tokens or 0, input_tokens or 0)
        return (
            ((input_tokens or 0) - cached) * self.input + cached * self.cache_read + (output_tokens or 0) * self.output
        )


prices: dict[str, Price] = {}
"""The price of each model that the user named."""


def read(told: Any) -> dict[str, Price]:
    """Read prices.

    Args:
        told: A mapping of models to prices, or a file of it: JSON, or CSV with a column `model`. A price names
            `input_per_million` and `output_per_million` (US dollars for a million tokens), or `input_per_token` and
            `output_per_token`, and perhaps `cache_read_per_million` or `cache_read_per_token`. None for no prices.

    Raises:
        ConfigurationError: It cannot be read as prices.

    Example:
        >>> read({"small": {"input_per_million": 1, "output_per_token": 2e-06}})
        {'small': Price(input=1e-06, output=2e-06, cache_read=1e-06)}
    """
    if told is None:
        return {}
    if isinstance(told, str | Path):
        told = _of_file(Path(told))
    if not isinstance(told, Mapping):
        message = f"prices={told!r} are no prices; {_HELP}."
        raise ConfigurationError(message)
    return {str(model): _price(str(model), price) for model, price in cast("Mapping[Any, Any]", told).items()}


def price_of(model: str) -> Price | None:
    """Find a model's price: under its name, or the name without provider (`openai/`), interface (`:chat`) or date.

    Example:
        >>> price_of("nobody-said") is None
        True
    """
    bare = model.rpartition("/")[2].partition(":")[0]
    undated = re.sub(r"[-@](?:\d{4}-?\d{2}-?\d{2}|\d{6,8}|latest)$", "", bare)
    return next((prices[name] for name in (model, bare, undated) if name in prices), None)


def _of_file(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".csv":
            return {row["model"]: {k: v for k, v in row.items() if k != "model" and v} for row in _rows(text)}
        return json.loads(text)
    except (OSError, ValueError, KeyError) as error:
        message = f"No prices can be read from {path}: {type(error).__name__}: {error}; {_HELP}."
        raise ConfigurationError(message) from error


def _rows(text: str) -> list[dict[str, Any]]:
    return list(csv.DictReader(text.splitlines()))


def _price(model: str, told: Any) -> Price:
    found: dict[str, float] = {}
    for key, value in (cast("Mapping[Any, Any]", told) if isinstance(told, Mapping) else {"": told}).items():
        part, unit = next(((part, unit) for part in _PARTS for unit in _UNITS if key == part + unit), ("", ""))
        number = _number(value)
        if not part or number is None or part in found:
            known = ", ".join(part + unit for part in _PARTS for unit in _UNITS)
            message = (
                f"The price of {model!r} cannot be read at {key!r}: {value!r}; the keys are {known}, in US dollars."
            )
            raise ConfigurationError(message)
        found[part] = number / _UNITS[unit]
    if "input" not in found or "output" not in found:
        message = f"The price of {model!r} must tell what input and output cost; {_HELP}."
        raise ConfigurationError(message)
    return Price(found["input"], found["output"], found.get("cache_read", found["input"]))


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and number >= 0 else None

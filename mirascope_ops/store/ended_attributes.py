"""The attributes of many spans that have ended: by key, and as the text that `codec.encode` makes of them.

What the spans of one function or of one session share is looked at and written once. A span's text is then put together
of pieces, which takes a fraction of writing it anew, and nothing is made for a span alone.
"""

from __future__ import annotations

from itertools import repeat
from operator import attrgetter, itemgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from mirascope_ops.core import attributes as keys
from mirascope_ops.core.ended import assemble
from mirascope_ops.store import codec, masked
from mirascope_ops.store.alike import Alike, by_keys
from mirascope_ops.store.same import Same, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mirascope_ops.core.pipeline import Origin
    from mirascope_ops.core.session import Stamp
    from mirascope_ops.core.site import Arguments, CallSite

_SESSION: Final = (keys.SESSION_ID, keys.OTEL_SESSION_ID, keys.SESSION_ATTRIBUTES)
_OURS: Final = (*_SESSION, keys.ARG_TYPES, keys.ARG_VALUES, keys.OUTPUT)
_BEGINNING: Final = {key: f",{codec.encode(key)}:" for key in _OURS}
_SIMPLE: Final = frozenset((type(None), str, bool, int))  # results that need no look at the other attributes
_is_foreign: Final = attrgetter("is_foreign")


class Sessions:
    """What spans tell of their sessions, looked at once for each session.

    Args:
        stamps: The spans' stamps, None for spans outside of sessions.

    Attributes:
        columns: The spans' session ids, run ids and session attributes.
        keys: For each span how many attribute keys its session gives it.
        texts: For each span these keys and their values, as they go into the text of its attributes.
    """

    def __init__(self, stamps: Sequence[Stamp | None]) -> None:
        self.columns: Sequence[Sequence[Any]]
        self.keys: Sequence[int]
        self.texts: Sequence[str]
        number = len(stamps)
        if (one := shared(stamps)) is not None:
            *self.columns, self.keys, self.texts = (Same(value, number) for value in _told(one.value))
            return
        places = list(map(id, stamps))
        known = {place: _told(stamp) for place, stamp in dict(zip(places, stamps, strict=True)).items()}
        *self.columns, self.keys, self.texts = zip(*map(known.__getitem__, places), strict=True)


def _told(stamp: Stamp | None) -> tuple[str | None, str | None, str | None, int, str]:
    if stamp is None:
        return None, None, None, 0, ""
    session, attributes = codec.clean(stamp.session_id), codec.clean(stamp.attributes)
    values = (session, session) if attributes is None else (session, session, attributes)
    text = "".join(_BEGINNING[key] + codec.encode(value) for key, value in zip(_SESSION, values, strict=False))
    return session, codec.clean(stamp.run_id), attributes, len(values), text


class Parts(NamedTuple):
    """For each span the parts of which its attributes are put together (`core.ended.EndedSpan`).

    Attributes:
        sites: The traced functions.
        stamps: The sessions.
        arguments: Captured arguments.
        outputs: Captured results.
        extras: What was set on the span.
        origins: Where it comes from.
        session_ids: As `Sessions` has them.
        session_attributes: As `Sessions` has them.
        session_keys: As `Sessions` has them.
        session_texts: As `Sessions` has them.
    """

    sites: Sequence[CallSite | None]
    stamps: Sequence[Stamp | None]
    arguments: Sequence[Arguments | None]
    outputs: Sequence[Any]
    extras: Sequence[Mapping[str, Any] | None]
    origins: Sequence[Origin]
    session_ids: Sequence[str | None]
    session_attributes: Sequence[str | None]
    session_keys: Sequence[int]
    session_texts: Sequence[str]

    def at(self, places: Sequence[int]) -> Parts:
        """Give those of some spans."""
        if len(places) == 1:
            return Parts._make(part[places[0] : places[0] + 1] for part in self)
        choose: Callable[[Any], Sequence[Any]] = itemgetter(*places)
        return Parts._make(Same(part.value, len(places)) if isinstance(part, Same) else choose(part) for part in self)


def attributes_of(parts: Parts) -> tuple[Sequence[str | None], list[Alike]]:
    """Read the attributes of spans.

    Args:
        parts: Of each span what they are put together of.

    Returns:
        For each span the text that a file keeps, and the spans by their attribute keys.

    Example:
        >>> attributes_of(Parts((), (), (), (), (), (), (), (), (), ()))
        ([], [])
    """
    texts: list[str | None] = [None] * len(parts.sites)
    groups: list[Alike] = []
    others: list[int] = []
    for places in _by_parts(parts):
        whole = len(places) == len(texts)
        written = _Written(parts if whole else parts.at(places))
        if not written.is_known:
            others += places
            continue
        groups.append(Alike(tuple(written.columns), places, columns=written.columns))
        found = written.texts()
        if whole:
            return found, groups
        for place, text in zip(places, found, strict=True):
            texts[place] = text
    if others:
        groups += _one_by_one(parts, sorted(others), texts)
    return texts, groups


def _by_parts(parts: Parts) -> Iterable[Sequence[int]]:
    """Group spans of which the attributes have the same keys, as far as these parts tell."""
    number = len(parts.sites)
    if not number:
        return ()
    told: list[list[Any]] = [
        list(map(id, parts.sites)),
        list(map(type, parts.arguments)),
        list(map(type, parts.outputs)),
    ]
    if shared(parts.session_keys) is None:
        told.append(list(parts.session_keys))
    if any(parts.extras):
        told.append(list(map(bool, parts.extras)))
    if shared(parts.origins) is None:
        told.append(list(map(_is_foreign, parts.origins)))
    different = [each for each in told if each.count(each[0]) < number]
    if not different:
        return (range(number),)
    found = different[0] if len(different) == 1 else list(zip(*different, strict=True))
    groups: dict[Any, list[int]] = {each: [] for each in dict.fromkeys(found)}
    for place, each in enumerate(found):
        groups[each].append(place)
    return groups.values()


def _one_by_one(parts: Parts, places: Sequence[int], texts: list[str | None]) -> list[Alike]:
    """Put together the attributes of spans on which something was set."""
    found: list[Mapping[str, Any]] = []
    for site, stamp, arguments, output, extra, origin in zip(*parts.at(places)[:6], strict=True):
        alone = site is None and origin.is_foreign
        found.append(masked.attributes(extra or {}) if alone else assemble(site, stamp, arguments, output, extra))
    for place, text, mapping in zip(places, codec.encode_all(found), found, strict=True):
        texts[place] = text if mapping else None
    return [
        Alike(some.keys, [places[place] for place in some.places], mappings=some.mappings())
        for some in by_keys(list(map(codec.plain, found)))
    ]


class _Written:
    """Attributes of spans of one function (or of none), on which nothing was set.

    Attributes:
        is_known: Whether they are such attributes; the other two tell nothing where they are not.
        columns: By key, in order, the values of all spans.
    """

    def __init__(self, parts: Parts) -> None:
        self._number = len(parts.sites)
        self._pieces: list[str | Sequence[str]] = []
        self.columns: dict[str, Sequence[Any]] = {}
        site = parts.sites[0]
        shared_ones: Mapping[str, Any] = {keys.TYPE: "trace"} if site is None else site.attributes
        is_alone = site is None and parts.origins[0].is_foreign
        output = parts.outputs[0]
        self.is_known = not (is_alone or parts.extras[0] or not shared_ones.keys().isdisjoint(_OURS)) and (
            type(output) in _SIMPLE and (output is None or codec.are_plain(parts.outputs))
        )
        if not self.is_known:
            return
        self._pieces.append(codec.encode(shared_ones)[:-1])
        for key, value in codec.plain(shared_ones).items():
            self.columns[key] = Same(value, self._number)
        if parts.session_keys[0]:
            self._pieces.append(_piece(parts.session_texts))
            told = (parts.session_ids, parts.session_ids, parts.session_attributes)
            self.columns.update(zip(_SESSION[: parts.session_keys[0]], map(_column, told), strict=False))
        if site is not None and parts.arguments[0] is not None:
            types, values = site.describe_all(parts.arguments)  # type: ignore[arg-type]
            self._add(keys.ARG_TYPES, types)
            self._add(keys.ARG_VALUES, values)
        if output is not None:
            self._add(keys.OUTPUT, parts.outputs)

    def texts(self) -> list[str | None]:
        """Give the text of each span."""
        pieces: list[Iterable[str]] = [repeat(piece) if isinstance(piece, str) else piece for piece in self._pieces]
        return list(map("".join, zip(*pieces, repeat("}", self._number), strict=False)))

    def _add(self, key: str, values: Sequence[Any]) -> None:
        """Add a key with its values, which are plain."""
        one = shared(values)
        self.columns[key] = values if one is None else one
        if one is None:
            self._pieces += (_BEGINNING[key], list(map(bytes.decode, map(orjson.dumps, values))))
        else:
            self._pieces.append(_BEGINNING[key] + orjson.dumps(one.value).decode())


def _column(values: Sequence[Any]) -> Sequence[Any]:
    one = shared(values)
    return values if one is None else one


def _piece(texts: Sequence[str]) -> str | Sequence[str]:
    one = shared(texts)
    return texts if one is None else one.value

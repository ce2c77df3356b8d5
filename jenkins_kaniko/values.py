"""Values of the plugin's properties, as the plugin itself keeps them: an applied state must never show as changed.

A configuration may write 5 or '5', blanks at the ends, an empty text, or a value that an object has anyway. The
plugin stores all of these in one form; here is the same on our side, and what cannot be stored at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from jenkins_kaniko.errors import WrongInputError
from jenkins_kaniko.model import CloudState

Kinds = Mapping[str, Mapping[str, str | None] | None]
BLANKS = "".join(map(chr, range(33)))
"""What Java's trim() cuts off."""
TRIMMED = frozenset({"name", "label", "namespace", "inheritFrom", "nodeSelector", "jenkinsUrl"})
"""Properties whose setters cut blanks off (facts: kubernetes-plugin, PodTemplate and KubernetesCloud)."""

UNSTORABLE = re.compile("[\0\u2028\ud800-\udfff\ufffe\uffff]")
"""Jenkins keeps all in files of XML 1.1: it has no such characters, and reads U+2028 back as the end of a line."""


def same(one: Any, other: Any) -> bool:
    """Tell whether the plugin takes two values for the same; each property has one type, so texts decide."""
    return bool(as_texts(one) == as_texts(other))


def as_texts(value: Any) -> Any:
    """Return `value` with all numbers and switches in it as the texts that XML has for them."""
    if isinstance(value, Mapping):
        return {key: as_texts(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [as_texts(item) for item in value]
    return str(value).lower() if isinstance(value, bool) else value if value is None else str(value)


def fitted(
    fields: Mapping[str, Any],
    defaults: Mapping[str, Any],
    whose: str,
    state: CloudState,
    notes: list[str],
    refusals: list[str],
) -> dict[str, Any]:
    """Return `fields` as they will read back from the plugin version of `state`.

    A property that it does not have is left out, which leaves it its own way, and noted. A value whose class it does
    not have is refused: that would fall back to another value than the one that was asked for.

    Args:
        defaults: the properties that it has, of a template or of a cloud.
        notes, refusals: get sentences that begin with `whose`.
    """
    plugin = f"kubernetes plugin {state.plugin_version}"
    result = {}
    for name, value in fields.items():
        if name not in defaults:
            notes.append(f"{whose}: {plugin} has no field {name}; left out")
            continue
        refusals += [f"{whose}: {name}: {plugin} has no {kind}" for kind in _missing_kinds(value, state.kinds)]
        lacking: list[str] = []
        result[name] = _kept(name, value, state.kinds, lacking)
        notes += [f"{whose}: {name}: {plugin} has no {key}; left out" for key in lacking]
    return {name: value for name, value in result.items() if value is not None}


def _kept(name: str, value: Any, kinds: Kinds, lacking: list[str]) -> Any:
    """Return the value of property `name` in the form in which it reads back; None for the plugin's own default.

    Args:
        lacking: gets what is left out because the class of an object in `value` does not have it.
    """
    if name == "annotations":
        return value
    if isinstance(value, str):
        return (value.strip(BLANKS) if name in TRIMMED else value) or None
    return _kept_object(value, kinds, lacking)


def _kept_object(value: Any, kinds: Kinds, lacking: list[str]) -> Any:
    if isinstance(value, list):
        return [_kept_object(item, kinds, lacking) for item in value]
    if not isinstance(value, Mapping):
        return value
    type_name = value.get("class")
    kind = kinds.get(str(type_name))
    inner = {key: _kept_object(item, kinds, lacking) for key, item in value.items() if key != "class"}
    given = {key: as_texts(item) for key, item in inner.items() if item is not None and item not in ("", [], {})}
    if kind is not None:
        lacking += [f"{key} of {type_name}" for key in given if key not in kind]
        given = {key: item for key, item in given.items() if key in kind and item != kind[key]}
    if type_name is None:
        return given
    return {"class": type_name, **given} if given else type_name


def _missing_kinds(value: Any, kinds: Kinds) -> Iterator[str]:
    """Yield the classes in `value` that this plugin version does not have."""
    if isinstance(value, str) and kinds.get(value, {}) is None:
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _missing_kinds(item, kinds)
    elif isinstance(value, Mapping):
        yield from _missing_kinds(value.get("class"), kinds)
        for key, item in value.items():
            if isinstance(item, list | Mapping) and key != "class":
                yield from _missing_kinds(item, kinds)


def check(fields: Mapping[str, Any], whose: str) -> None:
    """Raise WrongInputError for a character that Jenkins cannot store."""
    for name, value in fields.items():
        for text in _texts_in(value):
            if found := UNSTORABLE.search(text):
                raise WrongInputError(
                    f"{whose}: {name} holds the character U+{ord(found[0]):04X}, which Jenkins cannot keep; remove it"
                )


def _texts_in(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts_in(key)
            yield from _texts_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts_in(item)

"""The options of a build: their defaults, and what is wrong with those that were given. Pure.

What there is to know of an option stands in engines.json, which vars/kanikoOptions.groovy reads too. Both check
alike; tests/vectors holds what both must say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko import resources

DEFAULT_ENGINE = "kaniko"
NEAR = 2
"""How many letters of a name may be wrong, missing or too many for it to be taken as a misspelt one."""
UNKNOWN_IMAGE = "an image whose distribution and version the template does not name"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Builder:
    """The builder image that will run, as far as its template tells; its flags are judged by it.

    Attributes:
        distribution: whose fork it is; None for an unknown image, which has the flags of Kaniko 1.24.
        version: such as 1.28.3; what follows the numbers does not count.
    """

    distribution: str | None = None
    version: str | None = None


def complete(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options with the defaults of those that are not given; None is not given."""
    defaults = {row["option"]: row["default"] for row in resources.options() if "default" in row}
    return defaults | {name: value for name, value in options.items() if value is not None}


def engine_of(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine that the options name; the default one where they name none, or one there is not."""
    engines = resources.engines()
    engine: dict[str, Any] = engines.get(str(options.get("engine")), engines[DEFAULT_ENGINE])
    return engine


def problems(options: Mapping[str, Any], builder: Builder | None = None) -> str:
    """Return all mistakes in one text, empty where there is none.

    Args:
        options: as their author gives them, or as `complete` returns them.
        builder: None as long as nobody knows which it will be: then its version is not looked at.
    """
    given = complete(options)
    rows = resources.options()
    found = _unknown("unknown option", given, rows)
    for row in rows:
        name = row["option"]
        if name in given:
            found += mistakes_in(row, given, builder)
        elif row.get("required"):
            found.append(f"option {name} is required")
    return "; ".join(found)


def mistakes_in(row: Row, options: Mapping[str, Any], builder: Builder | None = None) -> list[str]:
    """Return what is wrong with the value of one option, of which `row` tells; each text begins with `option NAME`."""
    name = row["option"]
    return _of_form(f"option {name}", row, options[name]) or _of_engine(name, options, builder)


# --- the form of a value ---------------------------------------------------------------------------------------------


def _of_form(where: str, row: Row, value: Any) -> list[str]:
    if not any(FITS[kind](value) for kind in row["type"].split(" or ")):
        return [f"{where}: {resources.types()[row['type']]} is expected{_null_in(value)}"]
    if isinstance(value, Mapping):
        return _of_keys(where, row, value) if "keys" in row else _of_map(where, row, value)
    return _against(row.get("rules", []), where, value if isinstance(value, list) else [value])


def _of_keys(where: str, row: Row, value: Mapping[str, Any]) -> list[str]:
    found = _unknown(f"{where}: unknown key", value, row["keys"])
    for key in row["keys"]:
        if key["option"] in value:
            found += _of_form(f"{where}.{key['option']}", key, value[key["option"]])
    return found


def _of_map(where: str, row: Row, value: Mapping[str, Any]) -> list[str]:
    found = _against(row["names"], where, value)
    for name, item in value.items():
        found += _of_form(f"{where}.{name}", {"type": row["values"]}, item)
    return found


def _null_in(value: Any) -> str:
    """Tell of a value that nobody gave: a variable that is not set is the most frequent mistake."""
    if isinstance(value, list):
        return ", without null" if None in value else ""
    return ", not null" if value is None else ""


def _against(rules: Sequence[Mapping[str, str]], where: str, items: Iterable[Any]) -> list[str]:
    """Return, for each item, what the first rule says that it does not match."""
    found = []
    for item in items:
        broken = [rule["says"] for rule in rules if not re.fullmatch(rule["pattern"], str(item), re.ASCII)]
        found += [f"{where}: '{item}' {says}" for says in broken[:1]]
    return found


FITS: Mapping[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str) and value != "",
    "texts": lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "minutes": lambda value: _is_number(value) and value > 0,
    "value": lambda value: isinstance(value, str | bool) or _is_number(value),
    "map": lambda value: isinstance(value, Mapping),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- unknown names ---------------------------------------------------------------------------------------------------


def _unknown(what: str, names: Iterable[str], rows: Sequence[Row]) -> list[str]:
    valid = sorted(row["option"] for row in rows)
    unknown = [name for name in names if name not in valid]
    return [f"{what} {name}{_hint(name, valid)} (valid: {', '.join(valid)})" for name in unknown]


def _hint(name: str, valid: Sequence[str]) -> str:
    for edits in range(1, NEAR + 1):
        for other in valid:
            if _within(edits, name, other):
                return f"; did you mean {other}?"
    return ""


def _within(edits: int, left: str, right: str) -> bool:
    """Whether so many changed, missing or added letters make one text of the other."""
    if left == right:
        return True
    if left[:1] == right[:1]:
        return _within(edits, left[1:], right[1:])
    pairs = ((left[1:], right[1:]), (left[1:], right), (left, right[1:]))
    return edits > 0 and any(_within(edits - 1, *pair) for pair in pairs)


# --- what the engine has ---------------------------------------------------------------------------------------------


def _of_engine(name: str, options: Mapping[str, Any], builder: Builder | None) -> list[str]:
    value, engine = options[name], engine_of(options)
    if name == "engine" and value not in resources.engines():
        return [f"option engine: '{value}' is not an engine (valid: {', '.join(sorted(resources.engines()))})"]
    if name == "platforms" and len(value) > 1:
        return ["option platforms: several platforms (an image index) cannot be built yet; name one"]
    if name == "extraArgs":
        flags = [argument.partition("=")[0] for argument in value]
        said = [_owned(flag, engine) or _gate(flag, engine, builder) for flag in flags]
    else:
        flags = [row["flag"] for row in engine["arguments"] if value and name in row["options"]]
        said = [_gate(flag, engine, builder) for flag in flags]
    return [f"option {name}: {text}" for text in said if text]


def _owned(flag: str, engine: Row) -> str | None:
    own = engine["flags"].get(flag, {}).get("own")
    return own and f"{flag} is set by the step itself; {own}"


def _gate(flag: str, engine: Row, builder: Builder | None) -> str | None:
    """Return why the builder refuses a flag, by the versions in engines.json; None where it does not."""
    facts = engine["flags"].get(flag)
    if facts is None or builder is None:
        return None
    fork, version = builder.distribution or "", builder.version or ""
    runs = f"the template's builder is {f'{fork} {version}' if fork and version else UNKNOWN_IMAGE}"
    since = facts.get("since")
    if since and not (fork in since and _numbers(version) >= _numbers(since[fork])):
        needed = " or ".join(f"{name} {number}" for name, number in since.items())
        return f"{flag} needs {needed} or later; {runs}"
    if "until" in facts and _numbers(version) >= _numbers(facts["until"]):
        return f"{flag} is gone since {facts['until']}, write {facts['now']}; {runs}"
    return None


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall("[0-9]+", version)]

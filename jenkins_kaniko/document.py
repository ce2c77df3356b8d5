"""YAML text -> plain data that remembers its lines.

The text is composed into nodes first, because only nodes know where they stand; values and lines are read off
them together. Kubernetes and Jenkins take JSON values, so what YAML alone knows (dates, sets) is a mistake here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from jenkins_kaniko.errors import ConfigError, Problem

KeyPath = tuple[str | int, ...]
JSON_SCALARS = (str, int, float, bool, type(None))
MAX_DEPTH = 100
"""Far more than a Pod has; an alias inside its own anchor would go on for ever."""
TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
NOT_FINITE = ("inf", "-inf", "nan")
UNREADABLE = (yaml.YAMLError, ValueError, ArithmeticError, LookupError, AttributeError)
"""What PyYAML raises for a scalar that is not of its kind, such as `!!int ''` or 2024-02-30."""


class Document:
    """A YAML text as plain data, with the line of every key and item."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self.lines: dict[KeyPath, int] = {(): 1}
        self._flattened: set[int] = set()
        try:
            self._loader = yaml.SafeLoader(text)
            node = self._loader.get_single_node()
            self.data = {} if node is None else self._value(node, ())
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            message = f"not valid YAML: the character U+{error.character:04X} cannot stand in it; escape it in quotes"
            raise ConfigError([Problem(file, line, "", message)]) from None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark
            line = mark.line + 1 if mark else 1
            said = " ".join(part for part in (error.context, error.problem) if part)
            raise ConfigError([Problem(file, line, "", f"not valid YAML: {said}")]) from None
        except RecursionError:
            raise ConfigError([Problem(file, 1, "", TOO_DEEP)]) from None
        except UNREADABLE as error:
            raise ConfigError([Problem(file, 1, "", f"not valid YAML: {error}")]) from None

    def problem(self, path: KeyPath, message: str) -> Problem:
        return Problem(self.file, self.line(path), _dotted(path), message)

    def line(self, path: KeyPath) -> int:
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]

    def _value(self, node: yaml.Node, path: KeyPath) -> Any:
        if len(path) > MAX_DEPTH:
            raise ConfigError([Problem(self.file, node.start_mark.line + 1, "", TOO_DEEP)])
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self._item(child, (*path, index)) for index, child in enumerate(node.value)]
        return self._scalar(node, path)

    def _item(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines[path] = node.start_mark.line + 1
        return self._value(node, path)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str, Any]:
        if id(node) not in self._flattened:  # an alias brings the same node again
            self._flattened.add(id(node))
            self._drop_repeated(node, path)
            self._loader.flatten_mapping(node)  # lays what `<<` names before the mapping's own keys
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key = str(_key(key_node))
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            result[key] = self._value(value_node, (*path, key))
        return result

    def _drop_repeated(self, node: yaml.MappingNode, path: KeyPath) -> None:
        first: dict[str, int] = {}
        kept = []
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = _key(key_node)
            if key is None:
                self.problems.append(Problem(self.file, line, _dotted(path), "a key must be a text"))
                continue
            if key in first:
                message = f"given twice; first in line {first[key]}"
                self.problems.append(Problem(self.file, line, _dotted((*path, key)), message))
                continue
            first[key] = line
            kept.append((key_node, value_node))
        node.value = kept

    def _scalar(self, node: yaml.Node, path: KeyPath) -> Any:
        try:
            value = self._loader.construct_object(node)
            value = _whole(value) if isinstance(value, str) else value
            readable = isinstance(value, str) or str(value) not in NOT_FINITE
        except UNREADABLE:
            readable = False
        if not readable:
            value = None
            self.problems.append(self.problem(path, f"{node.value!r} cannot be read; write it in quotes"))
        if isinstance(value, JSON_SCALARS):
            return value
        self.problems.append(
            self.problem(path, f"{node.value!r} is a {type(value).__name__} in YAML; write it in quotes")
        )
        return str(node.value)


def mapping(data: Any) -> Mapping[str, Any]:
    """Return `data` where it is a mapping; an empty one for anything else, of which a mistake is told elsewhere."""
    return data if isinstance(data, Mapping) else {}


def _key(node: yaml.Node) -> str | None:
    """Return a key as text; None for a list, a mapping, or half a character."""
    try:
        return _whole(node.value) if isinstance(node, yaml.ScalarNode) else None
    except ValueError:
        return None


def _whole(text: str) -> str:
    """Join the halves of characters that JSON, which is YAML too, writes as two escapes. Raises ValueError."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16")


def _dotted(path: KeyPath) -> str:
    return ".".join(str(part) for part in path)

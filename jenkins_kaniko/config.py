"""YAML files -> Fleet, strictly, with the line of every mistake.

All mistakes of all files are collected before anything is said, so that a user mends them in one go.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from jenkins_kaniko.buildsection import build_mistakes, only_builds
from jenkins_kaniko.document import Document, KeyPath, mapping
from jenkins_kaniko.errors import ConfigError, Problem, WrongInputError
from jenkins_kaniko.fleetfile import GENERATING, FleetPart, TemplateSettings
from jenkins_kaniko.merge import merged
from jenkins_kaniko.mistakes import mistakes, nearest
from jenkins_kaniko.model import Fleet, Place, Template

DEFAULT_FILE = "jenkins-kaniko.yaml"
GENERATING_KEYS = {to_camel(name) for name in GENERATING}
NOT_IN_DEFAULTS = ("name", "id", "yamlFile")
"""What two templates cannot share."""
REPEATABLE = ("controllers", "templates", "builds")
"""What several files may give, under different names."""
REPLACED = ("workspaceVolume",)
"""Mappings of which one key excludes the others."""
BY_NAME = ("env", "nodeSelector", "annotations", "jenkins")
"""Mappings of names to values, where null takes away what lies below."""


@dataclass(frozen=True)
class _File:
    """One file of a configuration; `part` is None where it holds mistakes."""

    document: Document
    part: FleetPart | None

    def names(self, kind: str) -> list[str]:
        """Return what stands below `controllers`, `templates` or `builds`."""
        return list(mapping(mapping(self.document.data).get(kind)))

    def templates(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for name, given in mapping(mapping(self.document.data).get("templates")).items():
            yield name, mapping(given)


def load(path: Path) -> Fleet:
    """Read and check a configuration with the files that it includes.

    Args:
        path: the file; relative paths in it and in included files are relative to its folder.

    Raises:
        WrongInputError: the file cannot be read.
        ConfigError: it holds mistakes; all of them are listed.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise WrongInputError(
            f"{path}: no such file. Give one with --config, or write a {DEFAULT_FILE} here: "
            "`jenkins-kaniko init` makes one to start from."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInputError(f"{path}: cannot be read: {error}") from error
    return parse(text, path)


def parse(text: str, path: Path) -> Fleet:
    """Check the text of a configuration; `path` is named in problems. Raises ConfigError."""
    reader = _Reader(path.parent)
    reader.read(text, path)
    pods = reader.pods()
    problems = [*reader.problems, *reader.across()]
    parts = [file.part for file in reader.files if file.part]
    if problems:
        raise ConfigError(problems)
    defaults: dict[str, Any] = {}
    for part in parts:
        defaults = _over(defaults, _given(part.defaults))
    templates = []
    for part in parts:
        for name, own in part.templates.items():
            settings = laid(defaults, own)
            labels = [settings.name or name] if settings.labels is None else settings.labels
            templates.append(Template(name, tuple(labels), settings, pods.get(name, None if own.generates else "")))
    fleet = Fleet(
        name=parts[-1].fleet or "",
        folder=path.resolve().parent,
        controllers={name: value for part in parts for name, value in part.controllers.items()},
        templates=tuple(templates),
        defaults=TemplateSettings.model_validate(defaults),
        builds={name: value for part in parts for name, value in part.builds.items()},
        places=reader.places(),
    )
    if twice := _same_in_jenkins(fleet):
        raise ConfigError(twice)
    return fleet


def laid(defaults: Mapping[str, Any], own: TemplateSettings) -> TemplateSettings:
    """Return the keys of a template with those of `defaults`, as the file spells them, below."""
    below = {key: value for key, value in defaults.items() if own.generates or key not in GENERATING_KEYS}
    result = _over(below, _given(own))
    for key in BY_NAME:
        if result.get(key):
            result[key] = {name: value for name, value in result[key].items() if value is not None}
    return TemplateSettings.model_validate(result)


def _over(below: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Lay keys on others; a null in `pod` and in other patches stays, for the last merge."""
    result: dict[str, Any] = merged(below, given, keep_nulls=True)
    if given.get("jenkins"):  # values of the plugin's own classes: each is replaced as a whole
        result["jenkins"] = {**(below.get("jenkins") or {}), **given["jenkins"]}
    return result | {key: given[key] for key in REPLACED if key in given}


def _given(settings: TemplateSettings) -> dict[str, Any]:
    """Return the keys that the file gives, as it spells them."""
    return settings.model_dump(by_alias=True, exclude_unset=True)


@dataclass
class _Reader:
    """Reads a file and, before it, what it includes, each once; collects every mistake on the way.

    Attributes:
        folder: that of the main file, as it was given.
        unread: some file could not be read, so what others refer to may be in it.
    """

    folder: Path
    files: list[_File] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unread: bool = False
    _seen: set[Path] = field(default_factory=set)

    def read(self, text: str, path: Path, above: tuple[Path, ...] = ()) -> None:
        self._seen.add(path.resolve())
        try:
            document = Document(text, str(path))
        except ConfigError as error:
            self.problems += error.problems
            self.unread = True
            return
        part = self._checked(document, main=not above)
        included = mapping(document.data).get("include")
        for index, name in enumerate(included if isinstance(included, list) else []):
            if isinstance(name, str):
                self._include(document, index, self.folder / name, (*above, path.resolve()))
        self.files.append(_File(document, part))

    def _checked(self, document: Document, *, main: bool) -> FleetPart | None:
        problems = document.problems
        unreadable = any(problem.key == "fleet" for problem in problems)
        needed = main and isinstance(document.data, dict) and not only_builds(document.data)
        if needed and document.data.get("fleet") is None and not unreadable:
            problems.append(document.problem(("fleet",), "missing; it has no default"))
        part = None
        try:
            part = FleetPart.model_validate(document.data)
        except ValidationError as error:
            problems += mistakes(document, error)
        problems += build_mistakes(document, problems)
        defaults = mapping(mapping(document.data).get("defaults"))
        for key in NOT_IN_DEFAULTS:
            if key in defaults:
                problems.append(document.problem(("defaults", key), "belongs to one template, not to all"))
        if defaults.get("engine") == "none":
            problems.append(document.problem(("defaults", "engine"), "none belongs to one template, not to all"))
        self.problems += problems
        return part

    def _include(self, document: Document, index: int, path: Path, above: tuple[Path, ...]) -> None:
        place: KeyPath = ("include", index)
        try:
            text, known = path.read_text(encoding="utf-8"), path.resolve()
        except (OSError, ValueError) as error:
            self.problems.append(document.problem(place, f"{path}: {_reason(error)}"))
            self.unread = True
            return
        if known in above:
            self.problems.append(document.problem(place, f"{path} includes this file"))
        elif known not in self._seen:
            self.read(text, path, above)

    def across(self) -> list[Problem]:
        """Return what is wrong between files, and between their parts."""
        return [*self._repeated(), *self._unknown_controllers(), *self._other_fleets()]

    def _repeated(self) -> Iterator[Problem]:
        """Names that two files give: which one is meant cannot be told."""
        first: dict[tuple[str, str], Document] = {}
        given = [(file, kind, name) for file in self.files for kind in REPEATABLE for name in file.names(kind)]
        for file, kind, name in given:
            known = first.setdefault((kind, name), file.document)
            if known is not file.document:
                where = f"{known.file}:{known.line((kind, name))}"
                yield file.document.problem((kind, name), f"given twice; first in {where}")

    def _unknown_controllers(self) -> Iterator[Problem]:
        there = [name for file in self.files for name in file.names("controllers")]
        for file in self.files if not self.unread else []:
            defaults = mapping(mapping(file.document.data).get("defaults"))
            settings = [(("templates", name), given) for name, given in file.templates()]
            for path, given in [(("defaults",), defaults), *settings]:
                chosen = given.get("controllers")
                for index, name in enumerate(chosen if isinstance(chosen, list) else []):
                    if isinstance(name, str) and name not in there:
                        message = f"no controller of that name{nearest(name, sorted(there))}"
                        yield file.document.problem((*path, "controllers", index), message)

    def _other_fleets(self) -> Iterator[Problem]:
        main = mapping(self.files[-1].document.data).get("fleet") if self.files else None
        for file in self.files[:-1]:
            fleet = mapping(file.document.data).get("fleet")
            if fleet not in (None, main):
                yield file.document.problem(("fleet",), f"{fleet!r} is included into fleet {main!r}")

    def pods(self) -> dict[str, str]:
        """Return the texts of `yamlFile` by template, as they are to the byte."""
        return {
            name: text
            for file in self.files
            for name, given in file.templates()
            if isinstance(given.get("yamlFile"), str) and (text := self._pod(file.document, name, given["yamlFile"]))
        }

    def _pod(self, document: Document, name: str, given: str) -> str | None:
        path = self.folder / given
        try:
            text = path.read_bytes().decode("utf-8")
            if isinstance(Document(text, str(path)).data, dict) and text.strip():
                return text
            self.problems.append(Problem(str(path), 1, "", "a Pod is expected: a mapping with `spec`"))
        except ConfigError as error:
            self.problems += error.problems
        except (OSError, ValueError) as error:
            self.problems.append(document.problem(("templates", name, "yamlFile"), f"{path}: {_reason(error)}"))
        return None

    def places(self) -> dict[KeyPath, Place]:
        return {path: (file.document.file, line) for file in self.files for path, line in file.document.lines.items()}


def _same_in_jenkins(fleet: Fleet) -> list[Problem]:
    """Ids and names that two templates would have on one controller: Jenkins finds only the first of them."""
    problems: dict[KeyPath, Problem] = {}
    for controller in fleet.controllers or [""]:
        first: dict[tuple[str, str], Template] = {}
        for template in fleet.templates:
            for kind, value in (("id", template.id_in(fleet.name)), ("name", template.name)):
                if fleet.controllers and not template.is_for(controller):
                    continue
                known = first.setdefault((kind, value), template)
                path: KeyPath = ("templates", template.key, kind)
                if known is not template:
                    problems[path] = fleet.problem(path, f"{value} is also the {kind} of template {known.key}")
    return list(problems.values())


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return "cannot be read: it is not UTF-8" if isinstance(error, UnicodeDecodeError) else "not a path"

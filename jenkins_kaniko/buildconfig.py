"""The ConfigMap that a kubectl-created build job is configured by -> what is typed for the same build here.

Such jobs clone a repository by a script of their own, which often stands beside the settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jenkins_kaniko.document import Document, mapping
from jenkins_kaniko.errors import ConfigError, Problem, WrongInputError
from jenkins_kaniko.mistakes import nearest

MANIFEST_KEYS = ["apiVersion", "data", "kind", "metadata"]
SETTINGS = ["DOCKER_FILE", "DOCKER_TARGET", "GIT_REVISION", "GIT_URL", "REPO_NAME"]


@dataclass(frozen=True)
class BuildConfig:
    """What the file says.

    Attributes:
        settings: those that are not empty.
        scripts: keys of what is a script.
    """

    file: str
    settings: Mapping[str, str]
    scripts: list[str]

    @property
    def source(self) -> str | None:
        """The repository and its revision, as SOURCE."""
        url, revision = self.settings.get("GIT_URL"), self.settings.get("GIT_REVISION")
        if not url:
            return None
        # the end tells it from an archive; hosts take both forms
        whole = f"{url.rstrip('/').removesuffix('.git')}.git" if url.startswith("http") else url
        return f"{whole}#{revision}" if revision else whole

    def tags(self) -> tuple[str, ...]:
        """Return the image.

        Raises:
            WrongInputError: REPO_NAME is missing, or names no registry: the job's script put it before the name.
        """
        name = self.settings.get("REPO_NAME")
        if not name:
            raise WrongInputError(f"{self.file}: there is no REPO_NAME in it; give the image by -t")
        host, slash, _ = name.partition("/")
        if slash and (set(host) & {".", ":"} or host == "localhost"):
            return (name,)
        raise WrongInputError(
            f"{self.file}: REPO_NAME {name!r} names no registry; give the image by -t REGISTRY/{name}"
        )


def load(path: Path) -> BuildConfig:
    """Read the ConfigMap in a file.

    Raises:
        ConfigError: what is wrong with it, all mistakes at once.
        WrongInputError: the file cannot be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise WrongInputError(f"{path}: cannot be read: {reason}") from None
    document = Document(text, str(path))
    manifest = mapping(document.data)
    data = mapping(manifest.get("data"))
    problems = document.problems + _wrong_manifest(document, manifest)
    problems += [document.problem(("data", key), said) for key, value in data.items() if (said := _wrong(key, value))]
    if problems:
        raise ConfigError(problems)
    settings = {key: data[key] for key in SETTINGS if data.get(key)}
    return BuildConfig(str(path), settings, [key for key in data if key not in SETTINGS])


def _wrong_manifest(document: Document, manifest: Mapping[str, Any]) -> list[Problem]:
    if manifest.get("kind") != "ConfigMap":
        return [document.problem((), "not a ConfigMap; `kind: ConfigMap` with `data` is expected")]
    unknown = [key for key in manifest if key not in MANIFEST_KEYS]
    found = [document.problem((key,), f"unknown key{nearest(key, MANIFEST_KEYS)}") for key in unknown]
    if not isinstance(manifest.get("data"), Mapping):
        found.append(document.problem(("data",), "a mapping is expected"))
    return found


def _wrong(key: str, value: Any) -> str | None:
    """Return what is wrong with an item of `data`; values are not shown, as a URL may hold a password."""
    if key not in SETTINGS:
        is_script = isinstance(value, str) and "\n" in value.strip()
        return None if is_script else f"unknown key{nearest(key, SETTINGS)}"
    if not isinstance(value, str):
        return "a text is expected; write it in quotes"
    if value != value.strip() or "\n" in value:
        return "blanks around it, or several lines"
    if key == "GIT_URL" and "#" in value:
        return "a revision goes into GIT_REVISION"
    if key == "GIT_REVISION" and ":" in value:
        return "not the name of a branch, tag or commit"
    return None

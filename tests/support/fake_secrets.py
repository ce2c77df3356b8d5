"""The Secrets of a cluster as registry_secret sees them, and what renews them."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError
from jenkins_kaniko.registry_secret import KEY, TYPE


@dataclass
class FakeSecrets:
    """Secrets by namespace and name, objects of other kinds with these before; `broken` namespaces refuse changes."""

    secrets: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    others: dict[tuple[str, str, str], dict[str, Any]] = field(default_factory=dict)
    broken: dict[str, JenkinsKanikoError] = field(default_factory=dict)
    namespace: str = "here"

    def put(self, name: str, content: Any, namespace: str = "here", kind: str = TYPE) -> None:
        """Add one that somebody made with kubectl; `content` is its docker config."""
        text = content if isinstance(content, str) else json.dumps(content)
        self.secrets[namespace, name] = {
            "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1"},
            "type": kind,
            "data": {KEY: base64.b64encode(text.encode()).decode()},
        }

    def auths(self, name: str, namespace: str = "here") -> dict[str, str]:
        """Return the docker config's keys with USER:PASSWORD."""
        text = base64.b64decode(self.secrets[namespace, name]["data"][KEY])
        auths = json.loads(text)["auths"]
        return {key: base64.b64decode(entry["auth"]).decode() for key, entry in auths.items()}

    def read(self, kind: str, name: str, namespace: str | None = None) -> dict[str, Any] | None:
        if kind != "Secret":
            return self.others.get((kind, str(namespace), name))
        return self.secrets.get((str(namespace), name))

    def delete(self, kind: str, name: str, namespace: str | None = None) -> bool:
        if kind != "Secret":
            return self.others.pop((kind, str(namespace), name), None) is not None
        return self.secrets.pop((str(namespace), name), None) is not None

    def listed(self, kind: str, namespace: str | None = None, **query: str) -> list[dict[str, Any]]:
        assert (kind, namespace) == ("Secret", None)
        key, _, value = query["labelSelector"].partition("=")
        return [one for one in self.secrets.values() if one["metadata"].get("labels", {}).get(key) == value]

    def apply(self, manifest: Mapping[str, Any], *, force: bool = False) -> str:
        metadata = manifest["metadata"]
        place = (metadata["namespace"], metadata["name"])
        if error := self.broken.get(metadata["namespace"]):
            raise error
        if manifest["kind"] != "Secret":
            known = (manifest["kind"], *place) in self.others
            self.others[manifest["kind"], *place] = dict(manifest)
            return "unchanged" if known else "created"
        before = self.secrets.get(place)
        foreign = before is not None and "labels" not in before["metadata"]
        if foreign and not force:
            raise RefusedError(f"secret {'/'.join(place)}: somebody else manages a part of it")
        assert metadata.get("resourceVersion") == (before["metadata"]["resourceVersion"] if before else None)
        if before and not foreign and before["data"] == manifest["data"]:
            return "unchanged"
        version = str(int(metadata.get("resourceVersion", "0")) + 1)
        self.secrets[place] = {**manifest, "metadata": {**metadata, "resourceVersion": version}}
        return "changed" if before else "created"

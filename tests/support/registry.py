"""What a registry really holds after a push, asked over its HTTP API as a client of its own would."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Registry:
    """A registry, over verified TLS where there is a `ca`, with an account."""

    address: str
    ca: Path | None = None
    user: str = ""
    password: str = ""

    def manifest(self, repository: str, reference: str) -> tuple[str, dict[str, Any]]:
        """Return the digest of a manifest, computed here from its bytes, and the manifest."""
        content = self._get(f"{repository}/manifests/{reference}", MANIFEST)
        return f"sha256:{hashlib.sha256(content).hexdigest()}", json.loads(content)

    def config(self, repository: str, reference: str) -> dict[str, Any]:
        """Return an image's configuration."""
        _, manifest = self.manifest(repository, reference)
        config: dict[str, Any] = json.loads(self._get(f"{repository}/blobs/{manifest['config']['digest']}"))
        return config

    def members(self, repository: str, reference: str) -> dict[str, tarfile.TarInfo]:
        """Return what the layers of an image hold, by path."""
        _, manifest = self.manifest(repository, reference)
        found = {}
        for layer in manifest["layers"]:
            blob = self._get(f"{repository}/blobs/{layer['digest']}")
            with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
                found.update({member.name.strip("/"): member for member in archive.getmembers()})
        return found

    def files(self, repository: str, reference: str, base_layers: int = 0) -> dict[str, bytes]:
        """Return the regular files of an image by path, those of its first `base_layers` left out."""
        _, manifest = self.manifest(repository, reference)
        found: dict[str, bytes] = {}
        for layer in manifest["layers"][base_layers:]:
            blob = self._get(f"{repository}/blobs/{layer['digest']}")
            with tarfile.open(fileobj=io.BytesIO(blob)) as archive:
                for member in archive.getmembers():
                    content = archive.extractfile(member) if member.isfile() else None
                    if content:
                        found[f"/{member.name.lstrip('/')}"] = content.read()
        return found

    def links(self, repository: str, reference: str) -> dict[str, str]:
        """Return where the symbolic links of an image lead, by path."""
        _, manifest = self.manifest(repository, reference)
        found: dict[str, str] = {}
        for layer in manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(self._get(f"{repository}/blobs/{layer['digest']}"))) as archive:
                links = [member for member in archive.getmembers() if member.issym()]
                found |= {f"/{link.name.lstrip('/')}": link.linkname for link in links}
        return found

    def _get(self, path: str, accept: str = "*/*") -> bytes:
        account = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {"Authorization": f"Basic {account}", "Accept": accept}
        scheme = "https" if self.ca else "http"
        request = urllib.request.Request(f"{scheme}://{self.address}/v2/{path}", headers=headers)
        context = ssl.create_default_context(cafile=str(self.ca)) if self.ca else None
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            content: bytes = answer.read()
        return content

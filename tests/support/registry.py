"""What a registry really holds after a push, asked over its HTTP API as a client of its own would."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import ssl
import tarfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

IMAGE = "application/vnd.docker.distribution.manifest.v2+json"
MANIFEST = f"{IMAGE}, application/vnd.oci.image.manifest.v1+json"


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

    def push(self, repository: str, tag: str, files: dict[str, bytes]) -> str:
        """Push an image of one layer as builders do, which send no blob that is there; return its digest.

        Raises:
            HTTPError: the registry refused it.
            OSError: the registry did not answer.
        """
        layer = io.BytesIO()
        with tarfile.open(fileobj=layer, mode="w") as archive:
            for path, content in files.items():
                member = tarfile.TarInfo(path.lstrip("/"))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        diff = f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": [diff]}}
        kind = "application/vnd.docker"
        manifest = {
            "schemaVersion": 2,
            "mediaType": IMAGE,
            "config": self._blob(repository, json.dumps(config).encode(), f"{kind}.container.image.v1+json"),
            "layers": [self._blob(repository, layer.getvalue(), f"{kind}.image.rootfs.diff.tar")],
        }
        content = json.dumps(manifest).encode()
        self._ask(f"{repository}/manifests/{tag}", "PUT", content, {"Content-Type": IMAGE})
        return f"sha256:{hashlib.sha256(content).hexdigest()}"

    def _blob(self, repository: str, content: bytes, kind: str) -> dict[str, Any]:
        """Push a blob where it is missing, and return how a manifest calls it."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        try:
            self._ask(f"{repository}/blobs/{digest}", "HEAD")
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            upload, _ = self._ask(f"{repository}/blobs/uploads/", "POST", b"")
            where = f"{upload}{'&' if '?' in upload else '?'}digest={digest}"
            self._ask(where, "PUT", content, {"Content-Type": "application/octet-stream"})
        return {"mediaType": kind, "size": len(content), "digest": digest}

    def _get(self, path: str, accept: str = "*/*") -> bytes:
        return self._ask(path, "GET", headers={"Accept": accept})[1]

    def _ask(
        self, path: str, method: str, data: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[str, bytes]:
        """Return the location that an answer names, and its content."""
        account = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        url = urljoin(f"{'https' if self.ca else 'http'}://{self.address}/v2/", path)
        request = urllib.request.Request(
            url, data, {"Authorization": f"Basic {account}", **(headers or {})}, method=method
        )
        context = ssl.create_default_context(cafile=str(self.ca)) if self.ca else None
        with urllib.request.urlopen(request, context=context, timeout=30) as answer:
            return answer.headers.get("Location", ""), answer.read()

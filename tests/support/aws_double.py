"""AWS as far as a registry's token needs it: two requests over plain HTTP, with the signature checked."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

from tests.support.serving import Serving

REGISTRY = "123456789012.dkr.ecr.eu-central-1.amazonaws.com"
STS = (
    "<AssumeRoleWithWebIdentityResponse><Credentials><AccessKeyId>{}</AccessKeyId>"
    "<SecretAccessKey>{}</SecretAccessKey><SessionToken>session</SessionToken></Credentials>"
    "</AssumeRoleWithWebIdentityResponse>"
)


@dataclass
class AwsDouble(Serving):
    """A region of AWS on this machine.

    Attributes:
        password: of the registry, in the next token.
        asked: actions, in their order.
        session: what the session token must be.
        host: the address that it listens on.
    """

    key_id: str = "AKIDOUBLE"
    secret: str = "s3cret/of+aws"
    web_token: str = "pod"
    password: str = "first"
    session: str = ""
    asked: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"

    def __enter__(self) -> Self:
        double: AwsDouble = self

        class Handler(_Handler):
            aws = double

        self._server = ThreadingHTTPServer((self.host, 0), Handler)
        self.url = f"http://{self.host}:{self._server.server_port}"
        return super().__enter__()


class _Handler(BaseHTTPRequestHandler):
    aws: AwsDouble

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if target := self.headers.get("X-Amz-Target"):
            self.aws.asked.append(target.partition(".")[2])
            self._token(body)
        else:
            form = {name: one for name, [one] in parse_qs(body.decode()).items()}
            self.aws.asked.append(form["Action"])
            if form["WebIdentityToken"] == self.aws.web_token and form["RoleArn"].startswith("arn:aws:iam::"):
                self._answer(200, STS.format(self.aws.key_id, self.aws.secret))
            else:
                self._answer(400, f"<Error><Code>InvalidIdentityToken</Code><Message>{body!r}</Message></Error>")

    def _token(self, body: bytes) -> None:
        if not self._signed(body) or self.headers.get("X-Amz-Security-Token", "") != self.aws.session:
            self._answer(400, json.dumps({"__type": "com.amazon#UnrecognizedClientException", "message": "s3cret"}))
            return
        token = base64.b64encode(f"AWS:{self.aws.password}".encode()).decode()
        given = {"authorizationToken": token, "proxyEndpoint": f"https://{REGISTRY}", "expiresAt": 1.79e9}
        self._answer(200, json.dumps({"authorizationData": [given]}))

    def _signed(self, body: bytes) -> bool:
        """Compute the signature anew, by the headers that it says it covers."""
        form = r"AWS4-HMAC-SHA256 Credential=(\w+)/([^/]+/eu-central-1/ecr/aws4_request), SignedHeaders=([a-z0-9;-]+), "
        found = re.fullmatch(form + "Signature=([0-9a-f]{64})", self.headers["Authorization"])
        if not found or found[1] != self.aws.key_id:
            return False
        lines = "".join(f"{name}:{self.headers[name]}\n" for name in found[3].split(";"))
        request = f"POST\n{self.path}\n\n{lines}\n{found[3]}\n{hashlib.sha256(body).hexdigest()}"
        digest = hashlib.sha256(request.encode()).hexdigest()
        key = f"AWS4{self.aws.secret}".encode()
        for part in [*found[2].split("/"), f"AWS4-HMAC-SHA256\n{self.headers['X-Amz-Date']}\n{found[2]}\n{digest}"]:
            key = hmac.new(key, part.encode(), "sha256").digest()
        return "host" in found[3].split(";") and key.hex() == found[4]

    def _answer(self, status: int, body: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

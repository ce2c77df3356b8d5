"""Archives from https:// and s3://, fetched into a file that has no name: the system removes it with the process.

The standard library fetches: it hands out the bytes as the server sent them, where `requests` unpacks some of them.
"""

from __future__ import annotations

import base64
import errno
import hashlib
import http.client
import io
import re
import socket
import ssl
import string
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, BinaryIO
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from jenkins_kaniko.contexts_stream import CHUNK_BYTES, Tell
from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError

TRIES = 5
"""How often in a row nothing may come."""
PAUSE_SECONDS, TIMEOUT_SECONDS, PROGRESS_SECONDS = 1.0, 60.0, 2.0
CUT = (OSError, http.client.HTTPException)
"""A connection that ended early; no answer in time is among them."""
PASSING_CODES = {408, 425, 429, 500, 502, 503, 504}
DENIED_CODES = {401, 403, 407}
MISSING_CODES = {404, 410}
PINNED = re.compile(r"(?P<address>.*)#sha256=(?P<digest>[0-9a-f]{64})", re.DOTALL)
NEEDS_ACCOUNT = (
    "credentials are missing or may not read it; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"
)


@contextmanager
def downloaded(source: str, tell: Tell) -> Iterator[BinaryIO]:
    """Fetch what https:// or s3:// names; `#sha256=…` at its end is compared with what comes.

    Args:
        source: the URL.
        tell: told how it goes.

    Raises:
        WrongInputError: there is nothing of that name, or it has another checksum.
        UnreachableError: the server does not answer, or does not let us in.
    """
    pinned = PINNED.fullmatch(source)
    address = pinned["address"] if pinned else source
    if "#" in address and not address.startswith("s3://"):
        raise WrongInputError(
            f"{shown(address)}: what follows # is not understood; allowed: #sha256= and 64 digits from 0 to f"
        )
    with tempfile.TemporaryFile() as file:
        if address.startswith("s3://"):
            _from_s3(address, file, _Progress(address, tell))
        else:
            _from_https(address, file, tell)
        if pinned:
            _compare(shown(address), file, pinned["digest"])
        yield file


def shown(url: str) -> str:
    """Return a URL as it may be shown: without account, query and fragment, where secrets are written.

    A key of S3 is shown whole: `?` and `#` mean nothing special in it.
    """
    if url.startswith("s3://"):
        pinned = PINNED.fullmatch(url)
        return pinned["address"] if pinned else url
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _compare(name: str, file: io.BufferedRandom, wanted: str) -> None:
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != wanted:
        raise WrongInputError(f"{name}: sha256 is {found}, and {wanted} is expected")


@dataclass
class _Progress:
    """Tells now and then how much has come."""

    name: str
    tell: Tell
    total: int | None = None
    received: int = 0
    _begin: float = field(default_factory=time.monotonic)
    _told: float = field(default_factory=time.monotonic)

    def add(self, count: int) -> None:
        self.received += count
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            whole = f" of {_mib(self.total)}" if self.total else ""
            rate = _mib(self.received / (now - self._begin))
            self.tell(f"{self.name}: {_mib(self.received)}{whole}, {rate} per second")


def _mib(count: float) -> str:
    return f"{count / (1 << 20):.1f} MiB"


# --- https -----------------------------------------------------------------------------------------------------------


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none that would give up encryption."""

    def http_error_302(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message
    ) -> IO[bytes] | None:
        try:
            return super().http_error_302(req, fp, code, msg, headers)  # type: ignore[arg-type]
        except ValueError:  # of an address that is none
            fp.close()
            raise

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            fp.close()
            raise WrongInputError(f"{shown(req.full_url)}: it leads to {shown(newurl)}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def _from_https(address: str, file: BinaryIO, tell: Tell) -> None:
    """Fetch a URL; what was cut off goes on where it ended if the server can tell that it is still the same."""
    name, opener = shown(address), urllib.request.build_opener(_OnlyHttps)
    progress, failures, version = _Progress(name, tell), 0, None
    while True:
        before = file.tell()
        try:
            with opener.open(_request(address, before, version), timeout=TIMEOUT_SECONDS) as answer:
                version = answer.headers["ETag"]
                _receive(answer, file, progress)
            return
        except (ValueError, http.client.InvalidURL):
            raise WrongInputError(f"{name}: it, or where it leads to, is no URL that can be used") from None
        except CUT as error:
            _give_up_where_hopeless(name, error)
            failures = failures + 1 if file.tell() == before else 1
            if failures == TRIES:
                raise UnreachableError(f"{name}: {_words(error)}, {TRIES} times in a row") from None
            tell(f"{name}: {_words(error)} after {_mib(file.tell())}; trying again")
            time.sleep(PAUSE_SECONDS)


def _request(address: str, received: int, version: str | None) -> urllib.request.Request:
    parts = urlsplit(address)
    host = parts.netloc.rpartition("@")[2]
    # a request is ASCII without blanks; what is escaped already stays so
    path, query = (quote(part, safe=string.punctuation) for part in (parts.path, parts.query))
    url = urlunsplit(parts._replace(netloc=host, path=path, query=query, fragment=""))
    request = urllib.request.Request(url, headers={"User-Agent": "jenkins-kaniko"})  # noqa: S310  # https only
    if parts.username is not None:
        account = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        # one that is not redirected: it is for this host only
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(account.encode()).decode()}")
    if received and version and not version.startswith("W/"):
        request.add_header("Range", f"bytes={received}-")
        request.add_header("If-Range", version)
    return request


def _receive(answer: http.client.HTTPResponse, file: BinaryIO, progress: _Progress) -> None:
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        file.seek(0)
        file.truncate()
    length = answer.headers["Content-Length"]
    progress.received = file.tell()
    progress.total = progress.received + int(length) if length else None
    while piece := answer.read(CHUNK_BYTES):
        file.write(piece)
        progress.add(len(piece))
    if progress.total is not None and progress.received < progress.total:
        raise http.client.IncompleteRead(b"", progress.total - progress.received)


def _give_up_where_hopeless(name: str, error: Exception) -> None:
    if isinstance(error, urllib.error.HTTPError):
        error.close()
        if error.code in DENIED_CODES:
            raise UnreachableError(f"{name}: {_words(error)}: an account is needed, or another one") from None
        if error.code in MISSING_CODES:
            raise WrongInputError(f"{name}: {_words(error)}: there is no such file") from None
        if error.code not in PASSING_CODES:
            raise UnreachableError(f"{name}: {_words(error)}") from None
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        raise JenkinsKanikoError(f"{name}: no space is left in {tempfile.gettempdir()}; TMPDIR names another folder")
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(reason, socket.gaierror):
        raise UnreachableError(f"{name}: there is no host of this name: {reason.strerror}") from None
    if isinstance(reason, ssl.SSLCertVerificationError):
        said = f"its certificate is not trusted: {reason.verify_message}; SSL_CERT_FILE names other authorities"
        raise UnreachableError(f"{name}: {said}") from None


def _words(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answers {error.code} {error.reason}"
    if isinstance(error, TimeoutError):
        return f"nothing came for {TIMEOUT_SECONDS:.0f} seconds"
    reason = error.reason if isinstance(error, urllib.error.URLError) else error
    return "the connection was cut" if isinstance(error, http.client.HTTPException) else f"cannot be read: {reason}"


# --- s3 --------------------------------------------------------------------------------------------------------------


def _from_s3(address: str, file: BinaryIO, progress: _Progress) -> None:
    """Fetch an object; boto3 takes account, region and AWS_ENDPOINT_URL from where all AWS tools do."""
    try:
        import boto3
        from boto3.s3.transfer import S3TransferRetriesExceededError, TransferConfig
        from botocore import exceptions
    except ImportError:
        raise WrongInputError(f"{address}: s3:// needs another package: pip install 'jenkins-kaniko[s3]'") from None
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if not bucket or not key:
        raise WrongInputError(f"{address}: s3://BUCKET/KEY is expected")
    try:
        client = boto3.client("s3")
        progress.total = client.head_object(Bucket=bucket, Key=key)["ContentLength"]
        # threads would each hold pieces of 8 MiB
        client.download_fileobj(bucket, key, file, Callback=progress.add, Config=TransferConfig(use_threads=False))
    except exceptions.ClientError as error:
        raise _s3_refusal(address, error.response["ResponseMetadata"]["HTTPStatusCode"], error) from None
    except (exceptions.NoCredentialsError, exceptions.ProfileNotFound, exceptions.PartialCredentialsError) as error:
        raise UnreachableError(f"{address}: {error}: {NEEDS_ACCOUNT}") from None
    except ValueError as error:  # of AWS_ENDPOINT_URL
        raise WrongInputError(f"{address}: {error}") from None
    except (exceptions.BotoCoreError, S3TransferRetriesExceededError, OSError) as error:
        raise UnreachableError(f"{address}: {error}") from None


def _s3_refusal(address: str, code: int, error: Exception) -> JenkinsKanikoError:
    if code in MISSING_CODES:
        return WrongInputError(f"{address}: there is no such bucket or key")
    if code in DENIED_CODES:
        return UnreachableError(f"{address}: not allowed: {NEEDS_ACCOUNT}")
    return UnreachableError(f"{address}: {error}")

"""A build context -> a pod: packed into a ConfigMap where it is small, else streamed into a container that waits.

A ConfigMap mounted as the context would be links into a hidden folder, which COPY takes as they are (measured; see
docs/build.md). So it holds one tar.gz, which Kaniko unpacks itself.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from jenkins_kaniko.errors import JenkinsKanikoError, UnansweredError
from jenkins_kaniko.patience import Patience

SMALL = 700 * 1024
"""Bytes of a tar.gz that a ConfigMap takes for sure: its limit is 1 MiB."""
FOLDER = "/jenkins-kaniko"
ARCHIVE = "context.tar.gz"
UNPACKED = f"{FOLDER}/context"
CONTAINER = "context"
TRIES = 4
TOLD_EVERY_SECONDS = 5.0

WAIT = f"until [ -e {FOLDER}/done ]; do sleep 0.2; done"
"""What the container does until the context is there.

It does not wait by opening a pipe: what a cut connection leaves behind ends as a child of this shell, which interrupts
that (measured).
"""
UNPACK = f"""set -o pipefail
cd {FOLDER} || exit 1
[ ! -e context ] || mv context "cut.$$" # what an earlier try left, and may still write to
rm -rf cut.* sum
mkdir context && mkfifo sum || exit 1
md5sum <sum >digest &
tee sum | tar -xf - -C context || exit 1
wait
cat digest
"""
DONE = f": >{FOLDER}/done"


class Receiver(Protocol):
    """Who feeds commands in a container; cluster_pods.Pods is one."""

    def send(self, pod: str, container: str, command: list[str], chunks: Iterable[bytes], until: float) -> bytes: ...


def packed(chunks: Iterable[bytes]) -> bytes | None:
    """Return a tar stream as tar.gz, None where that is not small."""
    squeeze = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)
    result = bytearray()
    for chunk in chunks:
        result += squeeze.compress(chunk)
        if len(result) > SMALL:
            return None
    result += squeeze.flush()
    return bytes(result) if len(result) <= SMALL else None


def stream(
    receiver: Receiver,
    pod: str,
    shell: str,
    tar: Callable[[], Iterable[bytes]],
    estimate: int | None,
    until: float,
    waits: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Unpack a tar stream in the waiting container, and let it end.

    A connection that breaks TRIES times while it sends ends it; one that is not even made may be made later.

    Args:
        shell: absolute path in the container.
        tar: begins the stream anew, for every try.
        estimate: its size, where it is known.
        until: when all must be there, as time.monotonic() counts.
        waits: asked before another try, whether the container still does.
        tell: takes lines on the progress.

    Raises:
        UnansweredError: the connection broke too often, or was not made for too long.
        JenkinsKanikoError: it cannot be unpacked there.
    """
    broken, away, patience = 0, False, Patience()
    while True:
        progress = _Progress(estimate, tell)
        try:
            printed = receiver.send(pod, CONTAINER, [shell, "-c", UNPACK], progress.through(tar()), until)
            if printed.split()[:1] != [progress.digest.hexdigest().encode()]:
                raise UnansweredError("what arrived is not what was sent")
            break
        except UnansweredError as error:
            if progress.begun:
                broken += 1
                patience.answered()
            if broken == TRIES:
                raise
            if progress.begun or not away:
                tell(f"sending the build context: {error}; from its begin again")
            away = not progress.begun
            patience.unanswered(error)
            waits()
    _let_end(receiver, pod, shell, until, waits)
    tell(f"build context sent: {progress}")


def _let_end(receiver: Receiver, pod: str, shell: str, until: float, waits: Callable[[], bool]) -> None:
    """Tell the container that all is there; what it says to that may be lost, as it ends."""
    patience = Patience()
    while True:
        try:
            receiver.send(pod, CONTAINER, [shell, "-c", DONE], [], until)
            return
        except JenkinsKanikoError as error:
            if not waits():
                return
            if not isinstance(error, UnansweredError):
                raise
            patience.unanswered(error)


def waiting(shell: str) -> list[str]:
    """Return the command of the container that waits for the context."""
    return [shell, "-c", WAIT]


class _Progress:
    """How much was sent, how fast, and its digest.

    Attributes:
        begun: whether anything was asked for, by a connection that was made.
    """

    def __init__(self, estimate: int | None, tell: Callable[[str], None]) -> None:
        # TLS keeps others out; this finds what a cut connection lost, and the pod's busybox takes a third of the
        # processor's time for it that it takes for SHA-256 (measured: 0.7 of the rate of `tar` alone became 0.8)
        self.digest = hashlib.md5(usedforsecurity=False)
        self._estimate, self._tell = estimate, tell
        self._sent = 0
        self.begun = False
        self._start = self._told = time.monotonic()

    def through(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.begun = True
            self.digest.update(chunk)
            yield chunk
            self._sent += len(chunk)
            if time.monotonic() - self._told >= TOLD_EVERY_SECONDS:
                self._told = time.monotonic()
                self._tell(f"sending the build context: {self}{self._remaining()}")

    def __str__(self) -> str:
        return f"{_size(self._sent)}, {_size(self._rate())}/s"

    def _rate(self) -> float:
        return self._sent / max(time.monotonic() - self._start, 0.001)

    def _remaining(self) -> str:
        if not self._estimate or self._estimate <= self._sent:
            return ""
        return f", about {(self._estimate - self._sent) / self._rate():.0f} s left"


def _size(count: float) -> str:
    return f"{count / 1e6:.1f} MB"

"""What RUN --mount=type=secret mounts: read on this machine, and kept out of what is shown.

A build's secrets go into a Secret that its Job owns. The builder finds each as a file, so none is in its arguments or
its environment, which RUN lines see.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from jenkins_kaniko.errors import WrongInputError

FOLDER = "/jenkins-kaniko-secrets"
"""Where the builder finds them; Kaniko leaves mounted folders out of the image."""
FORM = "--secret: id=NAME, id=NAME,src=FILE or id=NAME,env=VARIABLE is expected"
LARGEST = 1_000_000
"""Bytes of all of them; the limit of a Secret is 1 MiB."""
MASK = b"****"
TELLING = 8
"""Lines of a secret that are shorter, such as the brackets of a key file, are in many logs."""


def read(texts: Iterable[str], environment: Mapping[str, str]) -> dict[str, bytes]:
    """Return the secrets by id.

    Args:
        texts: as they are typed. They are not repeated in errors: somebody may have typed the secret itself.
        environment: holds those of variables; without src and env, that of the id's own name.

    Raises:
        WrongInputError: a text has another form, or there is no such file or variable.
    """
    found: dict[str, bytes] = {}
    for text in texts:
        parts = dict(part.partition("=")[::2] for part in text.split(","))
        if not parts.get("id") or not parts.keys() <= {"id", "src", "env"} or {"src", "env"} <= parts.keys():
            raise WrongInputError(FORM)
        if parts["id"] in found:
            raise WrongInputError(f"--secret: id={parts['id']} is given twice")
        found[parts["id"]] = _content(parts, environment)
    if sum(map(len, found.values())) > LARGEST:
        raise WrongInputError(f"--secret: they have more than {LARGEST} bytes; a Secret of Kubernetes takes no more")
    return found


def places(secrets: Mapping[str, bytes]) -> dict[str, str]:
    """Return where the builder finds each, as the option `secrets` has it."""
    return {name: f"src={FOLDER}/{name}" for name in secrets}


def masked(lines: Iterable[bytes], secrets: Mapping[str, bytes]) -> Iterator[bytes]:
    """Yield the lines of a log, each after its time, without the secrets that a RUN line printed."""
    hidden = _hidden(secrets)
    for line in lines:
        time, blank, text = line.partition(b" ")
        for one in hidden:
            text = text.replace(one, MASK)
        yield time + blank + text


def _content(parts: Mapping[str, str], environment: Mapping[str, str]) -> bytes:
    where = f"--secret: id={parts['id']}"
    if "src" not in parts:
        variable = parts.get("env") or parts["id"]
        if variable not in environment:
            raise WrongInputError(f"{where}: {variable} is not in the environment")
        return environment[variable].encode("utf-8", "surrogateescape")
    try:
        return Path(parts["src"]).expanduser().read_bytes()
    except OSError as error:
        raise WrongInputError(f"{where}: {parts['src']}: cannot be read: {error.strerror}") from None
    except RuntimeError:
        raise WrongInputError(f"{where}: {parts['src']}: there is no home of this user") from None


def _hidden(secrets: Mapping[str, bytes]) -> list[bytes]:
    """Return what must not be seen: of a secret of one line that line, of others the lines that tell something."""
    found = set()
    for secret in secrets.values():
        lines = [line.strip() for line in secret.strip().splitlines()]
        found |= {line for line in lines if line and (len(lines) == 1 or len(line) >= TELLING)}
    return sorted(found, key=len, reverse=True)  # one may be a part of another

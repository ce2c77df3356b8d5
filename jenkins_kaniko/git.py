"""The door to the `git` program: its configuration, keys and helpers hold here too.

It asks nothing: where an account is missing, it is said. An account goes to git in the environment, where neither the
list of processes nor an error shows it.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from jenkins_kaniko.errors import JenkinsKanikoError, UnreachableError, WrongInputError

SHOWN_LENGTH = 300
DEFAULT_USER = "x-access-token"
"""Services take a token as the password of any user; this is the name that GitHub documents."""
OF_REPOSITORY = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE")
"""Set where git itself runs this program, in a hook; they would lead to another repository."""
SAID = re.compile(r"^(?:fatal|error|ERROR|remote): .+|^ssh: .+|^.*Permission denied.*", re.MULTILINE)
ACCOUNT_IN_URL = re.compile(r"\b([a-z+]+://)[^/\s]*@")
ACCOUNT = "set GIT_TOKEN, or GIT_USERNAME and GIT_PASSWORD, for https; load a key into an agent for ssh"
KINDS: tuple[tuple[str, type[JenkinsKanikoError], str], ...] = (
    ("not our ref|not a tree", WrongInputError, "there is no such commit"),
    (
        "Authentication failed|could not read (Username|Password)|Permission denied|returned error: 40[13]"
        "|terminal prompts disabled",
        UnreachableError,
        f"not allowed; {ACCOUNT}",
    ),
    ("Could not resolve host", UnreachableError, "there is no host of this name"),
    ("Host key verification failed", UnreachableError, "the host's key is not known; add it to known_hosts"),
    ("certificate|SSL", UnreachableError, "its certificate is not trusted; GIT_SSL_CAINFO names other authorities"),
    (
        "Failed to connect|Connection (refused|timed out|reset)|unable to connect|Operation too slow|Empty reply"
        "|early EOF|unexpected disconnect",
        UnreachableError,
        "the host does not answer, or not to the end",
    ),
    (
        "not found|does not exist|does not appear to be a git repository",
        WrongInputError,
        f"there is no such repository, or it is private; {ACCOUNT}",
    ),
)
"""What git says -> what it means; the first that is found holds."""


def asked(folder: Path, *arguments: str) -> str | None:
    """Return what git prints of the repository that a folder is in; None where there is none, and without git."""
    done = _run_in(folder, *arguments)
    return done.stdout.strip() if done and done.returncode == 0 else None


def distrusts(folder: Path) -> bool:
    """Whether git does not look into the repository that a folder is in, because another user owns it."""
    done = _run_in(folder, "rev-parse")
    return done is not None and "dubious ownership" in done.stderr


def _run_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    # a lock would be in the way of whoever works there
    command = ["git", "--no-optional-locks", *arguments]
    environment = _outside() | {"LC_ALL": "C"}
    try:
        return subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace", check=False
        )
    except FileNotFoundError:
        return None


def without_account(text: str) -> str:
    """Return a text with URLs as it may be shown: a token in one is no business of those who see it."""
    return ACCOUNT_IN_URL.sub(r"\1", text)


def rfc3339(seconds: int) -> str:
    """Return the time of a commit as labels of images have it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Git:
    """Git in a folder, which becomes a repository.

    Args:
        folder: an empty one.
        url: of the origin, without an account for http.
        user, password: of its URL; GIT_USERNAME, and GIT_TOKEN or GIT_PASSWORD, say what it lacks.
    """

    def __init__(self, folder: str, url: str, user: str | None, password: str | None) -> None:
        self._folder = folder
        self._url = url
        user = user or os.environ.get("GIT_USERNAME")
        password = password or os.environ.get("GIT_TOKEN") or os.environ.get("GIT_PASSWORD") or ""
        self._password = password
        self._account = f"{user or DEFAULT_USER}:{password}" if url.startswith("http") and (user or password) else ""
        self.run("init", "--quiet", ".")
        self.run("remote", "add", "origin", url)

    @property
    def shown(self) -> str:
        """The URL of the origin as it may be shown, without any account."""
        return without_account(self._url)

    def run(self, *arguments: str) -> str:
        """Run git in the folder and return what it prints; nothing of it runs on when this is interrupted.

        Raises:
            JenkinsKanikoError, or a child of it that says what is wrong.
        """
        try:
            process = subprocess.Popen(
                ["git", *arguments],
                cwd=self._folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                errors="replace",
                start_new_session=True,  # without a terminal nothing can ask, and a signal reaches all of it
            )
        except FileNotFoundError:
            raise WrongInputError("a git source needs the program git, which is not installed here") from None
        try:
            printed, said = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            raise
        if process.returncode:
            raise self._error(said)
        return printed

    def _environment(self) -> dict[str, str]:
        kept = _outside()
        quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
        patience = {"GIT_HTTP_LOW_SPEED_LIMIT": "1", "GIT_HTTP_LOW_SPEED_TIME": "60"}
        environment = patience | kept | quiet
        if self._account:
            count = kept.get("GIT_CONFIG_COUNT", "")
            number = int(count) if count.isdecimal() else 0
            parts = urlsplit(self._url)
            # for this host only: submodules may be elsewhere
            environment |= {
                "GIT_CONFIG_COUNT": str(number + 1),
                f"GIT_CONFIG_KEY_{number}": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
                f"GIT_CONFIG_VALUE_{number}": f"Authorization: Basic {_base64(self._account)}",
            }
        return environment

    def _error(self, said: str) -> JenkinsKanikoError:
        words = " ".join(SAID.findall(said)) or said.strip()
        for secret in (self._password, _base64(self._account)):
            words = words.replace(secret, "***") if secret else words
        words = without_account(words)  # those of submodules are not known here
        for pattern, kind, meaning in KINDS:
            if re.search(pattern, said):
                return kind(f"{self.shown}: {meaning} ({words[:SHOWN_LENGTH]})")
        return JenkinsKanikoError(f"{self.shown}: git failed: {words[:SHOWN_LENGTH]}")


def _outside() -> dict[str, str]:
    """Return the environment without what leads to another repository."""
    return {name: value for name, value in os.environ.items() if name not in OF_REPOSITORY}


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()

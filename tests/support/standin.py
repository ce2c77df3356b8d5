"""Drive the stand-in Jenkins controller (tests/groovy/src/standin): one JVM, one home folder, a port of its own.

The controller runs real scripts on classes with the plugin's names and answers HTTP as a recorded controller did.
This side builds it, writes its settings and users, starts and ends it; state lives in the home folder and survives a
restart.
"""

from __future__ import annotations

import json
import secrets
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from tests.support.jvm import java

if TYPE_CHECKING:
    import requests

STOP_SECONDS = 10


@dataclass(frozen=True)
class User:
    """An account with new secrets; permissions are Administer, Manage, SystemRead, Read."""

    name: str
    password: str
    token: str
    permissions: tuple[str, ...]

    @classmethod
    def new(cls, name: str, *permissions: str) -> User:
        return cls(name, secrets.token_urlsafe(12), f"11{secrets.token_hex(16)}", permissions)


class StandIn:
    """A controller that is running inside a `with` block; after a restart it has the same address.

    Args:
        plugin: the version of the kubernetes plugin, 4238 or 1.29, and with it those of all others.
        plugins: versions that differ from the recorded ones; None for a plugin that is not installed.
        agent_port: TCP port for inbound agents, which nobody listens at; None where it is off.
        crumbs: whether requests with a password need one.
        casc: sources of configuration-as-code, files or folders.
    """

    def __init__(
        self,
        home: Path,
        *,
        plugin: str = "4238",
        core: str | None = None,
        plugins: Mapping[str, str | None] | None = None,
        clouds: Sequence[str] = ("kubernetes",),
        casc: Sequence[Path] = (),
        reload_token: str | None = None,
        agent_port: int | None = None,
        starting_seconds: int = 0,
        crumbs: bool = True,
    ) -> None:
        self.home = home
        self.plugin = plugin
        self.admin = User.new("admin", "Administer")
        self.url = ""
        self._users = [self.admin]
        self._port = 0
        self._process: subprocess.Popen[str] | None = None
        self._settings = {
            "core": core,
            "plugins": dict(plugins or {}),
            "clouds": list(clouds),
            "casc": [str(source) for source in casc],
            "reloadToken": reload_token,
            "agentPort": agent_port,
            "startingSeconds": starting_seconds,
            "crumbs": crumbs,
        }

    def add_user(self, name: str, *permissions: str) -> User:
        """Known from the next start on."""
        user = User.new(name, *permissions)
        self._users.append(user)
        return user

    def user(self, name: str) -> User:
        return next(user for user in self._users if user.name == name)

    def start(self) -> Self:
        """Return when it listens; with `starting_seconds` it then answers 503 for that long."""
        self.home.mkdir(parents=True, exist_ok=True)
        settings = {**self._settings, "port": self._port, "users": [asdict(user) for user in self._users]}
        (self.home / "standin.json").write_text(json.dumps(settings), encoding="utf-8")
        command = [*java("standin.Controller", self.plugin), str(self.home)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8")
        assert self._process.stdout is not None
        word, _, url = self._process.stdout.readline().strip().partition(" ")
        if word != "ready":
            self.kill()
            raise RuntimeError("the stand-in did not start: see its output on stderr")
        self.url = url
        self._port = int(url.rstrip("/").rpartition(":")[2])
        return self

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._end()

    def kill(self) -> None:
        """As when the machine dies: nothing is flushed."""
        if self._process:
            self._process.kill()
            self._end()

    def restart(self) -> None:
        self.stop()
        self.start()

    def post(self, path: str, user: User | None = None, data: str | dict[str, str] = "") -> requests.Response:
        """POST with an API token, the administrator's unless told."""
        import requests  # the demo imports this module before anything is installed

        who = user or self.admin
        content = data.encode() if isinstance(data, str) else data
        return requests.post(self.url + path, content, auth=(who.name, who.token), timeout=30)

    def run(self, script: str | Path) -> str:
        """Run a script in the console as the administrator and return what it says."""
        text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
        return self.post("scriptText", data={"script": text}).text

    def _end(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

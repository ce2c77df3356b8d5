"""A door to the cluster that another thread can shut: the builds of `build --all` run in threads, signals do not.

A thread that waits for the cluster cannot be interrupted. So whoever stops the command removes its Job, and sees to
it that no other is made.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from jenkins_kaniko import jobs
from jenkins_kaniko.attempt import Door
from jenkins_kaniko.buildjob import Spec


class StoppableDoor:
    """The door of one build; all but making Jobs is left to the door behind it."""

    def __init__(self, door: Door) -> None:
        self.namespace = door.namespace
        self.create_config_map, self.create_secret = door.create_config_map, door.create_secret
        self.jobs, self.delete_job = door.jobs, door.delete_job
        self.watch, self.there, self.events = door.watch, door.there, door.events
        self.log, self.printed, self.send = door.log, door.printed, door.send
        self._door = door
        self._lock = threading.Lock()
        self._stopped = False
        self._last: tuple[str, str | None] | None = None

    def create_job(self, manifest: Mapping[str, Any]) -> str:
        """Make a Job and return its uid.

        Raises:
            SystemExit: the build was stopped; it ends its thread.
            JenkinsKanikoError: as the door behind does.
        """
        with self._lock:
            if self._stopped:
                raise SystemExit
            name = manifest["metadata"]["name"]
            self._last = name, None  # it may be made though no answer comes
            uid = self._door.create_job(manifest)
            self._last = name, uid
            return uid

    def stop(self, spec: Spec, tell: Callable[[str], None]) -> None:
        """Remove the build's Job, and let none be made any more; one that is just being made is waited for.

        Args:
            tell: takes a line where the Job cannot be removed.
        """
        with self._lock:
            self._stopped = True
        if self._last:
            name, uid = self._last
            jobs.remove(self, spec, name, uid, tell)

"""A pod that does not start: what it waits for, told when it changes, and whether that is in vain.

And one that runs: what the cluster warns of, such as a node that does not answer any more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jenkins_kaniko import podstate
from jenkins_kaniko.podstate import Pod

PULLS = 2
"""After how many failures to pull an image nobody waits for it any longer."""


class Waiting:
    """What is known of one pod that does not start.

    Attributes:
        pod: its name, once it is there.
        reason: what it waits for, in the cluster's words.
    """

    def __init__(self, tell: Callable[[str], None], own: str) -> None:
        """`own` names the ConfigMap and the Secret that the build itself makes, a moment after the Job."""
        self.pod: str | None = None
        self.reason: str | None = None
        self._tell, self._own = tell, own
        self._pulls = 0
        self._pull_failed = False

    def in_vain(self, pod: Pod) -> str | None:
        """Return why this pod will never start, None where it may."""
        self.pod = pod["metadata"]["name"]
        self._now(podstate.waits_for(pod))
        failed = podstate.pull_failed(pod)
        self._pulls += failed and not self._pull_failed
        self._pull_failed = failed
        return self.reason if self._pulls >= PULLS else podstate.hopeless(pod)

    def in_vain_by_events(self, events: Sequence[Mapping[str, Any]]) -> str | None:
        """Return the event that says so, None where there is none."""
        self._now(self.reason or podstate.last_warning(events))
        return podstate.hopeless_event(events, self._own)

    def _now(self, reason: str | None) -> None:
        if reason and reason != self.reason:
            self.reason = reason
            self._tell(f"waiting: {reason}")


class Warnings:
    """What the cluster warned of since a pod's builder runs, each told once."""

    def __init__(self, tell: Callable[[str], None], since: str) -> None:
        """`since` is when the builder started, as the cluster writes times."""
        self._tell, self._since = tell, since
        self._told: set[str] = set()

    def read(self, events: Sequence[Mapping[str, Any]]) -> None:
        """Take the events of the pod."""
        for event in events:
            text = f"{event.get('reason', '')}: {event.get('message', '')}"
            late = podstate.event_time(event) >= self._since
            if event.get("type") == "Warning" and late and text not in self._told:
                self._told.add(text)
                self._tell(text)

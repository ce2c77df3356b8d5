"""A controller as configuration-as-code exports it: a door for teams that may read and not run scripts.

Overall/SystemRead is enough. What comes out is the state that the script console reports, so `plan` and `drift` work
on it unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from jenkins_kaniko import casc, render
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.model import CloudState, PodTemplate


class Exporting(Protocol):
    """What this needs of a controller; jenkins.Controller is one."""

    name: str
    cloud: str
    may_create: bool

    def export(self) -> str: ...

    def versions(self) -> tuple[str, str]: ...

    def reload(self, token: str) -> None: ...


class Export:
    """One cloud as the controller's export shows it; it can be read and not changed."""

    def __init__(self, controller: Exporting) -> None:
        self.name = controller.name
        self._controller = controller
        self._clouds: list[Json] = []
        self._versions: tuple[str, str] | None = None

    def read(self, *, backup: bool = False) -> CloudState:
        """Return the cloud's templates, with `backup` each with what the export holds of it.

        Raises:
            WrongInputError: the cloud is not there, and the configuration does not create it.
            RefusedError: its name is not its own.
            JenkinsKanikoError, UnreachableError: there is no export, or it cannot be understood.
        """
        state = self._state()
        if not state.exists and not self._controller.may_create:
            there = ", ".join(casc.cloud_name(item) for item in self._clouds) or "none"
            raise WrongInputError(
                f"controller {self.name}: its export shows no cloud named '{state.cloud}' (its clouds: {there}). "
                f"Set controllers.{self.name}.cloud, or let ensureCloud create it."
            )
        if not backup:
            return state
        raw = (self._item() or {}).get("templates") or []
        kept = [replace(one, xml=render.dump(item)) for one, item in zip(state.templates, raw, strict=True)]
        return replace(state, templates=tuple(kept))

    def apply(
        self,
        state_hash: str,
        templates: tuple[int | PodTemplate, ...],
        cloud_fields: Mapping[str, Any] | None = None,
    ) -> CloudState:
        """An export changes nothing. Raises RefusedError."""
        raise RefusedError(f"controller {self.name}: an export can only be read")

    def _state(self) -> CloudState:
        """Ask the controller anew."""
        self._versions = self._versions or self._controller.versions()
        try:
            self._clouds = casc.defined_clouds(self._controller.export())
            return casc.state(self._controller.cloud, self._item(), *self._versions)
        except (RefusedError, UnreachableError) as error:
            raise type(error)(self._told(error)) from None
        except JenkinsKanikoError as error:
            raise JenkinsKanikoError(self._told(error)) from None

    def _told(self, error: Exception) -> str:
        return str(error) if str(error).startswith("controller ") else f"controller {self.name}: its export: {error}"

    def _item(self) -> Json | None:
        return casc.kubernetes_cloud(self._clouds, self._controller.cloud)

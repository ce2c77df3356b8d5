"""What `--via configmap` does: a whole cloud in a ConfigMap, which the sidecar of Jenkins' Helm chart brings over.

It is written if nobody else wrote it since, loaded, and proved by the export. The clouds of all sources together
replace the controller's list, and lists are put together: so nothing is written while somebody else defines clouds, or
while some would be lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from jenkins_kaniko import casc, cluster, forms
from jenkins_kaniko.cluster import ConfigMap
from jenkins_kaniko.errors import JenkinsKanikoError, RefusedError, UnreachableError, WrongInputError
from jenkins_kaniko.export import Export, Exporting
from jenkins_kaniko.fleetfile import Sidecar
from jenkins_kaniko.fleetvalues import Json
from jenkins_kaniko.model import OWNER_ANNOTATION, CloudState, PodTemplate

MAX_BYTES = 1_000_000
"""Kubernetes takes 1 MiB with all that is around the data."""
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 15.0
"""Between two looks at the controller; a reload configures the whole of it, so not too often."""


class SidecarDoor(Export):
    """One cloud that a ConfigMap defines.

    Args:
        fleet: whose ConfigMap it is; one of somebody else is not touched.
        token: triggers the reload; None where the sidecar's own one is waited for.
        adopt: the user allows to take over a cloud that is there and that the ConfigMap does not define yet.
        timeout: seconds until what was written must be loaded.
        tell: told what is waited for.
    """

    def __init__(
        self,
        controller: Exporting,
        settings: Sidecar,
        fleet: str,
        token: str | None,
        *,
        adopt: bool,
        timeout: float,
        tell: Callable[[str], None],
    ) -> None:
        super().__init__(controller)
        self._settings = settings
        self._fleet = fleet
        self._token = token
        self._adopt = adopt
        self._timeout = timeout
        self._tell = tell
        self._present = ConfigMap(settings.namespace, settings.config_map)

    def read(self, *, backup: bool = False) -> CloudState:
        """As `Export.read`, with what stands in the way of a change; the ConfigMap is read too."""
        state = super().read(backup=backup)
        found = cluster.list_config_maps(self._settings.namespace, self._settings.label)
        others = [one for one in found if one.name != self._settings.config_map]
        self._present = next((one for one in found if one not in others), replace(self._present, version=None))
        return replace(state, obstacles=tuple(self._obstacles(state, others)))

    def _obstacles(self, state: CloudState, others: list[ConfigMap]) -> list[str]:
        owner = self._present.labels.get(OWNER_ANNOTATION)
        if self._present.version and owner != self._fleet:
            return [
                f"{_where(self._present)} is {f'of fleet {owner}' if owner else 'not of this fleet'}; "
                f"set controllers.{self.name}.sidecar.configMap to another name"
            ]
        mine, refusals = {state.cloud}, []
        for other in others:
            names = _clouds_of(other)
            if other.labels.get(OWNER_ANNOTATION) == self._fleet and state.cloud not in names:
                mine |= set(names)
            elif names:
                refusals.append(
                    f"{_where(other)} defines clouds too ({', '.join(names)}): configuration-as-code would put both "
                    "lists together; take `clouds:` out of it, or bring the templates there: jenkins-kaniko render "
                    "--format jcasc or helm"
                )
        lost = sorted({casc.cloud_name(item) for item in self._clouds} - mine)
        if lost and not refusals:
            refusals.append(
                f"no ConfigMap of this fleet defines {', '.join(lost)}, which the controller has: the reload would "
                "remove that, or there is a source that is not seen here"
            )
        if state.exists and state.cloud not in _clouds_of(self._present) and not self._adopt:
            refusals.append(
                f"cloud {state.cloud} is there and no ConfigMap defines it: made by hand, --adopt takes it over; "
                "defined by a source that is not seen here, there would be two of that name"
            )
        return refusals

    def apply(
        self,
        state_hash: str,
        templates: tuple[int | PodTemplate, ...],
        cloud_fields: Mapping[str, Any] | None = None,
    ) -> CloudState:
        """Write the cloud into the ConfigMap, have it loaded, and return what the export shows then.

        A run that was cut off is gone on with by the next one: what is written already is not written again.

        Raises:
            RefusedError: the cloud or the ConfigMap moved since `read`; nothing was changed.
            WrongInputError: it is too large for a ConfigMap.
            UnreachableError: cluster or controller do not answer, or do not allow it.
            JenkinsKanikoError: what was written was not loaded in time; the fields that differ are named.
        """
        if self._state().hash != state_hash:
            raise RefusedError(
                f"controller {self.name}: cloud '{self._controller.cloud}' changed since the plan; "
                "nothing was changed. Run plan again and look at what moved."
            )
        present = self._item() or {}
        old = present.get("templates") or []
        items = [old[one] if isinstance(one, int) else _item_of(one) for one in templates]
        wanted = casc.cloud(self._controller.cloud, cloud_fields or {}, items, present)
        self._write(wanted)
        return self._loaded(wanted)

    def _write(self, wanted: Json) -> None:
        settings, present = self._settings, self._present
        data = forms.files(settings, forms.source(wanted))
        size = sum(len(text.encode()) for text in data.values())
        if size > MAX_BYTES:
            raise WrongInputError(f"{_where(present)}: {size} bytes of templates; a ConfigMap holds {MAX_BYTES}")
        labels = {**present.labels, **forms.labels(settings, self._fleet)}
        if (dict(present.data), dict(present.labels)) != (data, labels):
            cluster.write_config_map(replace(present, data=data, labels=labels))

    def _loaded(self, wanted: Json) -> CloudState:
        """Wait until the controller holds `wanted`: the sidecar needs its time to bring the file there."""
        until, pause = time.monotonic() + self._timeout, FIRST_PAUSE_SECONDS
        failure = ""
        while True:
            trouble = self._reloaded()
            if trouble != failure:
                self._tell(trouble or f"{self.name}: loaded")
            failure = trouble
            state = self._state_after()
            expected = casc.state(state.cloud, wanted["kubernetes"], state.plugin_version, state.core_version)
            left = _differences(expected, state)
            if not left:
                return state
            if time.monotonic() + pause > until:
                raise JenkinsKanikoError(self._late(left, failure))
            self._tell(f"{self.name}: waits for {_where(self._present)} to be loaded")
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def _state_after(self) -> CloudState:
        try:
            return self._state()
        except RefusedError as error:
            raise JenkinsKanikoError(
                f"{error}, since {_where(self._present)} was written: a source that is not seen here defines it too. "
                "Take the cloud out of one of them"
            ) from None

    def _reloaded(self) -> str:
        """Trigger a reload where that is possible; return why it failed: a file of before may still be there."""
        if self._token is not None:
            try:
                self._controller.reload(self._token)
            except UnreachableError:
                raise
            except JenkinsKanikoError as error:
                return str(error)
        return ""

    def _late(self, left: list[str], failure: str) -> str:
        cause = failure or (
            "the controller's log and the sidecar's say what became of the reload"
            if self._token
            else "look at the sidecar's log and label, or give reloadToken, which also tells why a reload fails"
        )
        return (
            f"controller {self.name}: {_where(self._present)} is written, but after {self._timeout:g} s the export "
            f"differs in {', '.join(left)}; {cause}. The next run goes on from here."
        )


def _where(config_map: ConfigMap) -> str:
    return f"ConfigMap {config_map.namespace}/{config_map.name}"


def _clouds_of(config_map: ConfigMap) -> list[str]:
    """Return the names of the clouds that a source defines; one that cannot be read may define any."""
    names = []
    for file, text in config_map.data.items():
        if file.endswith((".yaml", ".yml")):
            try:
                names += [casc.cloud_name(item) for item in casc.defined_clouds(text)]
            except JenkinsKanikoError as error:
                names.append(f"{file} is {error}")
    return names


def _item_of(wanted: PodTemplate) -> Json:
    if wanted.xml is None:
        return casc.template(wanted)
    return casc.restored(wanted.xml)


def _differences(expected: CloudState, found: CloudState) -> list[str]:
    """Return the templates and fields in which two states of a cloud differ."""
    there = {one.id: one for one in found.templates}
    left = [f"{expected.cloud}.{name}" for name in _unlike(expected.cloud_fields, found.cloud_fields)]
    for one in expected.templates:
        other = there.pop(one.id, None)
        left += [one.name] if other is None else [f"{one.name}.{name}" for name in _unlike(one.fields, other.fields)]
    left += [one.name for one in there.values()]
    same_order = [one.id for one in expected.templates] == [one.id for one in found.templates]
    return left if left or same_order else [f"the order of {expected.cloud}'s templates"]


def _unlike(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    return [name for name in {**wanted, **found} if wanted.get(name) != found.get(name)]

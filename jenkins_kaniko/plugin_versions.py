"""What a new PodTemplate and KubernetesCloud hold in each version of the kubernetes plugin.

The script console reports this itself; an export of configuration-as-code leaves out what is as in a new object, so
who reads one must know. Recorded of 1.29.0 and 4238; between them the plugin's history (facts: properties, setters).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

UNSET = (
    "name", "label", "namespace", "inheritFrom", "yaml", "yamlMergeStrategy", "agentContainer", "serviceAccount",
    "nodeSelector", "supplementalGroups", "runAsUser", "runAsGroup", "schedulerName", "terminationGracePeriodSeconds",
)  # fmt: skip
LISTS = ("annotations", "containers", "volumes", "envVars", "imagePullSecrets", "nodeProperties")
SWITCHES = ("inheritYamlMergeStrategy", "agentInjection", "hostNetwork", "capOnlyOnAlivePods")
CLOUD_UNSET = (
    "serverUrl", "serverCertificate", "credentialsId", "namespace", "jenkinsUrl", "jenkinsTunnel", "jnlpregistry",
    "containerCapStr", "defaultsProviderTemplate",
)  # fmt: skip
CLOUD_SWITCHES = (
    "skipTlsVerify", "webSocket", "directConnection", "restrictedPssSecurityContext", "addMasterProxyEnvVars",
    "useJenkinsProxy", "usageRestricted",
)  # fmt: skip

CLAIM = "storageClassName requestsSize accessModes"
CLASSES = {
    "ContainerTemplate": "name image command args workingDir shell envVars ports livenessProbe runAsUser runAsGroup "
    "resourceRequestCpu resourceRequestMemory resourceRequestEphemeralStorage resourceLimitCpu resourceLimitMemory "
    "resourceLimitEphemeralStorage privileged=false alwaysPullImage=false ttyEnabled=false",
    "ContainerLivenessProbe": "execArgs failureThreshold=0 initialDelaySeconds=0 periodSeconds=0 successThreshold=0 "
    "timeoutSeconds=0",
    "PodImagePullSecret": "name",
    "PodLabel": "key value",
    "PortMapping": "name containerPort hostPort",
    "model.KeyValueEnvVar": "key value",
    "model.SecretEnvVar": "key secretName secretKey optional=false",
    **{f"pod.retention.{name}": "" for name in ("Always", "Default", "Evicted", "Never", "OnFailure")},
    **{f"pod.yaml.{name}": "" for name in ("Merge", "Overrides")},
    "volumes.ConfigMapVolume": "mountPath configMapName optional=false subPath",
    "volumes.DynamicPVCVolume": f"mountPath {CLAIM}",
    "volumes.EmptyDirVolume": "mountPath memory=false",
    "volumes.GenericEphemeralVolume": f"mountPath {CLAIM}",
    "volumes.HostPathVolume": "mountPath hostPath readOnly=false",
    "volumes.NfsVolume": "mountPath serverAddress serverPath readOnly=false",
    "volumes.PersistentVolumeClaim": "mountPath claimName readOnly=false",
    "volumes.SecretVolume": "mountPath secretName defaultMode optional=false",
    "volumes.workspace.DynamicPVCWorkspaceVolume": CLAIM,
    "volumes.workspace.EmptyDirWorkspaceVolume": "memory=false",
    "volumes.workspace.GenericEphemeralWorkspaceVolume": CLAIM,
    "volumes.workspace.HostPathWorkspaceVolume": "hostPath",
    "volumes.workspace.NfsWorkspaceVolume": "serverAddress serverPath readOnly=false",
    "volumes.workspace.PersistentVolumeClaimWorkspaceVolume": "claimName readOnly=false",
}
"""Classes of objects in these properties, with what they keep and what that is where nobody set it."""

SINCE = {
    "volumes.ConfigMapVolume.subPath": (1, 30, 3),
    "volumes.DynamicPVCVolume": (1, 31, 1),
    "volumes.HostPathVolume.readOnly": (3937,),
    "volumes.GenericEphemeralVolume": (4174,),
    "volumes.workspace.GenericEphemeralWorkspaceVolume": (4174,),
    "pod.retention.Evicted": (4356,),
    "schedulerName": (1, 29, 3),
    "jnlpregistry": (3646,),
    "restrictedPssSecurityContext": (3985,),
    "inheritYamlMergeStrategy": (4199,),
    "agentContainer": (4287,),
    "agentInjection": (4287,),
}
"""Versions that brought a property or class; all others are older than 1.29."""

LONGER_TIMEOUT, NO_MERGE_STRATEGY = (1, 30), (4203,)
"""Versions since which a new template has another value."""


def template_defaults(version: str) -> dict[str, Any]:
    """Return the fields that a pod template has in a version, with the values of a new one.

    Args:
        version: as Jenkins tells it, such as 4238.v41b_3ef14a_5d8 or 1.29.0; empty stands for a present one.
    """
    parts = numbers(version)
    defaults: dict[str, Any] = {
        **dict.fromkeys(UNSET),
        **{name: [] for name in LISTS},
        **dict.fromkeys(SWITCHES, False),
        "idleMinutes": 0,
        "instanceCap": 2147483647,
        "slaveConnectTimeout": 1000 if parts >= LONGER_TIMEOUT else 100,
        "activeDeadlineSeconds": 0,
        "podRetention": "pod.retention.Default",
        "nodeUsageMode": "EXCLUSIVE",
        "showRawYaml": True,
        "workspaceVolume": "volumes.workspace.EmptyDirWorkspaceVolume",
    }
    if parts < NO_MERGE_STRATEGY:
        defaults["yamlMergeStrategy"] = "pod.yaml.Overrides"
    return _had_by(parts, defaults)


def cloud_defaults(version: str) -> dict[str, Any]:
    """Return the same of a cloud."""
    defaults: dict[str, Any] = {
        **dict.fromkeys(CLOUD_UNSET),
        **dict.fromkeys(CLOUD_SWITCHES, False),
        "maxRequestsPerHostStr": "32",
        "connectTimeout": 5,
        "readTimeout": 15,
        "retentionTimeout": 5,
        "waitForPodSec": 600,
        "podRetention": "pod.retention.Never",
        "podLabels": [{"class": "PodLabel", "key": "jenkins", "value": "slave"}],
    }
    return _had_by(numbers(version), defaults)


def kinds(version: str) -> dict[str, dict[str, str | None] | None]:
    """Return the classes of objects in those properties, each with its values and defaults; None for one it lacks."""
    parts = numbers(version)
    return {
        name: _had_by(parts, empty_object(name), f"{name}.") if parts >= SINCE.get(name, ()) else None
        for name in CLASSES
    }


def empty_object(kind: str) -> dict[str, str | None]:
    """Return what an object of a class keeps, with the values of one that was given nothing."""
    pairs = [item.partition("=") for item in CLASSES.get(kind, "").split()]
    return {name: value or None for name, _, value in pairs}


def numbers(version: str) -> tuple[int, ...]:
    """Return what versions are compared by; an unknown one counts as the newest."""
    return tuple(int(part) for part in re.findall(r"\d+", version.partition(".v")[0])) or (99999,)


def _had_by(parts: tuple[int, ...], defaults: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {name: value for name, value in defaults.items() if parts >= SINCE.get(prefix + name, ())}

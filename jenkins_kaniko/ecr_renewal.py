"""A CronJob that writes a new token of Amazon ECR into a Secret before the old one is over. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jenkins_kaniko.buildjob import MANAGED
from jenkins_kaniko.registry_secret import LABEL

SCHEDULE = "17 */4 * * *"
"""A token is over after 12 hours: after a failed run the next one comes while the old token has 4 hours to go."""
LONGEST_NAME = 52
"""Of a CronJob: Kubernetes appends 11 characters to it for each Job."""
NOBODY = 65532
RENEWING = ("CronJob", "RoleBinding", "Role", "ServiceAccount")
"""The kinds of what is made for it; the first one begins everything else."""


def name_of(secret: str) -> str:
    """Return the name of all objects that are made for the renewal of a Secret."""
    return f"{secret}-renew"


@dataclass(frozen=True)
class Renewal:
    """Who renews what.

    Attributes:
        secret: the Secret that is renewed.
        image: has this command in its PATH.
        role: ARN of an AWS role that EKS gives the pod; none: `aws_secret` is a Secret with the AWS_… variables.
    """

    secret: str
    region: str
    image: str
    role: str | None = None
    aws_secret: str | None = None

    @property
    def name(self) -> str:
        """Of all objects that are made for it."""
        return name_of(self.secret)


def manifests(renewal: Renewal, namespace: str) -> Sequence[dict[str, Any]]:
    """Return what renews the Secret of a namespace: the right to read and change that Secret, and nothing else."""
    metadata = {"name": renewal.name, "namespace": namespace, "labels": MANAGED | {LABEL: renewal.secret}}
    role = {"eks.amazonaws.com/role-arn": renewal.role} if renewal.role else {}
    rbac = "rbac.authorization.k8s.io"
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": [renewal.secret], "verbs": ["get", "patch"]}
    account = {"kind": "ServiceAccount", "name": renewal.name, "namespace": namespace}
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {**metadata, "annotations": role}},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": metadata, "rules": [rule]},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": renewal.name},
            "subjects": [account],
        },
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": metadata,
            "spec": {
                "schedule": SCHEDULE,
                "concurrencyPolicy": "Forbid",
                "successfulJobsHistoryLimit": 1,
                "failedJobsHistoryLimit": 1,
                "jobTemplate": {"spec": _job(renewal, namespace)},
            },
        },
    )


def _job(renewal: Renewal, namespace: str) -> dict[str, Any]:
    command = ["jenkins-kaniko", "secret", "create", renewal.secret, "--ecr", renewal.region, "--namespace", namespace]
    source = {"envFrom": [{"secretRef": {"name": renewal.aws_secret}}]} if renewal.aws_secret else {}
    container = {
        "name": "renew",
        "image": renewal.image,
        "command": command,
        **source,
        "resources": {"requests": {"cpu": "50m", "memory": "96Mi"}, "limits": {"memory": "256Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    pod = {
        "serviceAccountName": renewal.name,
        "restartPolicy": "Never",
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "imagePullSecrets": [{"name": renewal.secret}],  # the image may be in the very registry
        "containers": [container],
    }
    return {"backoffLimit": 4, "activeDeadlineSeconds": 600, "template": {"spec": pod}}

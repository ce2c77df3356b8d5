"""A connection through the cluster's API server to a port of a pod, as `kubectl port-forward` makes it."""

from __future__ import annotations

import socket
from typing import Any

from kubernetes.client import ApiException
from kubernetes.stream import ws_client

from jenkins_kaniko.cluster_http import Connection
from jenkins_kaniko.errors import UnansweredError

PORT_FORWARD: Any = ws_client
PROTOCOL = "v4.channel.k8s.io"


def forwarded(connection: Connection, namespace: str, pod: str, port: int) -> socket.socket:
    """Return a connected socket; who closes it ends the connection.

    Raises:
        UnansweredError: the cluster does not connect, for which it gives no status.
    """
    url = connection.url(f"api/v1/namespaces/{namespace}/pods/{pod}/portforward")
    headers = {**connection.headers(), "sec-websocket-protocol": PROTOCOL}
    try:
        made = PORT_FORWARD.portforward_call(
            connection.configuration, "GET", url, query_params=[("ports", str(port))], headers=headers
        )
    except ApiException as error:
        raise UnansweredError(
            f"pod {namespace}/{pod}: no connection to port {port}: {error.reason}; "
            f"try: kubectl auth can-i create pods/portforward -n {namespace}"
        ) from None
    real: socket.socket = made.socket(port)._socket  # TLS takes no wrapped one
    return real

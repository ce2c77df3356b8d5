"""The form of jenkins-kaniko.yaml: its keys are the fields here, in camelCase as in Kubernetes.

These classes are the schema: the types say what is allowed, the descriptions serve `jenkins-kaniko schema` and the
reference in docs/configuration.md. What needs more than one key to judge is in config.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from jenkins_kaniko.fleetvalues import (
    UNIQUE,
    CaBundle,
    Cache,
    Json,
    Label,
    Minutes,
    Name,
    Natural,
    Positive,
    Proxy,
    Resources,
    SecretRef,
    Strict,
    Text,
    Texts,
    Values,
    WorkspaceVolume,
    key,
)

CACHE_FORM = Field(
    json_schema_extra={
        "type": ["boolean", "object", "null"],
        "properties": {"repo": {"type": "string"}, "ttl": {"type": "string"}, "copyLayers": {"type": "boolean"}},
        "additionalProperties": False,
    }
)
"""For editors; the values of a build's options are checked by engines.json."""

Property = Literal[
    "label", "namespace", "inheritFrom", "idleMinutes", "instanceCap", "slaveConnectTimeout", "activeDeadlineSeconds",
    "podRetention", "nodeUsageMode", "showRawYaml", "yamlMergeStrategy", "inheritYamlMergeStrategy",
    "workspaceVolume", "agentContainer", "agentInjection", "containers", "volumes", "envVars", "imagePullSecrets",
    "serviceAccount", "nodeSelector", "hostNetwork", "supplementalGroups", "runAsUser", "runAsGroup", "schedulerName",
    "terminationGracePeriodSeconds", "capOnlyOnAlivePods", "nodeProperties",
]  # fmt: skip
"""Of the plugin's PodTemplate, as `jenkins:` takes them (facts: jenkins-contract/properties.md)."""


class EnsureCloud(Strict):
    """A Kubernetes cloud that the configuration creates and manages; what it does not give is left as it is."""

    server_url: Text | None = key("the Kubernetes API server; default: the cluster that the controller runs in")
    server_certificate: Text | None = key("PEM text of the CA that signed the API server's certificate")
    skip_tls_verify: bool | None = key("do not verify that certificate")
    credentials_id: Text | None = key("Jenkins credentials for the API server; default: the service account")
    namespace: Text | None = key("where agent pods go whose template names no namespace")
    jenkins_url: Text | None = key("where agents reach Jenkins; default: its own URL")
    jenkins_tunnel: Text | None = key("HOST:PORT where agents reach its TCP port")
    web_socket: bool | None = key("agents connect by WebSocket instead of the TCP port")
    direct_connection: bool | None = key("agents connect to the TCP port without asking HTTP for it first")
    container_cap: Positive | None = key("at most so many agent pods of this cloud at a time")
    max_requests_per_host: Positive | None = key("at most so many requests to the API server at a time")
    connect_timeout_seconds: Positive | None = key("for connecting to the API server")
    read_timeout_seconds: Positive | None = key("for its answers")
    retention_timeout_minutes: Positive | None = key("how long a pod without an agent is kept")
    wait_for_pod_seconds: Positive | None = key("how long a pod may take to start")
    pod_retention: Literal["Never", "OnFailure", "Always"] | None = key("which pods stay after their build")
    pod_labels: dict[Text, str] | None = key("labels of all agent pods")
    restricted_pod_security: bool | None = key("puts what Pod Security *restricted* asks into containers that do "
                                               "not say otherwise; kubernetes plugin 3985 and later")  # fmt: skip
    usage_restricted: bool | None = key("only folders that name the cloud may use it")


class Sidecar(Strict):
    """How configuration-as-code in ConfigMaps gets onto a controller: the sidecar of Jenkins' Helm chart."""

    namespace: Text = Field(description="that the sidecar watches")
    label: Text = Field(description="name of the label that it looks for; the chart's is RELEASE-jenkins-config")
    config_map: Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$")] = Field(
        "jenkins-kaniko", description="the one that is written, and nothing else in the namespace"
    )
    reload_token: SecretRef | None = key("triggers the reload; default: the sidecar's own one is waited for")


class Controller(Strict):
    """A Jenkins controller and the cloud on it whose pod templates are managed."""

    url: Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/\S*)?$")] = Field(description="of Jenkins")
    user: Text = Field(description="a user with Overall/Administer, which the script console needs")
    token: SecretRef = Field(description="where an API token of that user is")
    ca: Text | None = key("PEM file of the CA that signed the controller's certificate; default: the system's")
    cloud: Text = Field("kubernetes", description="the Kubernetes cloud; it must exist unless `ensureCloud` makes it")
    ensure_cloud: EnsureCloud | None = key("creates and manages that cloud; `{}` makes one with the plugin's defaults")
    sidecar: Sidecar | None = key("for `--via configmap`, see the page on Helm")


class TemplateSettings(Strict):
    """The keys of one template, and of `defaults`; null leaves the choice to the default."""

    name: Text | None = key("its name in Jenkins; default: its key in this file")
    id: Text | None = key("its id in Jenkins; default: jenkins-kaniko-FLEET-NAME. Given, it also means the template "
                          "with that id which is there already, whoever made it")  # fmt: skip
    labels: Annotated[list[Label], *UNIQUE] | None = key("what pipelines ask for; default: its name; `[]`: none")
    controllers: Annotated[list[Name], *UNIQUE] | None = key("only these; default: all")
    namespace: Text | None = key("of the agent pods; default: the cloud's")
    idle_minutes: Natural | None = key("how long an agent stays for the next build; default: 0")
    instance_cap: Positive | None = key("at most so many agents at a time")
    connect_timeout_seconds: Positive | None = key("how long an agent may take to connect; default: the plugin's, "
                                                   "100 in 1.29, 1000 since 1.30")  # fmt: skip
    active_deadline_seconds: Positive | None = key("ends the pod after so long")
    pod_retention: Literal["Never", "OnFailure", "Always", "Default", "Evicted"] | None = key(
        "whether the pod stays after its build; Default: as the cloud says; Evicted: kubernetes plugin 4356 and later"
    )
    node_usage_mode: Literal["NORMAL", "EXCLUSIVE"] | None = key(
        "NORMAL: builds that ask for no label run on it too; default: EXCLUSIVE"
    )
    workspace_volume: WorkspaceVolume | None = key("what holds the workspace; default: `{emptyDir: {}}`")
    inherit_from: Text | None = key("names of templates whose values fill what this one leaves open")
    yaml_merge_strategy: Literal["Override", "Merge"] | None = key(
        "how the pod meets an inherited one: it replaces it, or is merged into it; default: Override"
    )
    inherit_yaml_merge_strategy: bool | None = key("take that from the inherited template; plugin 4199 and later")
    show_raw_yaml: bool | None = key("print the pod in every build's log; default: false")
    agent_container: Text | None = key("which container runs the agent; default: jnlp; plugin 4287 and later")
    agent_injection: bool | None = key("puts the agent into that container's image; plugin 4287 and later")
    annotations: Texts | None = key("of the agent pods")
    jenkins: dict[Property, Any] | None = key("further properties of the plugin's PodTemplate, see below")
    yaml_file: Text | None = key("a Pod of one's own, taken as it is; beside it stands no key that shapes a pod")
    engine: Literal["kaniko", "none"] | None = key("the builder; none: no pod is generated, as with `yamlFile`, but "
                                                   "without one; default: kaniko")  # fmt: skip
    image: Text | None = key("of the builder, with a shell; default: the packaged one")
    distribution: Text | None = key("whose fork that image is: its flags are judged by it")
    version: Text | None = key("the version of that image's engine")
    agent_image: Text | None = key("of the jnlp container; default: the plugin's own")
    registry_secret: Text | None = key("a kubernetes.io/dockerconfigjson Secret in the build namespace")
    profile: Literal["small", "medium", "large"] | None = key("resources of the builder by size; default: medium")
    resources: Resources | None = key("resources of the builder, laid on the profile")
    cache: Cache | None = key("the layer cache of builds")
    env: Texts | None = key("environment of the builder")
    proxy: Proxy | None = key("how builds reach the world")
    ca_bundle: CaBundle | None = key(
        "certificates that the builder trusts beside the system's when it talks to registries"
    )
    registry_mirrors: list[Text] | None = key("mirrors of Docker Hub, tried in this order before it")
    service_account: Text | None = key("of the pod; its token is not mounted")
    image_pull_secrets: list[Text] | None = key("Secrets for pulling the pod's own images")
    node_selector: Texts | None = key("labels of nodes that the pod may run on")
    tolerations: list[Json] | None = key("taints of nodes that the pod may run on, as in a Pod")
    affinity: Json | None = key("as in a Pod")
    host_users: bool | None = key("false: root in the pod is nobody on the node (user namespaces)")
    host_network: bool | None = key("the node's network instead of a network of its own")
    priority_class: Text | None = key("priorityClassName of the pod")
    scheduler_name: Text | None = key("of the pod")
    termination_grace_period_seconds: Natural | None = key("how long the pod may take to end; default: 5")
    containers: list[Json] | None = key("further containers, as in a Pod; one of the builder's name is laid on it")
    volumes: list[Json] | None = key("further volumes, as in a Pod")
    pod: Json | None = key("any fields of the Pod, merged last")

    @model_validator(mode="after")
    def _one_pod(self) -> TemplateSettings:
        if not self.generates:
            given = {name for name in GENERATING if getattr(self, name) is not None}
            given -= set() if self.yaml_file else {"engine"}
            if given:
                keys = ", ".join(sorted(to_camel(name) for name in given))
                cause = "yamlFile is the whole pod" if self.yaml_file else "engine none generates no pod"
                raise PydanticCustomError(
                    "two_pods", "{cause}; beside it there is no {keys}", {"cause": cause, "keys": keys}
                )
        return self

    @property
    def generates(self) -> bool:
        """Whether the pod is made of these keys; otherwise it is one's own, or there is none."""
        return self.yaml_file is None and self.engine != "none"


NOT_GENERATING = frozenset(list(TemplateSettings.model_fields)[: list(TemplateSettings.model_fields).index("engine")])
GENERATING = frozenset(TemplateSettings.model_fields) - NOT_GENERATING
"""The keys that shape the generated pod: `engine` and all that follow it."""


class Build(Strict):
    """An image that `jenkins-kaniko build --all` builds; the keys are options of kanikoBuild()."""

    image: Text = Field(description="repository to push to, or repository:tag")
    tags: list[Text] | None = key("further tags; without any tag, `latest`")
    context: Text | None = key("a folder or archive, relative to the main file, or a URL as `build` takes it; "
                               "default: the folder of the main file")  # fmt: skip
    dockerfile: Text | None = key("path below the context; default: Dockerfile")
    target: Text | None = key("stage of the Dockerfile to build; default: the last one")
    build_args: Values | None = key("values of ARG lines by name; the image's history shows them: no secrets")
    labels: Values | None = key("labels of the image")
    annotations: Values | None = key("annotations of the image's manifest")
    env: dict[Text, str] | None = key("environment variables of the builder")
    cache: Annotated[Any, CACHE_FORM] = key("false, true, or a mapping of `repo`, `ttl`, `copyLayers`; default: true")
    platforms: list[Text] | None = key("platform of the base images, one, such as linux/arm64; default: the node's")
    retries: Natural | None = key("how often what can pass is tried again; default: 2")
    timeout_minutes: Minutes | None = key("how long the build may take; default: 60")
    agent_timeout_minutes: Minutes | None = key("how long its pod may take to start; default: 10")
    extra_args: list[Text] | None = key("further flags of the builder")


class FleetPart(Strict):
    """The configuration of a fleet, or a part of it that another file includes."""

    fleet: Name | None = key("owner mark of everything that the file manages; needed in the main file, unless it has "
                             "only `builds`")  # fmt: skip
    include: list[Text] = Field([], description="files that are laid below this one; relative to the main file")
    defaults: TemplateSettings = Field(TemplateSettings(), description="laid under every template")
    controllers: dict[Name, Controller] = Field({}, description="by a name of your choice")
    templates: dict[Name, TemplateSettings] = Field({}, description="by name")
    builds: dict[Name, Build] = Field({}, description="what `jenkins-kaniko build --all` builds, by name")

"""The main job end to end on real parts, with what each step shows.

A template goes to a controller by `jenkins-kaniko sync`, Jenkinsfile.example runs on an agent pod made from it,
and the image that it pushed is started by its digest. `make demo` runs this.

LAB=off uses the cluster of KUBECONFIG instead of the lab, with REGISTRY (required), NAMESPACE, REGISTRY_SECRET,
KANIKO_IMAGE (and KANIKO_DISTRIBUTION, KANIKO_VERSION), REGISTRY_CA_CONFIGMAP (key ca.crt) and KANIKO_REGISTRY_MIRROR
from the environment. The controller is the stand-in of the tests in both cases.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.pipeline import run_pipeline
from tests.support.standin import StandIn

ROOT = Path(__file__).resolve().parent.parent.parent
COMMAND = Path(sys.executable).parent / "jenkins-kaniko"
POD = "jenkins-kaniko-demo"
APP_PORT = 5000
START = time.monotonic()


class DemoError(Exception):
    """A step did not show what it should; the text says which and what to look at."""


def main() -> None:
    lab = os.environ.get("LAB") != "off"
    if lab and os.geteuid() != 0:
        raise DemoError("the lab needs root: run `sudo make demo`, or LAB=off with your own cluster (README)")
    started = lab and start_lab()
    try:
        settings = lab_settings() if lab else own_settings(os.environ)
        with tempfile.TemporaryDirectory() as folder:
            demo(settings, Path(folder))
    finally:
        if started and not os.environ.get("KEEP"):
            stage("stop the lab (KEEP=1 leaves it running, and the next demo starts at once)")
            subprocess.run([ROOT / "lab" / "down"], check=False)
    stage("done")


def demo(settings: Mapping[str, str], folder: Path) -> None:
    environment = {**os.environ, "KUBECONFIG": settings["KUBECONFIG"]}
    stage("start a controller with an empty cloud (a stand-in: it runs the program that sync sends)")
    with StandIn(folder / "controller", clouds=["kubernetes"]) as controller:
        config = folder / "jenkins-kaniko.yaml"
        config.write_text(json.dumps(configuration(settings, controller.url, controller.admin.name), indent=2))
        environment["JENKINS_TOKEN"] = controller.admin.token
        stage("jenkins-kaniko plan, sync, plan: the agent pod template")
        for command, code in (("plan", 2), ("sync", 0), ("plan", 0)):
            command_line([COMMAND, command, "--config", config], environment, code)
        stage("run Jenkinsfile.example: kanikoBuild() in an agent pod made from that template")
        reference = build(settings, controller.home)
    stage(f"start the pushed image by its digest: {reference}")
    with running_app(reference, settings, environment) as port:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10).read().decode()
    print(f"the app answers: {answer.strip()}", flush=True)


def build(settings: Mapping[str, str], home: Path) -> str:
    result = run_pipeline(
        ROOT / "Jenkinsfile.example",
        home,
        library=ROOT,
        scm=ROOT,
        env={"REGISTRY": settings["REGISTRY"]},
        kubeconfig=Path(settings["KUBECONFIG"]),
        on_line=lambda line: print(f"  | {line}", flush=True),
    )
    pushed = re.search(r"^pushed (\S+@sha256:[0-9a-f]{64})$", result.log, re.MULTILINE)
    if result.result != "SUCCESS" or not pushed:
        raise DemoError(f"the pipeline ended with {result.result}; its log is above")
    return pushed[1]


def configuration(settings: Mapping[str, str], url: str, user: str) -> dict[str, Any]:
    """What a platform engineer writes; as JSON, which is YAML too."""
    template: dict[str, Any] = {"labels": ["kaniko"]}
    if "KANIKO_IMAGE" in settings:
        template["image"] = settings["KANIKO_IMAGE"]
    if "KANIKO_DISTRIBUTION" in settings:
        template["distribution"], template["version"] = settings["KANIKO_DISTRIBUTION"], settings["KANIKO_VERSION"]
    if "REGISTRY_CA_CONFIGMAP" in settings:
        template["caBundle"] = {"configMap": settings["REGISTRY_CA_CONFIGMAP"]}
    if "KANIKO_REGISTRY_MIRROR" in settings:
        template["registryMirrors"] = settings["KANIKO_REGISTRY_MIRROR"].split(",")
    return {
        "fleet": "demo",
        "defaults": {"namespace": settings["NAMESPACE"], "registrySecret": settings["REGISTRY_SECRET"]},
        "controllers": {"main": {"url": url, "user": user, "token": {"env": "JENKINS_TOKEN"}}},
        "templates": {"kaniko": template},
    }


@contextmanager
def running_app(reference: str, settings: Mapping[str, str], environment: Mapping[str, str]) -> Iterator[int]:
    """Run the image in a pod and yield a port of this machine that leads to it."""
    kubectl = [settings["KUBECTL"], "--namespace", settings["NAMESPACE"]]
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": POD},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "imagePullSecrets": [{"name": settings["REGISTRY_SECRET"]}],
            "containers": [
                {
                    "name": "app",
                    "image": reference,
                    "readinessProbe": {"httpGet": {"path": "/", "port": APP_PORT}, "periodSeconds": 1},
                }
            ],
        },
    }
    delete = [*kubectl, "delete", "pod", POD, "--ignore-not-found", "--wait"]
    command_line(delete, environment, show=False)
    try:
        command_line([*kubectl, "create", "-f", "-"], environment, stdin=json.dumps(pod))
        ready = [*kubectl, "wait", f"pod/{POD}", "--for=condition=Ready", "--timeout=120s"]
        try:
            command_line(ready, environment)
        except DemoError:
            command_line([*kubectl, "describe", "pod", POD], environment)
            raise
        with port_forward(kubectl, environment) as port:
            yield port
    finally:
        command_line(delete, environment, show=False)


@contextmanager
def port_forward(kubectl: list[str], environment: Mapping[str, str]) -> Iterator[int]:
    argv = [*kubectl, "port-forward", f"pod/{POD}", f":{APP_PORT}", "--address", "127.0.0.1"]
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+) ->", process.stdout.readline())
        if not found:
            raise DemoError("kubectl port-forward did not start; its message is above")
        yield int(found[1])
    finally:
        process.terminate()
        process.wait()


def start_lab() -> bool:
    """Return whether it was this call that started it: who starts it stops it."""
    if subprocess.run([ROOT / "lab" / "status"], capture_output=True, check=False).returncode == 0:
        return False
    stage("start the lab: Kubernetes, registries and Kaniko on this machine")
    if subprocess.run([ROOT / "lab" / "up"], check=False).returncode != 0:
        raise DemoError("the lab did not start; the reason is above")
    return True


def lab_settings() -> dict[str, str]:
    printed = subprocess.run([ROOT / "lab" / "env", "--json"], capture_output=True, check=True).stdout
    lab: dict[str, str] = json.loads(printed)
    return {
        "KUBECONFIG": lab["KUBECONFIG"],
        "KUBECTL": f"{lab['LAB_BIN']}/kubectl",
        "REGISTRY": lab["LAB_REGISTRY"],
        "NAMESPACE": lab["LAB_NAMESPACE"],
        "REGISTRY_SECRET": "docker-config",
        "KANIKO_IMAGE": lab["LAB_KANIKO_IMAGE"],
        "KANIKO_DISTRIBUTION": "chainguard",
        "KANIKO_VERSION": lab["LAB_KANIKO_IMAGE"].rpartition(":v")[2].removesuffix("-debug"),
        "REGISTRY_CA_CONFIGMAP": "lab-ca",
        "KANIKO_REGISTRY_MIRROR": lab["LAB_REGISTRY"],
    }


def own_settings(environment: Mapping[str, str]) -> dict[str, str]:
    missing = [name for name in ("KUBECONFIG", "REGISTRY") if not environment.get(name)]
    if missing:
        raise DemoError(f"LAB=off needs {' and '.join(missing)} in the environment")
    defaults = {"KUBECTL": "kubectl", "NAMESPACE": "default", "REGISTRY_SECRET": "docker-config"}
    builder = ("KANIKO_IMAGE", "KANIKO_DISTRIBUTION", "KANIKO_VERSION")
    names = ("KUBECONFIG", "REGISTRY", *builder, "REGISTRY_CA_CONFIGMAP", "KANIKO_REGISTRY_MIRROR", *defaults)
    return defaults | {name: environment[name] for name in names if environment.get(name)}


def command_line(
    argv: list[Any], environment: Mapping[str, str], code: int = 0, stdin: str | None = None, show: bool = True
) -> None:
    words = [str(word) for word in argv]
    if show:
        print(f"  $ {Path(words[0]).name} {' '.join(words[1:])}", flush=True)
    done = subprocess.run(
        words, env=environment, input=stdin, text=True, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    if show or done.returncode != code:
        print("".join(f"  | {line}\n" for line in done.stdout.splitlines()), end="", flush=True)
    if done.returncode != code:
        raise DemoError(f"{Path(words[0]).name} {words[1]} ended with {done.returncode}, not {code}")


def stage(text: str) -> None:
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


def guarded(run: Callable[[], None]) -> None:
    try:
        run()
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        sys.exit(130)

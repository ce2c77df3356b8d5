"""`lab/up`: from nothing, or from the remains of anything, to a cluster in which pods run.

What does not depend on each other starts at the same time. The order that remains: etcd, API server, everything
that talks to it; containerd, images, kubelet.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lablib import (
    binaries,
    configs,
    credentials,
    images,
    mirrors,
    network,
    node,
    packages,
    parts,
    record,
    rootfs,
    stop,
)
from lablib.cluster import Cluster
from lablib.parts import Part
from lablib.record import Record
from lablib.run import LabError, run_logged, say, stage, tail, together, wait_for
from lablib.settings import MARK, Settings


def up(settings: Settings) -> None:
    """Start the lab, unless it runs."""
    with record.lock():
        found = record.load()
        if found and found.live():
            owner = Path(found.folder)
            if owner != settings.folder:
                raise LabError(f"a lab of {owner} is running: use it, or run {owner}/lab/down")
            if len(found.running()) == len(found.processes):
                say("the lab is already up")
                return
            say("parts of the lab have ended: starting it anew")
        start = time.monotonic()
        stop.clean(settings, found)
        try:
            with node.returning():
                _Starter(settings, Record(str(settings.folder))).start()
        except BaseException:
            stop.clean(settings, record.load())
            raise
        say(f"{'the lab is up':<34} {time.monotonic() - start:6.1f} s")


def restart(settings: Settings, name: str, seconds: float) -> None:
    """Kill a part of the running lab, and start it again after some seconds."""
    with record.lock():
        found = record.load()
        if not (found and found.live() and Path(found.folder) == settings.folder):
            raise LabError("no lab of this folder is running: start one with lab/up")
        others = [one for one in found.running() if one != name]
        if name not in found.processes or not others:
            raise LabError(f"no part {name!r}: there are {', '.join(found.processes)}")
        node.join(found.processes[others[0]][0])
        if found.alive(name):
            os.kill(found.processes[name][0], signal.SIGKILL)
        time.sleep(seconds)
        _Starter(settings, found).start_again(name)


class _Starter:
    """One start: its settings, and the record of what it has made so far."""

    def __init__(self, settings: Settings, made: Record) -> None:
        self._settings = settings
        self._record = made
        self._parts: dict[str, Part] = {}

    def start(self) -> None:
        settings = self._settings
        settings.state.mkdir(exist_ok=True)
        (settings.state / ".gitignore").write_text("*\n")
        shutil.rmtree(settings.logs, ignore_errors=True)
        settings.logs.mkdir()
        packages.install(settings)
        self._prepare()
        with stage("node and network"):
            self._make_node()
        self._parts = parts.every(settings, self._record.cached)
        together(self._control_plane, self._runtime, self._services)
        with stage("node ready"):
            self._finish()
        self._record.ready = True
        self._record.save()

    def start_again(self, name: str) -> None:
        """Start a part that ended, and wait until it is ready."""
        self._parts = parts.every(self._settings, self._record.cached)
        self._run(name)

    def _prepare(self) -> None:
        """Fill the cache. Compiling and debootstrap go on at the same time: one computes, the other downloads."""
        settings = self._settings
        folders: dict[str, Path] = {}

        def compile_all() -> None:
            for family in settings.pinned["goFamilies"]:
                folders[family] = binaries.folder(family, settings)

        def download() -> None:
            folders["pypi"] = mirrors.wheels(settings)
            folders["rootfs"] = rootfs.layer(settings)

        together(compile_all, download)
        folders["images"] = images.prepared(settings, folders["rootfs"], folders["kaniko"], folders["registry"])
        self._record.cached = {name: str(path) for name, path in folders.items()}

    def _make_node(self) -> None:
        """Everything that outlives processes; the record says beforehand how it was."""
        network.refuse_other_nodes()
        self._record.kernel = node.kernel_settings()
        self._record.made = node.missing_places()
        self._record.save()
        node.enter(self._settings)
        node.make_cgroups()
        network.create(self._settings)
        credentials.make(self._settings)
        configs.write(self._settings)

    def _control_plane(self) -> None:
        with stage("etcd, API server"):
            self._run("etcd")
            self._run("kube-apiserver")
        with stage("controllers, DNS, namespace"):
            names = ("kube-controller-manager", "kube-scheduler", "coredns")
            runs = [lambda name=name: self._run(name) for name in names]
            together(Cluster(self._settings).furnish, self._node, *runs)

    def _node(self) -> None:
        wait_for("containerd", self._parts["containerd"].ready, self._log("containerd"))
        self._run("kubelet")
        self._run("kube-proxy")  # looks for the node's address, and waits long when there is no node yet

    def _runtime(self) -> None:
        with stage("containerd, images"):
            self._run("containerd")
            archive = f"{self._record.cached['images']}/images.tar"
            run_logged("images", ["ctr", "--namespace", "k8s.io", "images", "import", archive], self._log("images"))

    def _services(self) -> None:
        with stage("registries, package index"):
            cached = self._record.cached
            storage = configs.registry_storage(self._settings, "registry")
            mirrors.seed_registry(self._settings, Path(cached["rootfs"]), Path(cached["images"]), storage)
            together(*(lambda name=name: self._run(name) for name in ("registry", "plain-registry", "pypi")))

    def _finish(self) -> None:
        cluster = Cluster(self._settings)
        wait_for("the node", cluster.usable, self._log("kubelet"))

    def _run(self, name: str) -> None:
        """Start a part and wait until it is ready."""
        part, log = self._parts[name], self._log(name)
        with log.open("ab") as out:
            process = subprocess.Popen(
                part.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, MARK: str(self._settings.folder)},
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; we stop the parts
            )
        self._record.add(name, process.pid)

        def ready() -> bool:
            if process.poll() is not None:
                raise LabError(f"{name} ended with {process.returncode}{tail(log)}")
            return part.ready()

        wait_for(name, ready, log)

    def _log(self, name: str) -> Path:
        return self._settings.logs / f"{name}.log"

"""kanikoBuild() while the registry has failures or is slow, and while somebody stops it."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest

from jenkins_kaniko import resources
from tests.lab.conftest import ROOT, Lab, synced_home
from tests.support.pipeline import PipelineResult, start_pipeline
from tests.support.registry import Registry
from tests.support.registry_proxy import RegistryProxy
from tests.support.repository import committed

pytestmark = [pytest.mark.jvm, pytest.mark.lab]

ENTRIES = {entry["name"]: entry for entry in resources.diagnoses()}
PIPELINES = ROOT / "tests" / "fixtures" / "pipeline" / "builds"
BASE = 'FROM scratch\nCOPY busybox /bin/\nSHELL ["/bin/busybox", "sh", "-c"]\n'
LEFT = "find / -xdev -name 'leak*'; for p in /proc/[0-9]*; do grep -q zombie $p/status || cat $p/comm; done"
SOURCE = {
    "large/Dockerfile": "FROM scratch\nCOPY large /large\n",
    "slow/Dockerfile": f"{BASE}RUN busybox mkdir /srv && echo x >/srv/leak && echo it runs now && busybox sleep 1000\n",
    "look/Dockerfile": f"{BASE}RUN busybox --install -s /bin && ({LEFT}) >/seen 2>/dev/null || true\n",
}
LARGE = os.urandom(3_000_000)


@pytest.fixture
def repository() -> str:
    """A new one: the registry outlives a run of the tests."""
    return f"where/proxied-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("source")
    for name in ("large", "slow", "look"):
        (folder / name).mkdir()
        shutil.copy("/bin/busybox", folder / name)
    (folder / "large" / "large").write_bytes(LARGE)
    return committed(folder, SOURCE)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synced_home(tmp_path_factory.mktemp("fleet"))


@pytest.fixture(scope="module")
def plain(lab: Lab) -> Registry:
    return Registry(lab.settings["LAB_PLAIN_REGISTRY_ADDRESS"])


@pytest.fixture
def run(lab: Lab, home: Path, source: Path, repository: str) -> Callable[..., PipelineResult]:
    def command(name: str, proxy: RegistryProxy | None = None, abort_at: str = "") -> PipelineResult:
        """Run to the end; abort the build at a line that begins so."""
        arguments = ["--home", str(home), "--job", name, "--library", f"jenkins-kaniko={ROOT}", "--scm", str(source)]
        arguments += ["--env", f"REGISTRY={lab.settings['LAB_REGISTRY']}", "--env", f"REPOSITORY={repository}"]
        arguments += ["--env", f"PROXY={proxy.address}"] if proxy else []
        log = ""
        with start_pipeline([*arguments, str(PIPELINES / f"{name}.jenkinsfile")], lab.kubeconfig) as process:
            assert process.stdout is not None
            for line in process.stdout:
                log += line
                if abort_at and re.match(abort_at, line):
                    process.send_signal(signal.SIGTERM)
                    abort_at = ""
        return PipelineResult(log, log.rstrip().rpartition("Finished: ")[2], process.returncode)

    return command


def test_a_registry_may_be_away_for_a_while(
    run: Callable[..., PipelineResult], plain: Registry, repository: str
) -> None:
    with RegistryProxy(plain.address, away=20) as proxy:
        result = run("proxied", proxy)
    assert (result.result, proxy.refused > 0) == ("SUCCESS", True), result.log
    image = f"{proxy.address}/{repository}"
    cause = ENTRIES["registry-failure"]["cause"].replace("{1}", "503 Service Unavailable")
    assert f"kanikoBuild: {image}: {cause}; attempt 2 of 3 in 5 s\n" in result.log
    assert f"pushed: {image}@{plain.manifest(repository, '1')[0]}\n" in result.log


def test_a_registry_may_cut_connections(run: Callable[..., PipelineResult], plain: Registry, repository: str) -> None:
    with RegistryProxy(plain.address, cut_every=3) as proxy:
        result = run("proxied", proxy)
    assert (result.result, proxy.cut > 0) == ("SUCCESS", True), result.log
    digest, _ = plain.manifest(repository, "2")
    assert f"pushed: {proxy.address}/{repository}@{digest}\n" in result.log
    assert plain.files(repository, "2")["/large"] == LARGE


def is_whole(registry: Registry, repository: str, tag: str) -> bool:
    """Return whether a tag has all its layers; False if it is absent."""
    try:
        registry.manifest(repository, tag)
    except HTTPError as error:
        if error.code != 404:
            raise
        return False
    assert registry.files(repository, tag) == {"/large": LARGE}
    return True


def test_an_abort_while_the_first_tag_is_pushed(
    run: Callable[..., PipelineResult], plain: Registry, repository: str
) -> None:
    with RegistryProxy(plain.address, pause=0.1) as proxy:
        result = run("proxied", proxy, r"INFO\S+ Pushing image to ")
    assert result.result == "ABORTED", result.log
    assert (is_whole(plain, repository, "1"), is_whole(plain, repository, "2")) == (False, False), result.log


def test_an_abort_while_the_second_tag_is_pushed(
    run: Callable[..., PipelineResult], plain: Registry, repository: str
) -> None:
    with RegistryProxy(plain.address, pause=0.1) as proxy:
        result = run("proxied", proxy, r"INFO\S+ Pushed ")
    assert result.result == "ABORTED", result.log
    assert is_whole(plain, repository, "1"), result.log
    is_whole(plain, repository, "2")  # its layers were there already, so it may have come in time


def test_after_an_abort_in_a_node_the_next_build_there_finds_nothing(
    run: Callable[..., PipelineResult], registry: Registry
) -> None:
    result = run("aborted", abort_at="it runs now")
    assert result.result == "ABORTED", result.log
    assert re.search("^left running: 0$", result.log, re.MULTILINE), result.log
    seen = registry.files("where/after-abort", "1")["/seen"].decode().splitlines()
    assert [line for line in seen if "leak" in line] == []
    assert seen.count("sleep") == 1  # what keeps the builder alive; no other is left
    with pytest.raises(HTTPError, match="404"):
        registry.manifest("where/aborted", "1")

"""Build contexts that are hard to bring into a pod: large ones, many files, odd names, files that change meanwhile."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.lab.building import SHELL, Builds, Run, write
from tests.lab.disturbing import reads, started, wait_until, write_large
from tests.support.registry import Registry

pytestmark = pytest.mark.lab

ODD_NAMES = [
    "two\nlines",
    os.fsdecode(b"not utf-8 \xff\xfe\x80"),
    "-rf",
    " blanks  at both ends ",
    "'quoted\" $HOME `id` *?[a] \\ \t",
    "#!comment",
    "n" * 255,
    "ä" * 127,
]
MOST_MEMORY_MB = 50


def peak_mb(builds: Builds, folder: Path, *command: str) -> float:
    """Return how much memory the command takes at most; a child's ru_maxrss would begin with that of this process."""
    peak = 0
    with started(builds, folder, *command) as process:
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if "VmHWM:" in status:  # it is not there any more when the process just ended
                peak = int(status.split("VmHWM:")[1].split()[0])
            time.sleep(0.05)
        _, said = process.communicate()
    assert process.returncode == 0, said
    return peak / 1024


def test_memory_does_not_grow_with_the_context(builds: Builds, image: str, registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, "FROM scratch\nCOPY small /\n")
    (tmp_path / "small").write_bytes(b"small" * 2000)
    little = peak_mb(builds, tmp_path, ".", "-t", f"{image}:little")
    with (tmp_path / "huge").open("wb") as huge:
        piece = os.urandom(1 << 20)
        for _ in range(512):
            huge.write(piece)
    much = peak_mb(builds, tmp_path, ".", "-t", f"{image}:much")
    assert much - little < MOST_MEMORY_MB
    assert registry.files("build/app", "much") == {"/small": b"small" * 2000}
    assert builds.left() == []


def test_a_hundred_thousand_files_arrive(builds: Builds, image: str, registry: Registry, tmp_path: Path) -> None:
    write(tmp_path, f"{SHELL}COPY files /files\nRUN find /files -type f | wc -l >/count\n")
    for number in range(100_000):
        folder = tmp_path / "files" / f"{number // 10_000}" / f"{number // 100}"
        if number % 100 == 0:
            folder.mkdir(parents=True)
        (folder / f"{number}").write_text(f"{number}")
    once = ["--no-cache", "--extra-arg=--single-snapshot"]  # of so many files another one takes a minute
    with started(builds, tmp_path, ".", "-t", f"{image}:many", *once) as process:
        _, said = process.communicate(timeout=550)
    assert process.returncode == 0, said
    found = registry.files("build/app", "many")
    assert (found["/count"], found["/files/9/999/99999"]) == (b"100000\n", b"99999")
    assert builds.left() == []


@pytest.mark.parametrize("size", [0, 2_000_000], ids=["in a ConfigMap", "streamed"])
def test_odd_names_arrive_as_they_are(
    run: Run, builds: Builds, image: str, registry: Registry, tmp_path: Path, size: int
) -> None:
    write(tmp_path, "FROM scratch\nCOPY odd /odd\n")
    files = {f"odd/{name}": name for name in ODD_NAMES} | {f"odd/in {name[:99]}/{name}": name for name in ODD_NAMES}
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(os.fsencode(content))
    (tmp_path / "more").write_bytes(os.urandom(size))
    done = run(".", "-t", f"{image}:odd-{size}", "-v")
    assert done.returncode == 0, done.stderr
    assert ("in a ConfigMap" in done.stderr) == (size == 0)
    found = registry.files("build/app", f"odd-{size}")
    assert found == {f"/{path}": os.fsencode(content) for path, content in files.items()}
    assert builds.left() == []


@pytest.mark.parametrize("size", [0, 2_000_000], ids=["in a ConfigMap", "streamed"])
def test_a_tree_comes_by_stdin_with_links_that_lead_anywhere(
    builds: Builds, image: str, registry: Registry, tmp_path: Path, size: int
) -> None:
    write(tmp_path, "FROM scratch\nCOPY app /app\n")
    (tmp_path / "app").mkdir()
    links = {"out": "/usr/bin/python3", "up": "../../../..", "in": "text"}
    for name, target in links.items():
        (tmp_path / "app" / name).symlink_to(target)
    (tmp_path / "app" / "text").write_text("found\n")
    (tmp_path / "more").write_bytes(os.urandom(size))
    build = builds.command("-", "-t", f"{image}:stdin-{size}", "-v")
    with subprocess.Popen(["tar", "-c", "."], cwd=tmp_path, stdout=subprocess.PIPE) as tar:
        done = subprocess.run(
            build, stdin=tar.stdout, env=builds.environment(), capture_output=True, text=True, timeout=120, check=False
        )
    assert done.returncode == 0, done.stderr
    assert ("in a ConfigMap" in done.stderr) == (size == 0)
    assert registry.links("build/app", f"stdin-{size}") == {f"/app/{name}": target for name, target in links.items()}
    assert registry.files("build/app", f"stdin-{size}") == {"/app/text": b"found\n"}
    assert builds.left() == []


def grows(folder: Path) -> None:
    with (folder / "zeros").open("ab") as file:
        file.write(b"more")


def shrinks(folder: Path) -> None:
    os.truncate(folder / "zeros", 1000)


def loses_the_next_one(folder: Path) -> None:
    (folder / "zzz").unlink()


CHANGED = "./zeros: changed while it was read; build again when nobody writes to it, or leave it out by .dockerignore"
GONE = "./zzz: cannot be read: No such file or directory; mend that, or leave it out by .dockerignore"


@pytest.mark.parametrize(("change", "says"), [(grows, CHANGED), (shrinks, CHANGED), (loses_the_next_one, GONE)])
def test_a_context_that_changes_while_it_is_sent_is_not_built(
    builds: Builds, image: str, registry: Registry, tmp_path: Path, change: Callable[[Path], None], says: str
) -> None:
    write(tmp_path, "FROM scratch\nCOPY . /\n")
    being_read = write_large(tmp_path)
    (tmp_path / "zzz").touch()
    tag = change.__name__
    with started(builds, tmp_path, ".", "-t", f"{image}:{tag}") as process:
        wait_until(lambda: reads(process, being_read))
        change(tmp_path)
        output, said = process.communicate(timeout=120)
    assert (process.returncode, output, said.splitlines()[-1]) == (1, "", f"jenkins-kaniko: {says}")
    with pytest.raises(HTTPError, match="404"):
        registry.manifest("build/app", tag)
    assert builds.left() == []

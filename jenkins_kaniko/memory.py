"""How much memory a builder used: a small program around it measures, and what it tells becomes advice. Pure.

The kernel's own peak (memory.max_usage_in_bytes, memory.peak) counts the page cache too, and reaches the limit in every
build that writes more than that. What cannot be taken back is anonymous and shared memory; it has no peak of its own,
so it is looked at twice a second, which costs 2 ms each time (measured). Shorter peaks are missed, and shorter builds.
"""

from __future__ import annotations

import re
from typing import Any

from jenkins_kaniko.templates import PROFILES

PEAK_FILE = "/kaniko/peak-memory"
"""In the engine's own folder, which is left out of images and stays when the file system is cleared."""
MEASURE = f"""stat=/sys/fs/cgroup/memory/memory.stat # of version 1
[ -r $stat ] || stat=/sys/fs/cgroup/memory.stat
look() {{
    now=0
    while read -r key bytes; do
        case $key in rss | anon | shmem) now=$((now + bytes)) ;; esac
    done <$stat
    [ $now -le $peak ] || {{ peak=$now && echo $peak >{PEAK_FILE}; }}
}}
peak=0
while SLEEP 0.5 && look; do :; done 2>/dev/null &
"$0" "$@"
code=$?
kill $! 2>/dev/null
read -r peak 2>/dev/null <{PEAK_FILE} && printf '\\nmemory=%s' $peak >>/dev/termination-log
exit $code
"""
"""Runs the engine, and writes its peak of memory below what it left as the container's termination message.

Only what the shell itself has is used once the engine ended: the image that was built is all around by then.
"""
TOLD = re.compile(r"\n?memory=(\d{1,18})\s*\Z")
GIB = 1 << 30
LARGER = {"small": "medium", "medium": "large"}
NEAR = 0.9
DEFAULT_PROFILE = "medium"


def measuring(shell: str, executor: str) -> list[str]:
    """Return the command that runs the engine with the container's arguments, keeps its exit code, and measures it.

    Args:
        shell: absolute path of busybox' in the image; its sleep is beside it.
        executor: absolute path of the engine.
    """
    return [shell, "-c", MEASURE.replace("SLEEP", f"{shell.rpartition('/')[0]}/sleep"), executor]


def split(message: str) -> tuple[str, int | None]:
    """Return what the engine itself left as termination message, and its peak of memory where it was measured."""
    found = TOLD.search(message)
    return (message[: found.start()], int(found[1])) if found else (message, None)


def said(peak: int, profile: str) -> str:
    """Return a line on the peak of memory, with advice where another profile fits better."""
    limit = limit_of(profile)
    line = f"peak memory {peak >> 20} MiB of {limit >> 20} MiB"
    larger = LARGER.get(profile)
    if peak >= NEAR * limit:
        return f"{line}; that is close to the end: --profile {larger}" if larger else f"{line}; no profile has more"
    if profile not in ("small", DEFAULT_PROFILE) and 2 * peak <= limit_of(DEFAULT_PROFILE):
        return f"{line}; half of --profile {DEFAULT_PROFILE} is enough"
    return line


def limit_of(profile: str) -> int:
    """Return how many bytes of memory a profile allows."""
    limits: Any = PROFILES[profile]["limits"]
    return int(limits["memory"].removesuffix("Gi")) * GIB

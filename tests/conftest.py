"""What all tests share: nothing of the person's environment reaches them, and property tests are quick.

HYPOTHESIS_PROFILE=thorough searches longer; CI=true searches the same each time.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

settings.register_profile("quick", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.register_profile("thorough", deadline=None, max_examples=2000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") == "true" else "quick"))

PERSONAL = ("JENKINS_KANIKO_CONFIG", "JENKINS_API_EXTRA_HEADERS", "PYTHONHTTPSVERIFY", "FORCE_COLOR", "NO_COLOR")


@pytest.fixture(autouse=True)
def _impersonal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what a person's shell may set and would change results."""
    for name in PERSONAL:
        monkeypatch.delenv(name, raising=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Fast ones first, then those that need a JVM, then the lab, and what breaks the lab at the very end.

    Several workers begin with the lab, whose tests wait most; the fast ones fill their last gaps.
    """
    beside_others = hasattr(config, "workerinput")

    def place(item: pytest.Item) -> list[bool]:
        return [(item.get_closest_marker(name) is not None) != beside_others for name in ("last", "lab", "jvm")]

    items.sort(key=place)

"""What `doctor` does: runs checks one after the other, and collects what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial

from jenkins_kaniko import (
    checks_agents,
    checks_cluster,
    checks_installed,
    checks_jenkins,
    checks_push,
    checks_registry,
)
from jenkins_kaniko.attempt import Door
from jenkins_kaniko.checks_cluster import NOT_CHECKED
from jenkins_kaniko.checks_jenkins import Way
from jenkins_kaniko.errors import DeniedError, UnansweredError, UnreachableError
from jenkins_kaniko.findings import ERROR, SEVERITIES, Check, Finding, HopelessError, Kind, Place

KINDS: tuple[Kind, ...] = (
    *checks_cluster.KINDS,
    *checks_registry.KINDS,
    *checks_installed.KINDS,
    *checks_push.KINDS,
    *checks_jenkins.KINDS,
    *checks_agents.KINDS,
)
"""Beside them a trial push finds what diagnoses.json lists, by the names there."""


def examine(place: Place, door: Door, *, build: bool = False) -> list[Finding]:
    """Return what is wrong with a place where builds run.

    A trial comes last, and only where nothing is known to be in its way: it would find the same again.

    Args:
        door: for the trial.
        build: try by making and pushing an image, where one is named.
    """
    checks = [*checks_cluster.CHECKS, *checks_registry.CHECKS, *checks_installed.CHECKS]
    found = [checks_installed.mendable(place, one) for one in _found(place, checks)]
    if not has_errors(found):
        found += _found(place, [_trial(place.image, door, build=build)])
    return found


def examine_ways(places: Sequence[Place], ways: Sequence[Way], door: Callable[[str], Door]) -> list[Finding]:
    """Return which controllers agents do not reach; each address is tried once from each namespace.

    Args:
        door: to a namespace.
    """
    namespaces = {place.namespace: place for place in reversed(places)}
    addresses = {way.address: way for way in reversed(ways)}
    found: list[Finding] = []
    for place in namespaces.values():
        door_there = door(place.namespace)
        checks = [partial(checks_agents.reaching, way=way, door=door_there) for way in addresses.values()]
        found += _found(place, checks)
    return found


def _trial(image: str | None, door: Door, *, build: bool) -> Check:
    """Return the check that runs a builder: with what is to be pushed, or without where nobody said it."""
    if image is None:
        return partial(checks_push.starting, door=door)
    return partial(checks_push.pushing, image=image, door=door, build=build)


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings once each, the worst first."""
    return sorted(dict.fromkeys(findings), key=lambda one: SEVERITIES.index(one.severity))


def has_errors(findings: Sequence[Finding]) -> bool:
    """Return whether builds fail by one of them."""
    return any(one.severity == ERROR for one in findings)


def _found(place: Place, checks: Iterable[Check]) -> Iterator[Finding]:
    """Yield what checks find; one that may not look says so, and the others go on."""
    for check in checks:
        try:
            yield from check(place)
        except HopelessError as error:
            yield error.finding
            return
        except UnansweredError as error:
            yield checks_cluster.unanswered(error)
            return
        except DeniedError as error:
            yield checks_cluster.denied(error, place)
        except UnreachableError as error:
            yield NOT_CHECKED.found(str(error))

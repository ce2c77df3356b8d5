"""The rules that all code in vars/ keeps, checked on what the compiler sees of it (tests/groovy/src/pipeline/Facts).

Library code runs on the CPS engine, and in the sandbox where a library is a folder's own. Both fail a build only when
the wrong line is reached; these rules find the line before. What types a call has is known to the sandbox alone, which
the lab's tests with an untrusted library ask; here a name must at least be one that it allows for some type.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.jvm import java

WHITELIST = Path(__file__).resolve().parents[1] / "groovy" / "cps" / "whitelist.txt"
IMPORTS = re.compile(
    r"com\.cloudbees\.groovy\.cps\.NonCPS|groovy\.json\.\w+|jenkins\.model\.Jenkins"
    r"|org\.jenkinsci\.plugins\.workflow\.steps\.\w+Exception|hudson\.AbortException"
)
# Of numbers, known to Groovy's compiler only: the plugin lets them pass without a line in its list.
ARITHMETIC = {"plus", "minus", "multiply", "div", "intdiv", "mod"}
CASTS = re.compile(r"int|long|double|boolean|java\.lang\.(String|Integer|Long|Boolean)|java\.util\.(List|Map|Set)")
# What the code of a pipeline may read of an exception it caught.
OF_EXCEPTIONS = {"message", "cause", "class"}
# The lookups outside the list: refused in a sandbox, which the code around them catches.
CAUGHT_REFUSAL = {("jenkins.model.Jenkins", "get"), (None, "getLabel"), (None, "getTemplate"), (None, "causes")}
# What is an exception's, whatever variable holds it: no map of this library has such a key.
REFUSED_PROPERTIES = {"causes"}
SECRET = re.compile("password|secret|token", re.IGNORECASE)


@dataclass(frozen=True, order=True)
class Finding:
    """A line that breaks a rule, and the word that does."""

    file: str
    line: int
    rule: str
    word: str


@dataclass(frozen=True)
class Allowed:
    """Names of the sandbox's list: methods of objects, (type, member) of static ones, types to construct."""

    methods: frozenset[str]
    static: frozenset[tuple[str, str]]
    new: frozenset[str]


@cache
def allowed() -> Allowed:
    lines = [line.split() for line in WHITELIST.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    of_groovy = {words[2] for words in lines if words[0] == "staticMethod" and words[1].endswith("GroovyMethods")}
    return Allowed(
        methods=frozenset(of_groovy | ARITHMETIC | {words[2] for words in lines if words[0] == "method"}),
        static=frozenset((words[1], words[2]) for words in lines if words[0].startswith("static")),
        new=frozenset(words[1] for words in lines if words[0] == "new"),
    )


def findings(files: Sequence[Path]) -> list[Finding]:
    """Return all lines of these library variables that break a rule; they may call each other."""
    command = [*java("pipeline.Facts"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    facts = {Path(name).stem: of_file for name, of_file in json.loads(done.stdout).items()}
    pure = {name: _pure_methods(of_file["methods"]) for name, of_file in facts.items()}
    found = []
    for name, of_file in facts.items():
        uses = [(method, use) for method in of_file["methods"] for use in method["uses"]]
        broken = [("import", one) for one in of_file["imports"] if not IMPORTS.fullmatch(one["name"])]
        broken += [("field", field) for field in of_file["fields"]]
        broken += [(rule, use) for method, use in uses for rule in _broken(use, name, method["nonCps"], pure)]
        found += [Finding(f"{name}.groovy", one["line"], rule, str(one["name"])) for rule, one in broken]
    return sorted(found)


def _pure_methods(methods: Sequence[Mapping[str, Any]]) -> set[str]:
    in_cps = {method["name"] for method in methods if not method["nonCps"]}
    return {method["name"] for method in methods} - in_cps


def _broken(use: Mapping[str, Any], own: str, non_cps: bool, pure: Mapping[str, set[str]]) -> Iterator[str]:
    if use["kind"] in ("throw", "endless"):
        yield use["kind"]
    if use["kind"] == "matcher" and not non_cps:
        yield "matcher"
    if use["kind"] == "script" and SECRET.search(use["name"]):
        yield "secret"
    if non_cps and _is_impure(use, own, pure):
        yield "step"
    if _is_refused(use, pure):
        yield "sandbox"


def _is_impure(use: Mapping[str, Any], own: str, pure: Mapping[str, set[str]]) -> bool:
    """Whether @NonCPS code calls a step or a CPS method, its own or another variable's, or reads env and the like."""
    variable = use.get("variable")
    if use["kind"] == "call" and variable in ("this", *pure):
        return use["name"] not in pure[own if variable == "this" else variable]
    if use["kind"] == "property" and variable == "this":
        return True
    return use["kind"] == "name" and use["name"] not in pure


def _is_refused(use: Mapping[str, Any], pure: Mapping[str, set[str]]) -> bool:
    kind, name, of_type = use["kind"], use["name"], use.get("type")
    if use["guarded"] and (of_type, name) in CAUGHT_REFUSAL:
        return False
    if kind == "new":
        return name not in allowed().new
    if kind == "cast":
        return not CASTS.fullmatch(name)
    if kind in ("call", "property") and of_type:
        return (of_type, name) not in allowed().static
    if kind == "call":
        return use.get("variable") not in ("this", *pure) and name not in allowed().methods
    if kind == "property" and name in REFUSED_PROPERTIES:
        return True
    return kind == "property" and use.get("caught", False) and name not in OF_EXCEPTIONS

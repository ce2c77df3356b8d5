"""The JSON Schema takes what the configuration takes, and refuses what a schema can refuse."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from jsonschema import Draft202012Validator

from jenkins_kaniko import fleetfile, resources
from jenkins_kaniko.document import Document
from jenkins_kaniko.errors import ConfigError
from jenkins_kaniko.schema import json_schema
from tests.test_docs import CONFIGURATIONS

FIXTURES = Path(__file__).parent / "fixtures"
SCHEMA = Draft202012Validator(json_schema())
GOOD = [path.read_text(encoding="utf-8") for path in sorted(FIXTURES.glob("render/*/jenkins-kaniko.yaml"))]
GOOD += [text for _, text in CONFIGURATIONS]
NOT_FOR_A_SCHEMA = {
    "builds-need-a-fleet",
    "controllers-unknown",
    "defaults-without-sharing",
    "fleet-of-another",
    "fleet-null",
    "include-itself",
    "include-missing",
    "key-given-twice",
    "nothing-in-it",
    "same-in-jenkins",
    "template-in-two-files",
    "token-from-nothing",
    "yaml-file-and-keys",
    "yaml-file-missing",
}
"""Bad files whose mistake is between two keys or two files, or in what YAML makes of the text."""


def readable(path: Path) -> bool:
    try:
        return not Document(path.read_text(encoding="utf-8"), path.name).problems
    except ConfigError:
        return False


BAD = [path for path in sorted(FIXTURES.glob("config/bad-*.yaml")) if readable(path)]


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("text", GOOD)
def test_it_takes_what_is_valid(text: str) -> None:
    assert list(SCHEMA.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize("path", BAD, ids=lambda path: path.stem.removeprefix("bad-"))
def test_it_refuses_what_a_schema_can_refuse(path: Path) -> None:
    found = list(SCHEMA.iter_errors(Document(path.read_text(encoding="utf-8"), path.name).data))
    assert bool(found) != (path.stem.removeprefix("bad-") in NOT_FOR_A_SCHEMA)


def test_the_command_prints_it() -> None:
    command = [str(Path(sys.executable).parent / "jenkins-kaniko"), "schema"]
    assert json.loads(subprocess.run(command, capture_output=True, check=True).stdout) == json_schema()


def keys(schema: Any) -> list[dict[str, Any]]:
    mappings = [schema, *schema["$defs"].values()]
    return [key for mapping in mappings for key in mapping.get("properties", {}).values()]


def test_every_key_is_described() -> None:
    assert [key for key in keys(json_schema()) if not key.get("description")] == []


def test_the_program_on_the_controller_knows_every_raw_property() -> None:
    program = resources.text("scripts/sync.groovy")
    listed = program[program.index("FIELDS = [") : program.index("CLOUD_FIELDS")]
    assert {name for name in get_args(fleetfile.Property) if f"'{name}'" not in listed} == set()

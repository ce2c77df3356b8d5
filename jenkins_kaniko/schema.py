"""The JSON Schema of a configuration file, as editors use it, made of the classes of its form."""

from __future__ import annotations

from typing import Any

from jenkins_kaniko.fleetfile import FleetPart

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the schema of a main file and of what it includes, which has the same keys."""
    schema: dict[str, Any] = _tidy(FleetPart.model_json_schema(by_alias=True))
    return {"$schema": DIALECT, "title": "jenkins-kaniko.yaml", **schema}


def _tidy(schema: Any) -> Any:
    """Leave out what only repeats the key, and say that names of another form are wrong."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _tidy(value) for key, value in schema.items() if key not in ("title", "default")}
    return result | ({"additionalProperties": False} if "patternProperties" in result else {})

"""What packaged pods are made from: their templates and sizes. The only importer of jinja2."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any

import jinja2
import yaml

from jenkins_kaniko import resources

PROFILES = {
    "small": {
        "requests": {"cpu": "250m", "memory": "512Mi", "ephemeral-storage": "2Gi"},
        "limits": {"memory": "2Gi", "ephemeral-storage": "5Gi"},
    },
    "medium": {
        "requests": {"cpu": "500m", "memory": "1Gi", "ephemeral-storage": "4Gi"},
        "limits": {"memory": "4Gi", "ephemeral-storage": "10Gi"},
    },
    "large": {
        "requests": {"cpu": "2", "memory": "4Gi", "ephemeral-storage": "10Gi"},
        "limits": {"memory": "12Gi", "ephemeral-storage": "30Gi"},
    },
}
NOT_PLAIN_IN_YAML = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
FAST_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Of libyaml, which is part of PyYAML's packages on most machines."""


@cache
def text_template(name: str) -> jinja2.Template:
    """Return the packaged template `name`; its filter `json` writes a value so that it cannot become YAML."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)  # noqa: S701 - YAML
    environment.filters["json"] = _quoted
    return environment.from_string(resources.text(f"templates/{name}.j2"))


def _quoted(value: Any) -> str:
    """Return `value` as JSON that is YAML too: what YAML takes for line ends or refuses is escaped.

    Not Jinja's own tojson, which writes quotes and angle brackets as escapes, for HTML.
    """
    return NOT_PLAIN_IN_YAML.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False))


@cache
def parsed(text: str) -> dict[str, Any]:
    """Return a manifest; most templates of a fleet differ only in what is not in this text."""
    data: dict[str, Any] = yaml.load(text, Loader=FAST_LOADER)  # noqa: S506 - a safe one
    return data

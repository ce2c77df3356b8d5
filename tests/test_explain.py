"""What is said of failures: the vectors that Groovy must yield too, and the logs of whole Jenkins builds."""

from __future__ import annotations

import re
import time
from dataclasses import asdict
from typing import Any

import pytest

from jenkins_kaniko import resources
from jenkins_kaniko.console import failure
from jenkins_kaniko.explain import Seen, diagnosis, explanation
from jenkins_kaniko.model import Template
from jenkins_kaniko.schema import json_schema
from tests.support.failures import load_failures, seen

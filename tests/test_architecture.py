"""The order of the package is kept by tests: who may import whom, and which module is the door to what."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "jenkins_kaniko"
FOLDER = Path(__file__).parent.parent / PACKAGE
MODULES = sorted(FOLDER.glob("*.py"))
MAX_LINES = 300

LAYERS = (
    {"__main__"},
    {"cli"},
    {"cli_build", "cli_builds", "cli_config", "cli_doctor", "cli_explain", "cli_fleet", "cli_import", "cli_secret"},
    {
        "cli_registry",
        "cli_registry_images",
        "cli_registry_verify",
        "cli_secret_check",
        "cli_secret_remove",
        "cli_secret_write",
    },
    {
        "cli_build_after",
        "cli_build_all",
        "cli_build_modes",
        "cli_registry_options",
        "cli_registry_trust",
        "cli_secret_ecr",
    },
    {"cli_shared", "cli_build_options", "cli_from_config", "cli_groups"},
    {"doctorreport"},
    {"doctor"},
    {"checks_agents"},
    {"checks_push"},
    {"checks_installed"},
    {"checks_cluster", "checks_node", "checks_registry", "places"},
    {"checks_quota"},
    {"checks_jenkins"},
    {"planfile", "listing", "notify", "registry_content", "registry_gc", "registry_status", "registry_verify_login"},
    {"registry_install"},
    {"registry_secrets"},
    {"registry_wait"},
    {"registry_steps"},
    {"registry_settings"},
    {"buildlisting", "notices"},
    {"buildboard"},
    {"registry_trust_nodes", "registry_verify"},
    {"registry_trust"},
    {"nodepods"},
    {"nodereport"},
    {"report", "buildreport", "buildoutputs", "statusline"},
    {"findings"},
    {"build_all", "following"},
    {"sync", "build", "stoppable", "buildspecs"},
    {"probe"},
    {"attempt", "buildspec", "buildconfig", "isolation", "leftovers"},
    {"rbac", "registry_secret_remove"},
    {"ecr_renewal", "secret_check", "sightings"},
    {"builds", "cluster_builds", "jobs", "registry", "registry_secret", "waiting"},
    {"buildjob", "cluster_objects", "cluster_pods"},
    {"buildprogress", "buildlog"},
    {"cachemiss"},
    {"dockerfile"},
    {"apply", "backup", "engines", "importer", "podstate", "sidecar", "console", "contexts", "transport"},
    {"cluster_exec", "cluster_forward"},
    {"cluster_http", "memory"},
    {"jenkins", "cluster", "export", "forms", "explain", "contexts_archive", "contexts_download", "contexts_git"},
    {"jenkins_answers", "plan", "casc", "contexts_directory", "archives"},
    {"mark", "lint", "contexts_checkout", "dockerignore"},
    {"contexts_stream", "git"},
    {"values"},
    {"render", "plugin_versions"},
    {"config", "schema"},
    {"mistakes", "buildsection"},
    {"model"},
    {"certificates", "document", "fleetfile", "options", "templates"},
    {"ecr", "fleetvalues", "registry_kinds", "registry_login"},
    {"buildsecrets", "credential_helpers", "patience", "stopping"},
    {"dockerconfig"},
    {"errors", "resources", "merge", "outside", "selectors"},
    {"__init__"},
)
"""From the top; a module imports only from lines below its own."""

DOORS = {
    "jenkins": {"jenkins"},
    "requests": {"jenkins", "jenkins_answers"},
    "kubernetes": {name for layer in LAYERS for name in layer if name.startswith("cluster")},
    "urllib3": {"cluster", "cluster_http", "cluster_pods", "ecr", "outside", "registry_login"},
    "bcrypt": {"registry_secrets"},
    "cryptography": {"certificates", "checks_registry"},
    "websocket": {"cluster_exec"},
    "jinja2": {"templates"},
    "rich": {"buildboard", "cli_build_all", "cli_doctor", "cli_shared", "doctorreport", "report", "statusline"},
    "click": {name for layer in LAYERS for name in layer if name.startswith("cli")},
    "boto3": {"contexts_download"},
    "botocore": {"contexts_download"},
    "zstandard": {"archives"},
    "yaml": {"casc", "render", "document", "templates"},
    "pydantic": {"config", "mistakes", "fleetfile", "fleetvalues"},
    "pydantic_core": {"fleetfile", "fleetvalues"},
}
"""Third-party packages, and the modules that may import them."""


def imported(path: Path) -> Iterator[str]:
    """Yield the full name of everything that a module imports, inside functions and for type checks too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            assert node.module
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                is_module = (FOLDER.parent / f"{whole.replace('.', '/')}.py").is_file()
                yield whole if is_module else node.module


def siblings(path: Path) -> set[str]:
    """Return the modules of the package that a module imports."""
    names = (name.split(".") for name in imported(path))
    return {parts[1] if len(parts) > 1 else "__init__" for parts in names if parts[0] == PACKAGE}


def third_parties(path: Path) -> set[str]:
    names = {name.split(".")[0] for name in imported(path)}
    return names - set(sys.stdlib_module_names) - {PACKAGE}


def calls(path: Path) -> set[str]:
    """Return the names that a module calls, as they are written."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def test_every_module_has_its_line() -> None:
    assert sorted(name for layer in LAYERS for name in layer) == [path.stem for path in MODULES]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_imports_only_from_lines_below(path: Path) -> None:
    own = next(number for number, layer in enumerate(LAYERS) if path.stem in layer)
    below = {name for layer in LAYERS[own + 1 :] for name in layer}
    assert siblings(path) - below == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_third_party_has_its_doors(path: Path) -> None:
    assert {name for name in third_parties(path) if path.stem not in DOORS.get(name, set())} == set()


def test_every_door_is_used() -> None:
    used = {(name, path.stem) for path in MODULES for name in third_parties(path)}
    assert used == {(name, stem) for name, stems in DOORS.items() for stem in stems}


@pytest.mark.parametrize(
    "path", [path for path in MODULES if not path.stem.startswith("cli")], ids=lambda path: path.stem
)
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    forbidden = {"print", "exit", "quit", "sys.exit", "os._exit", "sys.stdout.write", "sys.stderr.write"}
    assert calls(path) & forbidden == set()


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES

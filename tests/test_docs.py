"""The examples in the docs are true: a reader who copies one gets what the text says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click import Context

from jenkins_kaniko import contexts_git, dockerignore, doctor, resources
from jenkins_kaniko.cli_build import build
from jenkins_kaniko.cli_registry import registry
from jenkins_kaniko.config import parse
from jenkins_kaniko.schema import json_schema
from jenkins_kaniko.templates import PROFILES
from tests.test_render import regenerating

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
CONFIGURATION = ROOT / "docs" / "configuration.md"
STEP_PAGE = ROOT / "docs" / "kaniko-build.md"
REFERENCE = "## Every key\n"
FAILURES = ROOT / "docs" / "failures.md"
EVERY_FAILURE = "## Every failure\n"
DOCTOR = ROOT / "docs" / "doctor.md"
EVERY_FINDING = "## Every finding\n"
MAVEN = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: maven, image: 'maven:3.9'}]}\n"


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


CONFIGURATIONS = [(page, text) for page in PAGES for text in blocks(page, "yaml") if "fleet:" in text]


@pytest.mark.parametrize(("page", "text"), CONFIGURATIONS, ids=lambda value: getattr(value, "name", ""))
def test_each_configuration_is_valid(page: Path, text: str, tmp_path: Path) -> None:
    (tmp_path / "pods").mkdir()
    (tmp_path / "pods" / "maven.yaml").write_text(MAVEN, encoding="utf-8")
    assert parse(text, tmp_path / "jenkins-kaniko.yaml").name == "acme"


def mappings() -> dict[str, dict[str, Any]]:
    """Return the mappings of the file by their heading, the file itself first."""
    schema = json_schema()
    return {"The file": schema, **schema["$defs"]}


def test_the_whole_file_shows_every_key() -> None:
    whole = blocks(CONFIGURATION, "yaml")[0]
    keys = {key for mapping in mappings().values() for key in mapping["properties"]}
    assert {key for key in keys if not re.search(rf"\b{key}:", whole)} == set()


def reference() -> str:
    """Return the tables of all keys, made of the same texts as the schema."""
    parts = []
    for name, mapping in mappings().items():
        words = re.sub(r"(?<!^)(?=[A-Z])", " ", name).lower() if name != "The file" else "the file"
        rows = [f"| {key} | {value['description']} |" for key, value in mapping["properties"].items()]
        parts += [f"### {words.capitalize()}\n", "| key | meaning |", "|---|---|", *rows, ""]
    return "\n".join(parts)


def test_the_reference_is_that_of_the_schema() -> None:
    text = CONFIGURATION.read_text(encoding="utf-8")
    before, _, found = text.partition(REFERENCE)
    if regenerating():
        CONFIGURATION.write_text(f"{before}{REFERENCE}\n{reference()}", encoding="utf-8")
        found = f"\n{reference()}"
    assert found.strip() == reference().strip()


def failures() -> str:
    """Return what is known of each failure, made of the table that the step and `explain` read."""
    retries = {
        "never": "",
        "again": " Worth building again as it is.",
        "less memory": " Worth building with less memory.",
    }
    parts = []
    for entry in resources.diagnoses():
        cause, fix = (re.sub(r"\{\d\}", "…", entry[text]) for text in ("cause", "fix"))
        link = f" [More]({entry['see']})." if "see" in entry else ""
        parts += [f"### {entry['name']}\n", f"{sentence(cause)}\n", f"{sentence(fix)}{retries[entry['retry']]}{link}\n"]
    return "\n".join(parts)


def sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith(".") else ".")


def test_the_list_of_failures_is_that_of_the_table() -> None:
    text = FAILURES.read_text(encoding="utf-8")
    before, _, found = text.partition(EVERY_FAILURE)
    if regenerating():
        FAILURES.write_text(f"{before}{EVERY_FAILURE}\n{failures()}", encoding="utf-8")
        found = f"\n{failures()}"
    assert found.strip() == failures().strip()


class Capitals(dict[str, str]):
    """Stands for the names that doctor fills in: NAMESPACE for {namespace}."""

    def __missing__(self, name: str) -> str:
        return name.upper()


def findings() -> str:
    """Return what doctor's own checks find; what a trial push finds is in the list of failures."""
    rows = []
    for kind in doctor.KINDS:
        cause, fix = (text.format_map(Capitals()).replace("|", r"\|") for text in (kind.cause, kind.fix))
        rows.append(f"| {kind.name} | {kind.severity} | {cause} | {fix} |")
    failures = "`-t` also finds what a builder says, by the names of [failures.md](failures.md)."
    return "\n".join(["| name | severity | means | fix |", "|---|---|---|---|", *rows, "", failures])


def test_the_list_of_findings_is_that_of_the_checks() -> None:
    text = DOCTOR.read_text(encoding="utf-8")
    before, _, found = text.partition(EVERY_FINDING)
    if regenerating():
        DOCTOR.write_text(f"{before}{EVERY_FINDING}\n{findings()}\n", encoding="utf-8")
        found = f"\n{findings()}"
    assert found.strip() == findings().strip()


@pytest.mark.parametrize("profile", PROFILES)
def test_the_profiles_are_as_the_table_says(profile: str) -> None:
    requests, limits = PROFILES[profile]["requests"], PROFILES[profile]["limits"]
    cells = [f"{requests[name]}, at most {limits[name]}" for name in ("memory", "ephemeral-storage")]
    row = " | ".join([profile, requests["cpu"], *cells])
    assert f"| {row} |\n" in CONFIGURATION.read_text(encoding="utf-8")


def test_the_readme_shows_the_example_pipeline() -> None:
    example = (ROOT / "Jenkinsfile.example").read_text(encoding="utf-8")
    short = example[: example.index("\n/*")]
    without_comments = "".join(line for line in short.splitlines(True) if not line.startswith("//"))
    assert blocks(ROOT / "README.md", "groovy") == [without_comments]


def test_the_step_page_shows_every_option() -> None:
    (call,) = blocks(STEP_PAGE, "groovy")
    shown = set(re.findall(r"^    (\w+):", call, re.MULTILINE))
    assert shown == {row["option"] for row in resources.options()}


def test_every_option_of_the_step_has_its_place_in_the_command() -> None:
    text = (ROOT / "docs" / "build.md").read_text(encoding="utf-8")
    table = text[text.index("| kanikoBuild | build |") :].partition("\n\n")[0]
    named = {name for line in table.splitlines()[2:] for name in line.split(" | ")[0].strip("| ").split(", ")}
    assert named == {row["option"] for row in resources.options()}
    typed = set(re.findall(r"(?<=[` ])--?[a-z-]+", table))
    known = {name for parameter in build.params for name in (*parameter.opts, *parameter.secondary_opts)}
    assert typed - known == set()


def test_the_commands_for_those_who_come_from_scripts_have_options_that_there_are() -> None:
    text = (ROOT / "docs" / "from-build-scripts.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ jenkins-kaniko build (.*)", text, re.MULTILINE)
    typed = {name for command in commands for name in re.findall(r"(?<= )--?[a-z-]+", f" {command}")}
    assert len(commands) == 4
    assert typed - {name for parameter in build.params for name in parameter.opts} == set()


def test_a_registry_in_the_cluster_is_one_that_nodes_trust() -> None:
    text = (ROOT / "docs" / "from-build-scripts.md").read_text(encoding="utf-8")
    assert [name for name in registry.list_commands(Context(registry)) if f"`registry {name}`" in text] == [
        "install", "trust", "verify",
    ]  # fmt: skip
    assert "insecure-registry" not in text
    assert "hosts.toml" not in text


def option_table() -> str:
    """Return the table of the step's options, made of what both interpreters read."""
    engine = resources.engines()["kaniko"]
    lines = ["| option | type | default | flags | since | meaning |", "|---|---|---|---|---|---|"]
    for row in resources.options():
        flags = [one["flag"] for one in engine["arguments"] if row["option"] in one["options"]]
        since = [engine["flags"][flag].get("since", {}) for flag in flags if flag in engine["flags"]]
        default = json.dumps(row["default"]).replace("{}", "[:]") if "default" in row else ""
        cells = [
            row["option"],
            resources.types()[row["type"]],
            "required" if row.get("required") else default and f"`{default}`",
            ", ".join(f"`{flag}`" for flag in flags),
            ", ".join(f"{fork} {version}" for forks in since for fork, version in forks.items()),
            row["help"],
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def flag_table() -> str:
    """Return the table of the flags that not every builder takes, or no build may set."""
    lines = ["| flag | since | gone since | instead |", "|---|---|---|---|"]
    for flag, facts in resources.engines()["kaniko"]["flags"].items():
        since = ", ".join(f"{fork} {version}" for fork, version in facts.get("since", {}).items())
        until = f"{facts['until']}, of any distribution" if "until" in facts else ""
        instead = facts.get("own", "") or (f"`{facts['now']}`" if "now" in facts else "")
        lines.append(f"| `{flag}` | {since} | {until} | {instead} |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("name", "table"), [("options", option_table()), ("flags", flag_table())])
def test_the_tables_of_the_step_are_those_of_the_engines(name: str, table: str) -> None:
    text = STEP_PAGE.read_text(encoding="utf-8")
    before, start, rest = text.partition(f"<!-- {name}:")
    mark, _, rest = rest.partition("\n")
    found, end, after = rest.partition(f"<!-- end of {name} -->")
    if regenerating():
        STEP_PAGE.write_text(f"{before}{start}{mark}\n{table}{end}{after}", encoding="utf-8")
        found = table
    assert found == table


KANIKO_EXECUTE = """
    dockerConfigJsonCredentialsId dockerConfigJSON containerRegistryUrl containerRegistryUser containerRegistryPassword
    containerImage containerImageName containerImageTag dockerfilePath buildOptions containerBuildOptions
    buildSettingsInfo multipleImages containerMultiImageBuild containerMultiImageBuildExcludes
    containerMultiImageBuildTrimDir containerPreparationCommand customTlsCertificateLinks readImageDigest createBOM
    syftDownloadUrl createBuildArtifactsMetadata registryMirrors
    container/registryUrl container/imageNameTag container/imageDigest container/imageDigests container/imageNames
    container/imageNameTags custom/dockerBuildArtifacts custom/buildSettingsInfo
"""
"""What the step of that project takes, and what it leaves in the pipeline's environment."""


def test_every_parameter_of_kaniko_execute_is_said_to_be_something_here() -> None:
    text = (ROOT / "docs" / "from-kaniko-execute.md").read_text(encoding="utf-8")
    cells = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ")]
    named = {name for cell in cells for name in re.split(r",? ", cell)}
    assert set(KANIKO_EXECUTE.split()) - named == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_table_of_records_names_tests_that_exist() -> None:
    table = (ROOT / "tests" / "README.md").read_text(encoding="utf-8")
    named = {name.rpartition("::")[2] for name in re.findall(r"`([\w./]*(?:::)?test_\w+)`", table)}
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert len(named) > 30
    assert {name for name in named if f"def {name}(" not in sources} == set()


def test_the_ignore_file_in_the_docs_does_what_they_say() -> None:
    [text] = blocks(ROOT / "docs" / "build-contexts.md", "dockerignore")
    rules = dockerignore.parse(text, "", [], [])
    folders = {"": 0} | {name: rules.last(name) for name in ("build", "node_modules", "web", "docs")}
    paths = {
        "node_modules/x": True,
        "web/node_modules": False,
        "server.log": True,
        "web/server.log": True,
        "build/app.o": True,
        "build/app.jar": False,
        "docs/a/b/draft1.md": True,
        "docs/draft10.md": False,
    }
    found = {path: rules.excludes(rules.last(path, folders[path.rpartition("/")[0].split("/")[0]])) for path in paths}
    assert found == paths


def test_repositories_in_the_docs_are_told_from_archives() -> None:
    text = (ROOT / "docs" / "build-contexts.md").read_text(encoding="utf-8")
    sources = [source.strip("'") for source in re.findall(r"^\$ .*?jenkins-kaniko build (\S+)", text, re.MULTILINE)]
    assert len(sources) == 9
    assert [source for source in sources if contexts_git.is_git(source)] == sources[-3:]

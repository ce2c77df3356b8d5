"""The step in vars/ beside its Python twin: the same vectors, a real shell, what it says of failures."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from itertools import product
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from jenkins_kaniko import dockerignore, resources
from jenkins_kaniko.config import load
from jenkins_kaniko.engines import argv as python_argv
from jenkins_kaniko.explain import diagnosis, engine_error, explanation, until_last_word
from jenkins_kaniko.options import complete, problems
from jenkins_kaniko.render import pod_yaml
from tests.support.failures import load_failures, seen, seen_for_groovy
from tests.support.pipeline import call_vectors, run_pipeline
from tests.support.vectors import builder, load_vectors, place, place_for_groovy

pytestmark = pytest.mark.jvm

ROOT = Path(__file__).parent.parent
STEP = ROOT / "vars" / "kanikoBuild.groovy"
BUILDER = ROOT / "vars" / "kanikoBuilder.groovy"
ARGUMENTS = ROOT / "vars" / "kanikoArguments.groovy"
OPTIONS = ROOT / "vars" / "kanikoOptions.groovy"
AGENT = ROOT / "vars" / "kanikoAgent.groovy"
SOURCE = ROOT / "vars" / "kanikoSource.groovy"
FAILURE = ROOT / "vars" / "kanikoFailure.groovy"
TABLE = resources.engines_file()
DIAGNOSES = {"diagnoses": resources.diagnoses()}
WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
LOG_LINES = st.sampled_from(
    sorted(
        {line for case in load_failures() for line in [*case["seen"].get("log", []), "FROM x", "RUN make \\", "# y"]}
    )
)
AWKWARD = ["", " ", "'", "''", '"', "$HOME", "`id`", "$(id)", "\\", "\\'", "a\nb", "\n", "é", "🐳", "-n", "*", "!", "~"]
NAMED = st.dictionaries(st.text("aZ0_.-/:'\"$é🐳", min_size=1), WORDS | st.booleans() | st.integers(), max_size=4)
GOOD = st.fixed_dictionaries(
    {"image": st.sampled_from(["r/app", "r:5000/a/b:1"])},
    optional={
        "tags": st.lists(st.sampled_from(["1", "a.b", "latest"]), max_size=3),
        "buildArgs": NAMED,
        "labels": NAMED,
        "annotations": NAMED,
        "push": st.booleans(),
        "retries": st.integers(0, 10),
        "extraArgs": st.lists(WORDS.map("--label=a=".__add__), max_size=3),
    },
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(0, 9) | WORDS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=3,
)
ANY_NAME = st.sampled_from([row["option"] for row in TABLE["options"]] + ["tag"])
WILD = st.tuples(ANY_NAME, ANYTHING).map(lambda pair: dict([pair]))
# each example starts a JVM: many words in few examples, and no search for the smallest one that fails
few_examples = settings(
    max_examples=3,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)


def test_groovy_yields_the_shared_vectors() -> None:
    vectors = load_vectors("argv")
    completed = results("complete", [[vector["options"], TABLE] for vector in vectors])
    assert completed == [complete(vector["options"]) for vector in vectors]
    places = [place_for_groovy(vector) for vector in vectors]
    commands = results("argv", [[*given, TABLE] for given in zip(completed, places, strict=True)])
    assert commands == [vector["argv"] for vector in vectors]


def test_groovy_finds_the_mistakes_of_the_shared_vectors() -> None:
    vectors = load_vectors("argv") + load_vectors("error")
    found = results("problems", [[vector["options"], vector.get("builder"), TABLE] for vector in vectors])
    assert found == [vector.get("error", "") for vector in vectors]


def results(method: str, cases: Sequence[Sequence[object]]) -> list[object]:
    """Return what a method of kanikoArguments or kanikoOptions returns for each argument list, or why it does not."""
    script = ARGUMENTS if method == "argv" else OPTIONS
    return [answer.get("result", answer) for answer in call_vectors(script, method, cases)]


@few_examples
@given(st.lists(WORDS, min_size=50, max_size=150))
def test_quoted_words_arrive_unchanged_through_a_real_shell(words: list[str]) -> None:
    words = [*AWKWARD, *words]
    quoted = [str(answer["result"]) for answer in call_vectors(BUILDER, "quoted", [[word] for word in words])]
    script = "printf '%s\\0' " + " ".join(quoted)
    for shell in ("sh", "bash"):  # the builder's own shell is tried in its pod: tests/lab
        done = subprocess.run([shell, "-s"], input=script.encode(), capture_output=True, check=True)
        assert done.stdout.decode().split("\0")[:-1] == words


@few_examples
@given(st.lists(GOOD, min_size=15, max_size=30), st.lists(WILD, min_size=40, max_size=80))
def test_both_languages_agree_on_any_options(good: list[dict[str, object]], wild: list[dict[str, object]]) -> None:
    vector = {"place": {"cacheRepo": "r/cache"}, "builder": {"distribution": "chainguard", "version": "1.25.6"}}
    found = results("problems", [[options, vector["builder"], TABLE] for options in good + wild])
    assert found == [problems(options, builder(vector)) for options in good + wild]
    commands = results("argv", [[complete(options), place_for_groovy(vector), TABLE] for options in good])
    assert commands == [python_argv(options, place(vector)) for options in good]


def said(cases: list[dict[str, Any]]) -> dict[str, list[object]]:
    """Return what Groovy says of failures, as data and as text."""
    found, texts = (answers(method, cases) for method in ("diagnosis", "explained"))
    return {"diagnosis": found, "explanation": [text["whole"] for text in texts]}


def answers(method: str, cases: list[dict[str, Any]]) -> list[Any]:
    """Return what a method of kanikoFailure gives for each failure."""
    arguments = [[seen_for_groovy(case), DIAGNOSES] for case in cases]
    return [answer["result"] for answer in call_vectors(FAILURE, method, arguments)]


def test_groovy_says_the_same_of_failures() -> None:
    cases = load_failures()
    assert said(cases) == {
        "diagnosis": [asdict(diagnosis(seen(case))) for case in cases],
        "explanation": [explanation(seen(case)) for case in cases],
    }


def test_an_error_is_what_the_log_says_without_the_lines_of_the_builder() -> None:
    cases = load_failures()
    for case, answer in zip(cases, answers("explained", cases), strict=True):
        log, whole = until_last_word(seen(case).log), explanation(seen(case))
        error = whole.partition("\nlast lines of the log:\n")[0]
        assert answer["text"] == (error if engine_error(log) else error.partition("\n  the engine said: ")[0])


@few_examples
@given(st.lists(st.lists(st.one_of(LOG_LINES, WORDS), max_size=8), min_size=30, max_size=80))
def test_both_languages_agree_on_any_log(logs: list[list[str]]) -> None:
    cases = [{"seen": {"log": log, "dockerfile": "\n".join(log), "path": "f"}} for log in logs]
    assert said(cases) == {
        "diagnosis": [asdict(diagnosis(seen(case))) for case in cases],
        "explanation": [explanation(seen(case)) for case in cases],
    }


def test_the_help_names_every_option_of_the_table() -> None:
    text = STEP.with_suffix(".txt").read_text(encoding="utf-8")
    named = set(re.findall(r"<li><code>(\w+)</code>", text))
    assert named == {row["option"] for row in resources.options()}


IGNORE_FILES = {
    "": "",
    "# .git\n\n  \n.\n": "",
    "\ufeff.git\r\nnode_modules/\n": ".git/**,node_modules/**",
    "/build\n./dist/a\n**/*.log\na/**/b?.c\n*\n": "build/**,dist/a/**,**/*.log/**,a/**/b?.c/**,*/**",
    "a b\na,b\n[ab]\na\\*\n**.log\na**\n../x\nx/../y\n": "",
    "a/**\n**\n": "a/**/*,**/*",
    "*\n!src\n": "",
    "*\n!src\nsrc/test\n": "src/test/**",
    ".git\nbuild\ndocs/*.md\n*.txt\n!build/app.jar\n!docs/README.md\n! keep.txt\n": ".git/**",
    "a/b\n!a\n": "",
    "a/b\n!a/c\n": "a/b/**",
    ".git\n!*/keep\n": "",
    ".git\n![.]git/config\n": "",
}


def test_what_dockerignore_leaves_out_is_not_stashed() -> None:
    answers = call_vectors(SOURCE, "excludes", [[text] for text in IGNORE_FILES])
    assert [answer["result"] for answer in answers] == list(IGNORE_FILES.values())


PARTS = st.sampled_from(["a", "b", "ab", "*", "?", "**", "a*", "*b", "[ab]", "..", ".", "\\a", "**b", "a b"])
PATTERNS = st.lists(PARTS, min_size=1, max_size=3).map("/".join)
IGNORE_LINES = st.tuples(st.sampled_from(["", "", "!", "/"]), PATTERNS).map("".join)
PATHS = ["/".join(names) for count in (1, 2, 3) for names in product(["a", "b", "ab", "ba"], repeat=count)]


def ant_excludes(patterns: str, path: str) -> bool:
    """Whether one of Ant's patterns matches."""
    for pattern in filter(None, patterns.split(",")):
        parts = [part.replace("*", "[^/]*").replace("?", "[^/]") + "/" for part in pattern.split("/")]
        if re.fullmatch("".join(parts).replace("[^/]*[^/]*/", "(.*/)?"), f"{path}/"):
            return True
    return False


def docker_excludes(rules: dockerignore.Rules, path: str) -> bool:
    number = 0
    for parent in reversed([path, *map(str, PurePosixPath(path).parents)][:-1]):
        number = rules.last(parent, number)
    return rules.excludes(number)


@few_examples
@given(st.lists(st.lists(IGNORE_LINES, min_size=1, max_size=4).map("\n".join), min_size=100, max_size=200))
def test_nothing_stays_behind_that_dockerignore_lets_through(files: list[str]) -> None:
    answers = call_vectors(SOURCE, "excludes", [[text] for text in files])
    found = [str(answer["result"]) for answer in answers]
    assert sum(map(bool, found)) > 20
    for text, patterns in zip(files, found, strict=True):
        rules = dockerignore.parse(text, "", [], [])
        wrong = [path for path in PATHS if ant_excludes(patterns, path) and not docker_excludes(rules, path)]
        assert wrong == [], (text, patterns)


def test_every_image_that_is_not_pushed_has_an_archive_of_its_own() -> None:
    names = {
        "app": "app+latest.tar",
        "registry.example.com/team/app:1.4": "registry.example.com+team+app+1.4.tar",
        "registry.example.com:5000/team/app:api": "registry.example.com+5000+team+app+api.tar",
        "registry.example.com:5000/team/app:web": "registry.example.com+5000+team+app+web.tar",
        "registry.example.com:5000/team/app": "registry.example.com+5000+team+app+2.tar",
    }
    given = [{"image": image, "tags": []} for image in names]
    given[-1]["tags"] = ["2", "latest"]
    answers = call_vectors(ARGUMENTS, "archiveName", [[options] for options in given])
    assert [answer["result"] for answer in answers] == list(names.values())


@pytest.mark.parametrize(
    ("folder", "expected"),
    [
        ("/w/app", False),
        ("/w/app/", False),
        ("/w/app/a/..", False),
        ("/w/ap", False),
        ("/w/app@tmp", True),
        ("/w/app/..", True),
        ("/w/app/a/../../.", True),
        ("/", True),
        ("/..", True),
        ("/w/other/../..//w", True),
    ],
)
def test_a_context_that_holds_the_temporary_folder_is_told(folder: str, expected: bool) -> None:
    assert call_vectors(BUILDER, "holds", [[folder, "/w/app@tmp"]]) == [{"result": expected}]


def test_a_clone_with_a_token_is_not_told_to_those_who_pull_the_image() -> None:
    urls = {
        "https://git.example.com/team/app.git": "https://git.example.com/team/app.git",
        "https://oauth2:hunter2@git.example.com/app.git": "https://git.example.com/app.git",
        "https://hunter2@git.example.com/app": "https://git.example.com/app",
        "https://bot:hunter@2@git.example.com/app": "https://git.example.com/app",
        "ssh://git@git.example.com:2222/app.git": "ssh://git.example.com:2222/app.git",
        "git@git.example.com:team/app.git": "git@git.example.com:team/app.git",
    }
    commit = f"{'a' * 40} 2026-01-02T03:04:05+01:00"
    answers = call_vectors(SOURCE, "labelsOf", [[f"{commit}\n{url}\n"] for url in urls] + [[""], [commit]])
    known = {
        "org.opencontainers.image.revision": "a" * 40,
        "org.opencontainers.image.created": "2026-01-02T03:04:05+01:00",
    }
    told = [{**known, "org.opencontainers.image.source": url} for url in urls.values()]
    assert [answer["result"] for answer in answers] == [*told, {}, known]


def test_the_step_knows_the_builder_of_a_synced_template(tmp_path: Path) -> None:
    """Rendered templates tell it, whatever is beside it in the environment."""
    templates = {
        "packaged": {"env": {"JENKINS_KANIKO_X": "1", "A": "line\nJENKINS_KANIKO_VERSION"}},
        "chainguard": {"image": "r/kaniko:1", "distribution": "chainguard", "version": "1.25.6"},
        "unknown": {"image": "r/kaniko:1"},
    }
    file = tmp_path / "jenkins-kaniko.yaml"
    file.write_text(json.dumps({"fleet": "a", "templates": templates}), encoding="utf-8")
    fleet = load(file)
    texts = [pod_yaml(template, fleet) for template in fleet.templates]
    answers = call_vectors(AGENT, "builderOf", [[text] for text in [*texts, "kind: Pod\n", ""]])
    packaged = resources.engines()["kaniko"]
    assert [answer["result"] for answer in answers] == [
        {"distribution": packaged["distribution"], "version": packaged["version"]},
        {"distribution": "chainguard", "version": "1.25.6"},
        {"distribution": None, "version": None},
        None,
        None,
    ]


def test_what_a_step_of_jenkins_throws_is_explained(tmp_path: Path) -> None:
    """Here the step is told that it is in a node, and is in none."""
    jenkinsfile = tmp_path / "Jenkinsfile"
    step = "withEnv(['NODE_NAME=none']) { kanikoBuild(image: 'r/app') }\n"
    jenkinsfile.write_text(f"@Library('jenkins-kaniko') _\n{step}", encoding="utf-8")
    result = run_pipeline(jenkinsfile, tmp_path / "home", ROOT)
    entry = next(entry for entry in resources.diagnoses() if entry["name"] == "unknown-exception")
    assert result.log.endswith(
        "ERROR: kanikoBuild: r/app: MissingContextVariableException: "
        "Required context class hudson.FilePath is missing\n"
        "Perhaps you forgot to surround the code with a step that provides this, such as: node\n"
        f"  cause: {entry['cause']}\n  fix: {entry['fix']}\n  see: docs/failures.md#unknown-exception\n"
        "Finished: FAILURE\n"
    ), result.log


def test_mistakes_end_the_step_before_a_pod_starts(tmp_path: Path) -> None:
    jenkinsfile = ROOT / "tests" / "fixtures" / "pipeline" / "kaniko-errors.jenkinsfile"
    result = run_pipeline(jenkinsfile, tmp_path / "home", ROOT)
    assert result.result == "SUCCESS", result.log
    valid = "valid: " + ", ".join(sorted(row["option"] for row in resources.options()))
    nothing = "kanikoBuild: outside a node the step checks out the job's own source, and this job has none. "
    nothing += "Call it inside node('kaniko') { ... } with the files there, or give a URL as context"
    assert re.findall(r"^.*: AbortException: .*$", result.log, re.MULTILINE) == [
        "nothing: AbortException: kanikoBuild: option image is required",
        f"mistakes: AbortException: kanikoBuild: unknown option tag; did you mean tags? ({valid}); "
        "option buildArgs: a map is expected",
        "gstring: AbortException: kanikoBuild: option tags: 'bad tag' is not a tag; option env: 'PATH' is refused: it "
        "changes how the builder itself works",
        f"good gstrings: AbortException: {nothing}",
        f"no source: AbortException: {nothing}",
        "no value: AbortException: kanikoBuild: option tags: a list of texts is expected, without null",
        "no name: AbortException: kanikoBuild: option env: '' is not the name of a variable; "
        "option credentialsId: '' is not a registry: host or host:port",
        f"array: AbortException: {nothing}",
    ]
    packaged = "kanikoBuild: no pod template on this controller has the label '{}': the packaged agent pod is used. "
    packaged += "'jenkins-kaniko sync' brings your own template here\n"
    assert packaged.format("amd64") in result.log
    assert packaged.format("kaniko") in result.log

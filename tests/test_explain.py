"""What is said of failures: the vectors that Groovy must yield too, whole Jenkins logs, and the command."""

from __future__ import annotations

import json
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from jenkins_kaniko import cli, resources
from jenkins_kaniko.console import failure
from jenkins_kaniko.explain import Seen, diagnosis, explanation
from jenkins_kaniko.schema import json_schema
from tests.support.failures import load_failures, seen

ROOT = Path(__file__).parent.parent
CASES = load_failures()
ENTRIES = resources.diagnoses()
RUN_FAILED = "error building image: error building stage: failed to execute command: waiting for process to exit: "
ANNOUNCED = "INFO[0012] RUN make"


def by_case(case: dict[str, Any]) -> str:
    return str(case["case"])


@pytest.mark.parametrize("case", CASES, ids=by_case)
def test_a_failure_is_recognised(case: dict[str, Any]) -> None:
    found = diagnosis(seen(case))
    assert (found.name, found.retry) == (case["name"], case["retry"])


@pytest.mark.parametrize("case", [case for case in CASES if "explanation" in case], ids=by_case)
def test_the_text_for_people(case: dict[str, Any]) -> None:
    assert explanation(seen(case)).split("\n") == case["explanation"]


# --- the table -------------------------------------------------------------------------------------------------------


def test_each_failure_has_a_link_that_leads_somewhere() -> None:
    places = set(re.findall(r"^### (.*)$", (ROOT / "docs" / "failures.md").read_text(encoding="utf-8"), re.MULTILINE))
    for case in CASES:
        (link,) = re.findall(r"^  see: (.*)$", explanation(seen(case)), re.MULTILINE)
        page, _, name = link.partition("#")
        assert link.startswith("https://") or (page == "docs/failures.md" and name in places)


def test_every_entry_is_reached_by_a_case() -> None:
    assert {case["name"] for case in CASES} == {entry["name"] for entry in ENTRIES}


def test_names_are_unique_and_fit_for_an_address() -> None:
    names = [entry["name"] for entry in ENTRIES]
    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_an_entry_has_the_form_of_the_table(entry: dict[str, Any]) -> None:
    assert set(entry) - {"see"} == {"name", "match", "cause", "fix", "retry"}
    assert entry["retry"] in ("never", "again", "less memory")
    assert entry.get("see", "https://").startswith("https://")
    for match in entry["match"]:
        assert set(match) - {"exitCode"} == {"in", "pattern"}
        assert match["in"] in ("error", "log", "exception")
        # a flag for the whole means something else where patterns are joined
        assert not re.match(r"\(\?[a-z]+\)", match["pattern"])


def test_no_text_is_left_to_fill_in() -> None:
    texts = [diagnosis(seen(case)) for case in CASES]
    assert [found.name for found in texts if re.search(r"\{\d\}", found.cause + found.fix)] == []


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["name"])
def test_a_fix_names_only_what_there_is(entry: dict[str, Any]) -> None:
    options = {row["option"] for row in resources.options()}
    keys = {key for form in json_schema()["$defs"].values() for key in form["properties"]}
    named = set(re.findall(r"(?<!\[)\b([a-z][A-Za-z]+):(?=[ ;,.)]|$)", entry["fix"]))
    assert named - options - keys == set()
    assert set(re.findall(r"jenkins-kaniko ([a-z]+)", entry["fix"])) - set(cli.COMMANDS) == set()


# --- whole Jenkins logs ----------------------------------------------------------------------------------------------

ENGINE = [
    ANNOUNCED,
    "make: *** No rule to make target 'all'.  Stop.",
    f"{RUN_FAILED}exit status 2",
]
AFTER = ["[Pipeline] }", "[Pipeline] // container", "ERROR: script returned exit code 2", "Finished: FAILURE"]
EXPECTED = explanation(Seen("\n".join(ENGINE), 2))


@pytest.mark.parametrize(
    "stamp",
    ["", "[2026-11-21T10:00:00.123Z] ", "2026-11-21T10:00:00.123456789Z ", "10:00:00  ", "10:00:00.123 "],
)
def test_timestamps_and_the_pipelines_own_lines_do_not_count(stamp: str) -> None:
    lines = ["Started by user", "[Pipeline] sh", *ENGINE, *AFTER]
    assert explanation(failure("".join(f"{stamp}{line}\r\n" for line in lines))) == EXPECTED.replace(
        "last lines of the log:\n", "last lines of the log:\n  | Started by user\n"
    )


def test_colours_and_hidden_notes_do_not_count() -> None:
    note = "\x1b[8mha:////4AAAAABBBB==\x1b[0m"
    lines = [note + ENGINE[0].replace("INFO", "\x1b[36mINFO\x1b[0m"), *ENGINE[1:], note + "[Pipeline] }", AFTER[2]]
    assert explanation(failure("\n".join(lines))) == EXPECTED


def test_of_branches_side_by_side_the_one_that_failed_counts() -> None:
    failed = [f"[api] {line}" for line in ENGINE]
    other = [f"[web] {line}" for line in ("INFO[0010] RUN true", "INFO[0011] Pushing image to r/web", "done")]
    mixed = [line for pair in zip(failed, other, strict=True) for line in pair]
    assert explanation(failure("\n".join([*mixed, "[web] INFO[0013] Pushed r/web@sha256:1", AFTER[2]]), 2)) == EXPECTED


def test_the_last_failure_counts() -> None:
    first = ["error pushing image: failed to push to destination r/a: POST https://r/v2/: UNAUTHORIZED: no", "Retrying"]
    assert diagnosis(failure("\n".join([*first, *ENGINE]))).name == "run-failed"


@pytest.mark.parametrize(
    ("lines", "name", "first"),
    [
        pytest.param(
            ["INFO[0022] Taking snapshot of full filesystem...", "Killed", "ERROR: script returned exit code 137"],
            "out-of-memory",
            "build failed (exit code 137)",
            id="what the log says of the exit code",
        ),
        pytest.param(
            [ANNOUNCED, "Cancelling nested steps due to timeout", "Sending interrupt signal", "Finished: ABORTED"],
            "interrupted",
            "Cancelling nested steps due to timeout",
            id="a timeout",
        ),
        pytest.param(
            [
                "[Pipeline] container",
                "io.fabric8.kubernetes.client.KubernetesClientException: container kaniko not found in pod maven-1",
                "\tat io.fabric8.kubernetes.client.Client.exec(Client.java:1)",
                "Finished: FAILURE",
            ],
            "container-missing",
            "io.fabric8.kubernetes.client.KubernetesClientException: container kaniko not found in pod maven-1",
            id="an exception",
        ),
        pytest.param(
            ['[builds/kaniko-1][Warning][Failed] Back-off pulling image "gcr.io/kaniko-project/executor:debug"'],
            "pull-failed",
            '[builds/kaniko-1][Warning][Failed] Back-off pulling image "gcr.io/kaniko-project/executor:debug"',
            id="an event of the pod",
        ),
        pytest.param(["hello", "Finished: SUCCESS", ""], "unknown", "build failed", id="nothing that is known"),
        pytest.param([], "silent", "build failed", id="nothing at all"),
    ],
)
def test_what_else_a_log_tells(lines: list[str], name: str, first: str) -> None:
    found = failure("\n".join(lines))
    assert diagnosis(found).name == name
    assert explanation(found).split("\n")[0] == first


def test_an_error_that_is_not_known_is_not_taken_for_the_end_of_the_log() -> None:
    error = "ERROR: kanikoBuild: unknown option tag; did you mean tags? (valid: image, tags)"
    log = ["[Pipeline] }", error, "Finished: FAILURE", ""]
    assert diagnosis(failure("\n".join(log))).cause == error
    assert "Finished: FAILURE" not in explanation(failure("\n".join(log)))


def test_a_long_log_takes_no_long_time() -> None:
    noise = "".join(
        f"INFO[{number:04d}] https://r.example.com/ lookup x 10:00 dial tcp {number}\n" for number in range(15000)
    )
    start = time.monotonic()
    assert diagnosis(failure(noise + "error building image: something new\n" + noise[:1000])).name == "unknown"
    assert time.monotonic() - start < 3


# --- the command -----------------------------------------------------------------------------------------------------


def explain(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "jenkins_kaniko", "explain", *arguments]
    return subprocess.run(command, input=stdin, capture_output=True, check=False, cwd=cwd)


def test_the_command_names_the_line_of_the_dockerfile(tmp_path: Path) -> None:
    (tmp_path / "Dockerfile").write_text("FROM x\nRUN make\n", encoding="utf-8")
    (tmp_path / "console.txt").write_text("\n".join([*ENGINE, *AFTER]), encoding="utf-8")
    done = explain("console.txt", "--dockerfile", "Dockerfile", cwd=tmp_path)
    expected = explanation(Seen("\n".join(ENGINE), 2, None, "FROM x\nRUN make\n", "Dockerfile"))
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == expected + "\n"
    assert "  at Dockerfile:2: RUN make\n" in expected


def test_the_command_speaks_json() -> None:
    done = explain("-", "--exit-code", "137", "--output", "json", stdin=f"{ANNOUNCED}\n".encode())
    entry = next(entry for entry in ENTRIES if entry["name"] == "out-of-memory")
    assert json.loads(done.stdout) == {
        "schemaVersion": 1,
        "command": "explain",
        **{key: entry[key] for key in ("name", "cause", "fix", "see", "retry")},
        "line": "RUN make",
        "said": ANNOUNCED,
    }


def test_a_log_that_is_no_text_is_read_all_the_same() -> None:
    done = explain("-", stdin=b"\xff\xfe\x00\n" + "\n".join(ENGINE).encode())
    assert done.returncode == 0
    assert b"cause: the command of a RUN failed" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.txt"], "'missing.txt': No such file or directory"),
        (["-", "--dockerfile", "missing"], "missing: No such file or directory"),
        (["-", "--exit-code", "x"], "'x' is not a valid integer"),
    ],
)
def test_wrong_input_is_1(tmp_path: Path, arguments: list[str], said: str) -> None:
    done = explain(*arguments, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert said in done.stderr.decode()


def test_memory_does_not_grow_with_the_log() -> None:
    command = [sys.executable, "-m", "jenkins_kaniko", "explain", "-"]
    limit = 500 * 2**20
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(800):
            process.stdin.write(b"some line of a build\n" * 50_000)
        process.stdin.write("\n".join(ENGINE).encode())
        process.stdin.close()
        assert b"cause: the command of a RUN failed" in process.stdout.read()
    assert process.returncode == 0

"""What .dockerignore leaves out, by Docker's rules."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.dockerignore import NONE, Rules, parse
from jenkins_kaniko.errors import WrongInputError


def rules_of(text: str) -> Rules:
    return parse(text, ".dockerignore", [], [])


def number(rules: Rules, path: str) -> int:
    """Return the rule that decides on a path, as a walk finds it that begins at the top."""
    found, parts = NONE, path.split("/")
    for length in range(1, len(parts) + 1):
        found = rules.last("/".join(parts[:length]), found)
    return found


def left_out(text: str, paths: str) -> str:
    rules = rules_of(text)
    return " ".join(path for path in paths.split(" ") if rules.excludes(number(rules, path)))


@pytest.mark.parametrize(
    ("text", "paths", "expected"),
    [
        # the examples of Docker's reference of the file
        ("# comment", "# comment", ""),
        ("*/temp*", "temp a/temp a/temporary.txt a/b/temp a/temp/x", "a/temp a/temporary.txt a/temp/x"),
        ("*/*/temp*", "a/temp a/b/temporary.txt a/b/c/temp", "a/b/temporary.txt"),
        ("temp?", "temp tempa tempb temp/ tempab a/tempa", "tempa tempb"),
        ("/foo/bar", "foo/bar bar a/foo/bar foo/bar/x", "foo/bar foo/bar/x"),
        ("foo/bar", "foo/bar bar a/foo/bar foo", "foo/bar"),
        ("**/*.go", "a.go b/a.go b/c/a.go a.goo", "a.go b/a.go b/c/a.go"),
        ("*.md\n!README.md", "a.md README.md b/a.md", "a.md"),
        ("*.md\n!README*.md\nREADME-secret.md", "a.md README.md README-secret.md", "a.md README-secret.md"),
        ("*.md\nREADME-secret.md\n!README*.md", "a.md README.md README-secret.md", "a.md"),
        (".", "a b", ""),
        # lines
        ("\ufeffa", "a", "a"),
        ("a\r\nb\r\n", "a b", "a b"),
        ("  a  \n\n\t\nb", "a b", "a b"),
        (" #a", "#a", "#a"),
        ("*\n! a", "a b", "b"),
        # slashes and dots
        ("a/", "a a/b", "a a/b"),
        ("//a//b/", "a/b", "a/b"),
        ("./a", "a", "a"),
        ("a/../b", "a b", "b"),
        ("../a", "a", ""),
        ("/", "a", ""),
        ("!/a", "a", ""),
        ("*\n!/a/", "a b", "b"),
        # two stars
        ("**", "a a/b", "a a/b"),
        ("**/a", "a b/a ba b/ba", "a b/a"),
        ("**a", "a b/a ba b/ba", "a b/a ba b/ba"),
        ("**a?", "ab b/ab cab b/cab", "ab b/ab"),
        ("a/**", "a a/b a/b/c ab", "a/b a/b/c"),
        ("a**", "a ab b/a", "a ab"),
        ("a/**/b", "a/b a/x/b a/x/y/b a/xb ab", "a/b a/x/b a/x/y/b"),
        ("a**b", "ab a/b ax/b axb", "ab a/b ax/b"),
        ("**/a/**", "a a/b x/a x/a/b", "a/b x/a/b"),
        ("***", "a a/b", "a a/b"),
        # a class, an escape, and what means something elsewhere only
        ("[a-c]x", "ax bx dx", "ax bx"),
        ("[^a-c]x", "ax dx", "dx"),
        ("[!a]x", "ax !x bx", "ax !x"),
        ("[c-a]x", "ax bx cx", ""),
        ("[^c-a]x", "ax bx", "ax bx"),
        ("[\\]]", "]", "]"),
        ("[*]", "* a", "*"),
        ("\\*", "* a", "*"),
        ("\\!a", "!a a", "!a"),
        ("*.c++", "a.c++ a.ccc", "a.c++"),
        ("*^$", "a^$ a", "a^$"),
        ("{a,b}", "a {a,b}", "{a,b}"),
        ("a]", "a]", "a]"),
        ("*.MD", "a.md", ""),
        # a folder takes what is below it along, and a later exception brings it back
        ("a\n!a/b", "a a/b a/b/c a/c", "a a/c"),
        ("a/b\n!a", "a a/b", ""),
        ("a*\n!a/b\na", "a/b", "a/b"),
    ],
)
def test_what_is_left_out(text: str, paths: str, expected: str) -> None:
    assert left_out(text, paths) == expected


def test_a_name_of_any_bytes_is_matched() -> None:
    rules = rules_of("*.log\nd\udcff?")
    assert [rules.excludes(rules.last(path)) for path in ("a\nb.log", "\udcfe.log", "d\udcff\udcfe")] == [True] * 3


@pytest.mark.parametrize("pattern", ["!", "! ", "[", "[]", "[]a]", "[a", "[a-]", "[-a]", "[^]", "a[", "a\\"])
def test_a_pattern_that_docker_refuses_is_named_with_its_line(pattern: str) -> None:
    with pytest.raises(WrongInputError, match=r"^\.dockerignore:2: '") as caught:
        rules_of(f"# the second line is wrong\n{pattern}\n")
    assert f"'{pattern.strip()}'" in str(caught.value)


def test_what_is_always_and_what_is_never_sent() -> None:
    rules = parse("*\n!.git", ".dockerignore", ["Dockerfile", "a*b"], ["**/.git"])
    paths = ("Dockerfile", "a*b", "axb", ".git", "x/.git")
    assert [rules.excludes(number(rules, path)) for path in paths] == [False, False, True, True, True]


# --- the same by other means -----------------------------------------------------------------------------------------

NAMES = st.text("ab", min_size=1, max_size=2)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
PARTS = st.one_of(st.just("**"), st.text("ab*?", min_size=1, max_size=3).filter(lambda part: "**" not in part))
PATTERNS = st.tuples(st.sampled_from(["", "!"]), st.lists(PARTS, min_size=1, max_size=4).map("/".join)).map("".join)


def matches(pattern: list[str], path: list[str]) -> bool:
    """Whether a pattern matches a path, part by part; two stars are a part of their own."""
    if not pattern:
        return not path
    if pattern == ["**"]:
        return bool(path)
    if pattern[0] == "**":
        return any(matches(pattern[1:], path[skipped:]) for skipped in range(len(path) + 1))
    return bool(path) and part_matches(pattern[0], path[0]) and matches(pattern[1:], path[1:])


def part_matches(pattern: str, name: str) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(part_matches(pattern[1:], name[skipped:]) for skipped in range(len(name) + 1))
    return bool(name) and pattern[0] in ("?", name[0]) and part_matches(pattern[1:], name[1:])


def expected(lines: list[str], path: str) -> bool:
    """Whether a path is left out: the last line decides that matches it or a folder above it."""
    parts = path.split("/")
    answer = False
    for line in lines:
        pattern = posixpath.normpath(line.removeprefix("!")).split("/")
        if any(matches(pattern, parts[:length]) for length in range(1, len(parts) + 1)):
            answer = not line.startswith("!")
    return answer


@given(st.lists(PATTERNS, max_size=5), PATHS)
def test_the_last_match_decides(lines: list[str], path: str) -> None:
    rules = rules_of("\n".join(lines))
    assert rules.excludes(number(rules, path)) == expected(lines, path)


@given(st.lists(PATTERNS, max_size=5), PATHS)
def test_a_folder_is_looked_into_where_something_comes_back(lines: list[str], path: str) -> None:
    rules = rules_of("\n".join(lines))
    parts = path.split("/")
    above = ["/".join(parts[:length]) for length in range(1, len(parts))]
    closed = [
        folder for folder in above if expected(lines, folder) and not rules.may_return(folder, number(rules, folder))
    ]
    assert not closed or expected(lines, path)


def test_a_folder_is_not_looked_into_where_nothing_comes_back() -> None:
    rules = rules_of("!before\nnode_modules\nlib\n!lib/keep/*.txt\n!README.md")
    folders = ("node_modules", "lib", "lib/keep", "lib/other")
    assert [rules.may_return(folder, number(rules, folder)) for folder in folders] == [False, True, True, False]

"""Docker configs, as people and programs write them, and the keys that builders look for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko.dockerconfig import DOCKER_HUB, Account, account_of, host_of, key_of, merge, parse, split, text_of
from jenkins_kaniko.errors import WrongInputError

NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters=":\0"), min_size=1, max_size=12)
PASSWORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=30)
PLAIN = st.builds(Account, NAMES, PASSWORDS)
TOKENS = st.builds(lambda token: Account("<token>", identity_token=token), PASSWORDS)
KEYS = st.sampled_from([DOCKER_HUB, "ghcr.io", "registry:5000", "localhost", "10.0.0.1:5000", "[::1]:5000"])
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda one: st.lists(one) | st.dictionaries(
    st.sampled_from(["auths", "credHelpers", "credsStore", "ghcr.io", "auth", "username", "password"]), one
), max_leaves=12)  # fmt: skip


def auth(pair: str) -> str:
    return base64.b64encode(pair.encode()).decode()


@given(st.dictionaries(KEYS, PLAIN | TOKENS))
def test_what_is_written_is_what_is_read(accounts: dict[str, Account]) -> None:
    text = text_of(accounts)
    assert parse(text, "x").accounts == accounts
    assert text_of(merge([("x", parse(text, "x").accounts)])) == text


@given(st.dictionaries(KEYS, PLAIN), st.dictionaries(KEYS, PLAIN))
def test_two_sources_are_put_together_unless_they_disagree(one: dict[str, Account], two: dict[str, Account]) -> None:
    disputed = [key for key in one.keys() & two.keys() if one[key] != two[key]]
    if not disputed:
        assert merge([("one", one), ("two", two)]) == {**one, **two}
        return
    with pytest.raises(WrongInputError, match="one and two have different accounts for it; keep one") as error:
        merge([("one", one), ("two", two)])
    assert any(str(error.value).startswith(f"{key}: ") for key in disputed)


@given(JSON)
def test_anything_else_is_refused_in_words(data: Any) -> None:
    try:
        accounts = parse(json.dumps(data), "FILE").accounts
    except WrongInputError as error:
        assert str(error).startswith("FILE: ")  # noqa: PT017  # most of them raise
    else:
        assert all(account.username and account.password for account in accounts.values())


@pytest.mark.parametrize(
    ("written", "key", "host"),
    [
        *((name, DOCKER_HUB, "registry-1.docker.io") for name in (
            "docker.io", "index.docker.io", DOCKER_HUB, "https://index.docker.io/v2/", "registry-1.docker.io/",
            "HTTPS://Docker.io",
        )),
        ("https://ghcr.io/v2/", "ghcr.io", "ghcr.io"),
        ("registry.example.com:5000/", "registry.example.com:5000", "registry.example.com:5000"),
        (" http://registry:5000/v1 ", "registry:5000", "registry:5000"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com",) * 3,
    ],
)  # fmt: skip
def test_the_key_of_a_registry(written: str, key: str, host: str) -> None:
    assert (key_of(written), host_of(key_of(written))) == (key, host)


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("ghcr.io/team", "has a path; builders take an account for a whole registry, so give ghcr.io"),
        ("harbor", "a host is expected as it stands in an image's name, with a dot or a port: "),
        ("", "a host is expected"),
        ("user@ghcr.io", "a host is expected"),
        ("ghcr.io:http", "a host is expected"),
    ],
)
def test_what_is_no_registry(written: str, says: str) -> None:
    with pytest.raises(WrongInputError) as error:
        key_of(written)
    assert str(error.value).startswith(f"registry {written}: {says}")


@pytest.mark.parametrize(
    ("image", "key", "repository"),
    [
        ("alpine", DOCKER_HUB, "library/alpine"),
        ("team/app", DOCKER_HUB, "team/app"),
        ("docker.io/team/app", DOCKER_HUB, "team/app"),
        ("registry:5000/app", "registry:5000", "app"),
        ("ghcr.io/team/sub/my-app_1", "ghcr.io", "team/sub/my-app_1"),
    ],
)
def test_where_an_image_is(image: str, key: str, repository: str) -> None:
    assert split(image) == (key, repository)


@pytest.mark.parametrize("image", ["", "ghcr.io/", "ghcr.io/app:1", "ghcr.io/App", "app@sha256:0", "ghcr.io//app"])
def test_a_tag_is_no_part_of_a_repository(image: str) -> None:
    with pytest.raises(WrongInputError, match="an image's name without tag and digest is expected"):
        split(image)


def test_auth_wins_over_the_texts_beside_it() -> None:
    entry = {"auth": auth("robot$ci:a:b"), "username": "old", "password": "old", "email": "x@example.com"}
    assert parse(json.dumps({"auths": {"ghcr.io": entry}}), "x").accounts == {"ghcr.io": Account("robot$ci", "a:b")}


def test_the_lines_of_an_auth_do_not_count() -> None:
    """`base64` breaks them unless it is told not to, and builders put them together again."""
    account = Account("_json_key", "a key of a service account is longer than a line of 76 characters" * 2)
    broken = base64.encodebytes(f"{account.username}:{account.password}".encode()).decode().replace("\n", "\r\n")
    assert parse(json.dumps({"auths": {"gcr.io": {"auth": broken}}}), "x").accounts == {"gcr.io": account}


def test_what_docker_login_leaves_to_programs() -> None:
    data = {
        "auths": {"ghcr.io": {}, "gcr.io": {}, DOCKER_HUB: {"auth": auth("u:p")}, f"{DOCKER_HUB}access-token": {}},
        "credsStore": "desktop",
        "credHelpers": {"gcr.io": "gcloud"},
        "HttpHeaders": {},
    }
    config = parse(json.dumps(data), "x")
    assert config.accounts == {DOCKER_HUB: Account("u", "p")}
    assert config.helpers == {"gcr.io": "gcloud", "ghcr.io": "desktop"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("s3cret", "FILE: not JSON; a docker config is expected"),
        ('["s3cret"]', "FILE: has no auths; a docker config is expected"),
        ('{"ghcr.io": {"auth": "s3cret"}}', "FILE: has no auths"),
        ('{"auths": ["s3cret"]}', "FILE: auths: a mapping is expected"),
        ('{"credsStore": {"s3cret": 1}}', "FILE: credsStore: a text is expected"),
        ('{"credHelpers": {"ghcr.io": 1}}', "FILE: credHelpers.ghcr.io: the name of a program is expected"),
        ('{"auths": {"ghcr.io": "s3cret"}}', "FILE: auths.ghcr.io: a mapping of texts is expected"),
        ('{"auths": {"ghcr.io": {"auth": "s3cret"}}}', "FILE: auths.ghcr.io: auth is not USER:PASSWORD in base64"),
        ('{"auths": {"ghcr.io": {"auth": "é"}}}', "FILE: auths.ghcr.io: auth is not USER:PASSWORD in base64"),
        ('{"auths": {"ghcr.io": {"password": "s3cret"}}}', "FILE: auths.ghcr.io: has a user name or a password, but"),
        (r'{"auths": {"ghcr.io": {"username": "s3cret", "password": "\ud800"}}}', "FILE: auths.ghcr.io: not text"),
        ('{"auths": {"ghcr.io": {}}}', "FILE: auths.ghcr.io: holds no account, and no credsStore does; log in again"),
    ],
)
def test_mistakes_are_named_without_what_is_secret(text: str, says: str) -> None:
    with pytest.raises(WrongInputError) as error:
        parse(text, "FILE")
    assert str(error.value).startswith(says)
    assert "s3cret" not in str(error.value)


def test_what_somebody_types() -> None:
    assert account_of("u", "p") == Account("u", "p")
    assert account_of("<token>", "t") == Account("<token>", identity_token="t")
    for user, password, says in (
        ("u:p", "x", "without a colon"),
        ("", "x", "--username"),
        ("u", "", "of u is empty"),
        ("u", "\udcff", "not text in UTF-8"),
    ):
        with pytest.raises(WrongInputError, match=says):
            account_of(user, password)


def test_no_password_is_in_what_python_shows() -> None:
    shown = repr([Account("u", "s3cret"), Account("u", identity_token="s3cret")])
    assert (shown.count("username='u'"), "s3cret" in shown) == (2, False)

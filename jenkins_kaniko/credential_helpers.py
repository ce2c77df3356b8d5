"""Accounts that programs called docker-credential-NAME hold, asked as docker asks them.

The protocol: the key on standard input, JSON with Username and Secret on standard output.
"""

from __future__ import annotations

import json
import subprocess

from jenkins_kaniko.dockerconfig import TOKEN_USER, Account
from jenkins_kaniko.errors import WrongInputError

TIMEOUT_SECONDS = 60
NOT_THERE = "credentials not found in native keychain"
"""What helpers print on standard output where they have none."""


def account(helper: str, key: str) -> Account:
    """Ask a helper; nothing that it prints is repeated in errors, for it may be a secret.

    Raises:
        WrongInputError: it is not there, or has no account for this key.
    """
    program = f"docker-credential-{helper}"
    try:
        done = subprocess.run(
            [program, "get"], input=key, capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=False
        )
    except FileNotFoundError:
        raise WrongInputError(
            f"{key}: {program} is not on the PATH; the docker config leaves the account to it"
        ) from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise WrongInputError(f"{key}: {program} does not answer: {type(error).__name__}") from None
    if NOT_THERE in done.stdout:
        raise WrongInputError(f"{key}: {program} has no account for it; log in again")
    if done.returncode:
        raise WrongInputError(f"{key}: {program} failed with exit code {done.returncode}; try: {program} get <<< {key}")
    try:
        answer = json.loads(done.stdout)
        username, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise WrongInputError(f"{key}: {program} answers no JSON with Username and Secret") from None
    return Account(TOKEN_USER, identity_token=secret) if username == TOKEN_USER else Account(username, secret)

"""What is told of the end of a build, in the form that each kind of receiver takes. Pure.

Nothing in a text is markup: Slack's is off and its three signs are escaped (docs.slack.dev, formatting message text),
and Teams knows Markdown in text blocks and facts only, not in runs of text (learn.microsoft.com, format cards).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from jenkins_kaniko import buildboard, buildreport, probe, report
from jenkins_kaniko.build import Result
from jenkins_kaniko.build_all import Outcome

ALL = "build --all"
TEXT_LENGTH = 2000
"""Slack advises at most 4000 letters; Teams takes 28 KB."""


@dataclass(frozen=True)
class Notice:
    """The end of a build: for programs as `-o json` prints it, and for people."""

    data: str
    text: str


def pushed(result: Result) -> Notice:
    """Return what is told of an image."""
    lines = [buildreport.summary(result), result.ref]
    lines += [probe.summary(result.probed)] if result.probed else []
    return Notice(report.as_json("build", buildreport.data(result)), "\n".join(lines))


def ended(outcomes: Sequence[Outcome]) -> Notice:
    """Return what is told of the end of several builds."""
    lines = [buildboard.summary(outcomes), *buildboard.failures(outcomes)]
    return Notice(report.as_json("build", buildboard.data(outcomes)), "\n".join(lines))


def failed(image: str | None, message: str, exit_code: int) -> Notice:
    """Return what is told where there is no image; the message alone may not say which.

    Args:
        image: None where several were to be built.
    """
    error = {"message": message, "exitCode": exit_code}
    data = {"image": image, "error": error} if image else {"error": error}
    subject = image or ALL
    text = message if message.startswith(subject) else f"{subject}: {message}"
    return Notice(report.as_json("build", data), text)


def webhook(notice: Notice) -> str:
    """Return the body for a program."""
    return notice.data


def slack(notice: Notice) -> str:
    """Return the body for an incoming webhook of Slack."""
    text = _shortened(notice.text)
    for sign, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(sign, escaped)
    return json.dumps({"text": text, "mrkdwn": False})


def teams(notice: Notice) -> str:
    """Return the body for a workflow of Teams that posts an adaptive card."""
    run = {"type": "TextRun", "text": _shortened(notice.text)}
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": [{"type": "RichTextBlock", "inlines": [run]}],
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return json.dumps({"type": "message", "attachments": [attachment]})


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]} […]"

"""What receivers are told of the end of a build: whole bodies, and that no text in them is markup."""

from __future__ import annotations

import html
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jenkins_kaniko import notices
from jenkins_kaniko.build import Result
from jenkins_kaniko.notices import Notice
from jenkins_kaniko.probe import Probed

IMAGE = "registry.example.com/team/app"
DIGEST = "sha256:" + "0" * 64
RESULT = Result(
    image=IMAGE,
    tags=["1", "latest"],
    digest=DIGEST,
    engine="kaniko",
    seconds=14,
    cache_hits=0,
    cache_misses=1,
    first_miss="RUN <b> & *x*",
    commit=None,
    probed=Probed("app --version", exit_code=0, output="1.4\n", seconds=1),
)
TEXT = (
    f"pushed {IMAGE}:1, latest in 14 s; cache: 0 hits, 1 misses, the first at: RUN <b> & *x*\n"
    f"{IMAGE}@{DIGEST}\nprobe: exit code 0 in 1 s"
)


def test_a_program_gets_the_result_as_it_is_printed() -> None:
    assert json.loads(notices.webhook(notices.pushed(RESULT))) == {
        "schemaVersion": 1,
        "command": "build",
        "image": IMAGE,
        "tags": ["1", "latest"],
        "digest": DIGEST,
        "ref": f"{IMAGE}@{DIGEST}",
        "engine": "kaniko",
        "seconds": 14,
        "cacheHits": 0,
        "cacheMisses": 1,
        "firstMiss": "RUN <b> & *x*",
        "probe": {"command": "app --version", "exitCode": 0, "output": "1.4\n", "seconds": 1},
    }


def test_slack_gets_text_without_its_markup() -> None:
    text = TEXT.replace("<b> & *x*", "&lt;b&gt; &amp; *x*")
    assert json.loads(notices.slack(notices.pushed(RESULT))) == {"text": text, "mrkdwn": False}


def test_teams_gets_a_card_with_a_run_of_text() -> None:
    assert json.loads(notices.teams(notices.pushed(RESULT))) == {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.4",
                    "body": [{"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": TEXT}]}],
                },
            }
        ],
    }


@pytest.mark.parametrize("message", [f"{IMAGE}:1: build failed", "build failed"])
def test_a_failure_says_of_which_image(message: str) -> None:
    notice = notices.failed(f"{IMAGE}:1", message, 6)
    assert notice.text == f"{IMAGE}:1: build failed"
    assert json.loads(notices.webhook(notice)) == {
        "schemaVersion": 1,
        "command": "build",
        "image": f"{IMAGE}:1",
        "error": {"message": message, "exitCode": 6},
    }


@given(st.text(st.characters(), max_size=2500))
def test_no_text_is_markup_and_none_is_lost(text: str) -> None:
    shown = text if len(text) <= 2000 else f"{text[:2000]} […]"
    escaped = json.loads(notices.slack(Notice("", text)))["text"]
    assert not set("<>") & set(escaped)
    assert html.unescape(escaped) == shown
    card = json.loads(notices.teams(Notice("", text)))["attachments"][0]["content"]
    assert card["body"][0]["inlines"][0]["text"] == shown

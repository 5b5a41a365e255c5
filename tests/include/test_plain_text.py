from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from include.cli.output import print_table, say, to_json
from include.plain_text import one_line, visible
from include.quickbooks.faults import redact
from include.receivables.alerts.webhook_call import slack_text
from include.receivables.alerts.wording import Item, compose

if TYPE_CHECKING:
    import pytest

# Clears a screen, turns words around, begins a line, is a C1 control, hides.
NASTY = "Acme\x1b[2J\u202egro.live\u202c\r\nERROR forged\x9b31m\u2028next\u200b\x00\x7f"
SHOWN = "Acme[2Jgro.live ERROR forged31m next"


def test_a_text_becomes_one_line_of_what_can_be_seen():
    assert one_line(NASTY) == SHOWN
    assert one_line("  Café 東京 שלום 😀\tLtd ") == "Café 東京 שלום 😀 Ltd"
    assert visible("a\n  b\x1b[0m\n") == "a\n  b[0m\n"


def test_a_table_and_a_sentence_command_no_terminal(capsys: pytest.CaptureFixture[str]):
    print_table(("company_id", "name"), [{"company_id": "acme", "name": NASTY}])
    say(f"  {NASTY}")

    out = capsys.readouterr().out
    assert out.splitlines()[1] == f"acme        {SHOWN}"
    assert all(sign.isprintable() for sign in out.replace("\n", ""))


def test_json_says_exactly_what_there_is_and_commands_no_terminal():
    text = to_json({"name": NASTY, "plain": "Café 😀"})

    assert json.loads(text) == {"name": NASTY, "plain": "Café 😀"}
    assert "Café 😀" in text
    assert all(sign.isprintable() for sign in text.replace("\n", ""))


def test_what_quickbooks_says_is_one_line_of_a_log():
    assert redact(NASTY) == SHOWN


def test_a_mail_and_a_chat_are_told_nothing_that_is_obeyed():
    item = Item(
        batch_id=uuid4(),
        message_id=1,
        kind="opened",
        company_id="acme",
        company_name=NASTY,
        code="differs",
        detail="",
        level="danger",
        sentence=NASTY,
        remedy=NASTY,
        owner="bookkeeper",
        amounts={},
        count=1,
        since=datetime.now(UTC),
        gone_at=None,
    )
    message = compose("1", [item], "https://airflow.example")

    for told in (message.subject, message.text, message.html, slack_text(message)):
        assert all(sign.isprintable() for sign in told.replace("\n", ""))
    assert "\n" not in message.subject

"""Messages, mailboxes and calendars: the richer body, every person, every date."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from roma_core.errors import ParserError
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.text import calendar, mail
from roma_core.types import Document, RawDocument

EVENT = """BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Europe/Vienna
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Budget review\\, part 2
DTSTART;TZID=Europe/Vienna:20260302T140000
DTEND:20260302T150000Z
LOCATION:Room 4
ORGANIZER;CN=Ann Lee:mailto:ann@example.org
DESCRIPTION:Bring the figures\\nof 2025
  and the plan.
BEGIN:VALARM
DESCRIPTION:Reminder
END:VALARM
END:VEVENT
END:VCALENDAR
"""


def message(plain: str, page: str = "", **headers: str) -> EmailMessage:
    made = EmailMessage()
    made["Subject"], made["From"] = "Figures", "Ann <ann@example.org>"
    for name, value in headers.items():
        made[name.replace("_", "-")] = value
    made.set_content(plain)
    if page:
        made.add_alternative(page, subtype="html")
    return made


def read(made: EmailMessage) -> Document:
    return mail.parse_eml(RawDocument(uri="a.eml", data=bytes(made)), ParseOptions())


def test_a_stub_gives_way_to_the_page_with_the_words() -> None:
    page = "<p>The fee is 40 euro for each started hour of work.</p><table><tr><td>Rate</td><td>40</td></tr></table>"
    document = read(message("Your client shows no HTML.", page))
    assert "40 euro" in document.text and "| Rate | 40 |" in document.text
    assert "shows no HTML" not in document.text


def test_plain_words_stay_where_the_page_says_no_more() -> None:
    document = read(message("Hello Bob,\n\nthe plan is done and the figures are in it.", "<p>Hello Bob</p>"))
    assert "the plan is done and the figures are in it." in document.text


def test_the_address_for_replies_is_kept() -> None:
    assert "Reply-To: desk@example.org" in read(message("x y z", Reply_To="desk@example.org")).text


def test_an_invitation_is_read_and_an_attachment_is_named_in_the_loss_ledger() -> None:
    made = message("You are invited.")
    made.add_attachment(EVENT.encode(), maintype="text", subtype="calendar", filename="invite.ics")
    made.add_attachment(b"1234", maintype="application", subtype="pdf", filename="plan.pdf")
    document = read(made)
    assert "Budget review, part 2" in document.text and "Place: Room 4" in document.text
    assert [(entry.text, entry.why) for entry in document.left_out] == [
        ("plan.pdf (application/pdf, 4 bytes)", "attachment")
    ]


def test_a_calendar_shows_times_people_and_words() -> None:
    document = calendar.parse(RawDocument(uri="a.ics", data=EVENT.replace("\n", "\r\n").encode()), ParseOptions())
    assert document.text == (
        "# Budget review, part 2\n\nStart: 2026-03-02 14:00 (Europe/Vienna)\nEnd: 2026-03-02 15:00 UTC\nPlace: Room 4\n"
        "Organizer: Ann Lee <ann@example.org>\nDescription: Bring the figures\nof 2025 and the plan."
    )


def test_a_calendar_without_an_event_is_damaged() -> None:
    with pytest.raises(ParserError, match="no event"):
        calendar.parse(RawDocument(uri="a.ics", data=b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"), ParseOptions())


def mailbox(*messages: EmailMessage) -> bytes:
    return b"".join(b"From ann@example.org Mon Mar  2 10:00:00 2026\n" + bytes(m) + b"\n" for m in messages)


def test_a_mailbox_is_a_section_for_each_message() -> None:
    first, second = message("From the start it was clear.\n\n>From 2025 on."), message("Second words.")
    data = mailbox(first, second).replace(b"\nFrom the start", b"\n>From the start")
    document = mail.parse_mbox(RawDocument(uri="a.mbox", data=data), ParseOptions())
    assert [section.kind for section in document.sections] == ["message", "message"]
    assert "From the start it was clear." in document.text and "Second words." in document.text
    assert document.metadata["messages"] == 2


def test_what_holds_no_message_is_no_mailbox() -> None:
    with pytest.raises(ParserError, match="no message"):
        mail.parse_mbox(RawDocument(uri="a.mbox", data=b"just words"), ParseOptions())


def test_each_part_of_a_message_is_read_in_its_richer_form() -> None:
    made = message(
        "Hello Bob, the figures of May.",
        "<p>Hello Bob, the figures of May.</p><table><tr><td>a</td><td>102</td></tr></table>",
    )
    made.add_attachment("Inline part 103", disposition="inline")
    made.add_attachment(b"\x89PNG", "image", "png", disposition="inline")
    made.add_attachment(b"data", "application", "octet-stream", disposition="inline")
    document = read(made)
    assert "| a | 102 |" in document.text and "Inline part 103" in document.text
    assert [entry.text for entry in document.left_out] == [
        "unnamed (image/png, 4 bytes)",
        "unnamed (application/octet-stream, 4 bytes)",
    ]


def test_headers_in_an_encoding_of_their_own_are_read() -> None:
    data = "From: a@b.c\nSubject: R\xe9sum\xe9 7\n\nCaf\xe9 8\n".encode("latin-1")
    document = mail.parse_eml(RawDocument(uri="a.eml", data=data), ParseOptions())
    assert document.title == "Résumé 7" and "Café 8" in document.text


def test_lines_that_a_sender_only_wrapped_are_one() -> None:
    data = b"From: a@b.c\nContent-Type: text/plain; format=flowed\n\nThe figures \nof 2024.\n-- \nAnn\n"
    document = mail.parse_eml(RawDocument(uri="a.eml", data=data), ParseOptions())
    assert "The figures of 2024." in document.text


def test_a_report_of_delivery_is_read() -> None:
    data = (
        b"From: a@b.c\nContent-Type: multipart/report; boundary=x\n\n--x\nContent-Type: text/plain\n\nNot sent.\n--x\n"
        b"Content-Type: message/delivery-status\n\nReporting-MTA: dns; e.org\n\nStatus: 5.1.1\n--x--\n"
    )
    assert "Status: 5.1.1" in mail.parse_eml(RawDocument(uri="a.eml", data=data), ParseOptions()).text


def test_parameters_of_a_calendar_may_hold_colons() -> None:
    person, words = 'ATTENDEE;CN="Doe: J";ROLE=X:mailto:d@e.org', 'DESCRIPTION;ALTREP="x:y":Line 1'
    text = f"BEGIN:VEVENT\nSUMMARY:S\n{person}\n{words}\nEND:VEVENT"
    (event,) = calendar.read_events(text)
    assert event["ATTENDEE"] == ["Doe: J <d@e.org>"] and event["DESCRIPTION"] == ["Line 1"]

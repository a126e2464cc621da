"""Mailboxes as programs really write them: separators without an empty line, and texts that look like separators."""

from __future__ import annotations

from io import BytesIO

import pytest

from roma_core.connectors.mailbox.connector import split_mbox
from roma_core.errors import ConnectorError, ErrorCode

TIME = b"Sat Nov 28 09:00:00 2026"
SEPARATOR = b"From ada@example.org " + TIME + b"\n"


def split(data: bytes) -> list[bytes]:
    return list(split_mbox(BytesIO(data), "in.mbox"))


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"", []),
        (SEPARATOR + b"Subject: 1\n\none\n\n" + SEPARATOR + b"Subject: 2\n\ntwo\n", [b"one\n", b"two\n"]),
        (SEPARATOR + b"Subject: 1\n\none\n" + SEPARATOR + b"Subject: 2\n\ntwo\n", [b"one\n", b"two\n"]),
        (b"From ada\nSubject: 1\n\none\n\nFrom bo\nSubject: 2\n\ntwo\n", [b"one\n", b"two\n"]),
        (SEPARATOR + b"Subject: 1\n\nFrom here on\nwe walk.\n", [b"From here on\nwe walk.\n"]),
        (SEPARATOR + b"Subject: 1\n\nHi,\n\nFrom 09:00 on 1 May 2026\n\nbye\n", [b"From 09:00 on 1 May 2026\n\nbye\n"]),
        (SEPARATOR + b"Subject: 1\n\nFrom: Bo\nSubject: quoted\n", [b"From: Bo\nSubject: quoted\n"]),
        (b"\xef\xbb\xbf\n" + SEPARATOR + b"Subject: 1\n\none\n", [b"one\n"]),
        (
            (SEPARATOR + b"Subject: 1\n\none\n\n" + SEPARATOR + b"A: b\n\ntwo").replace(b"\n", b"\r\n"),
            [b"one\r\n", b"two"],
        ),
        (SEPARATOR + b">From bo@example.org " + TIME + b"\nSubject: 1\n\none\n", [b"one\n"]),
        (SEPARATOR + b"\nno headers\n\n" + SEPARATOR + b"Subject: 2\n\ntwo\n", [b"no headers\n", b"two\n"]),
    ],
)
def test_each_message_is_whole_and_by_itself(data: bytes, messages: list[bytes]) -> None:
    found = split(data)
    assert len(found) == len(messages)
    assert all(one.endswith(text) for one, text in zip(found, messages, strict=True))


@pytest.mark.parametrize("data", [b"From here on we walk.\n", b"Subject: 1\n\none\n", b"\x00\x01 no mail"])
def test_what_is_no_mailbox_says_so(data: bytes) -> None:
    with pytest.raises(ConnectorError) as caught:
        split(data)
    assert caught.value.code is ErrorCode.CONNECTOR_UNSUPPORTED

"""E-mail: EML and Outlook's MSG as header lines, body, quoted parts, list of attachments; saved pages (MHTML)."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import policy
from email.message import EmailMessage, MIMEPart
from email.parser import BytesParser
from itertools import groupby
from typing import Any

from roma_core.errors import ErrorCode, ParserError
from roma_core.parsers import hyperlinks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem, file_name, one_line
from roma_core.parsers.containers import MAX_PARTS
from roma_core.parsers.text import calendar
from roma_core.parsers.text.encodings import decode
from roma_core.parsers.web import html, markup
from roma_core.types import Document, RawDocument

_UNDECLARED = re.compile("[\udc80-\udcff]")
"""Bytes above 0x7F in a header, which it may not have; older programs write them in their own encoding."""
HEADERS = ("From", "To", "Cc", "Reply-To", "Date")
MAX_NESTED = 10
_OUTLOOK_ERRORS = (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError, UnicodeError)
"""Errors that the reader of Outlook's files ends with on damaged ones."""


@dataclass
class MailBody:
    """A part of a message that is read, in one form or as plain text and as a page."""

    text: str = ""
    html: bytes = b""
    charset: str | None = None


@dataclass
class Mail:
    """A message, whatever file it came in."""

    subject: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    bodies: list[MailBody] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    """Pictures that stand in the text: logos, signatures, screenshots."""
    calendars: list[str] = field(default_factory=list)
    attachments: list[str] = field(default_factory=list)
    nested: list[Mail] = field(default_factory=list)


def parse_eml(raw: RawDocument, options: ParseOptions) -> Document:
    """EML. Raises ``EMPTY``."""
    return _document(raw, options, "eml", read_mail(read_message(raw.data)))


def parse_msg(raw: RawDocument, options: ParseOptions) -> Document:
    """MSG. Raises ``MALFORMED`` and ``EMPTY``."""
    from oxmsg import Message

    try:
        found = Message.load(io.BytesIO(raw.data))
        mail = _outlook(found)
    except _OUTLOOK_ERRORS as error:
        raise ParserError("The message is damaged; save it again in Outlook, as .msg or .eml.") from error
    return _document(raw, options, "msg", mail)


def parse_mhtml(raw: RawDocument, options: ParseOptions) -> Document:
    """A page saved with its images. Raises ``MALFORMED`` when no page is in it, and as ``html.parse``."""
    message = read_message(raw.data)
    page = next(
        (part for part in message.walk() if part.get_content_type() in {"text/html", "application/xhtml+xml"}), None
    )
    if page is None:
        raise ParserError("The archive holds no page; save it again from the browser.")
    charset = page.get_content_charset()
    address = str(page.get("Content-Location") or message.get("Snapshot-Content-Location") or "")
    address = address if address.startswith("http") else ""
    inner = RawDocument(
        uri=raw.uri,
        data=_payload(page),
        media_type=f"text/html; charset={charset}" if charset else "text/html",
        title=raw.title or one_line(str(message.get("Subject") or "")) or None,
        metadata={"url": address} if address else {},
    )
    document = html.parse(inner, options)
    metadata = {"canonical": address, **document.metadata} if address else document.metadata
    return document.model_copy(update={"content_sha256": raw.sha256, "metadata": metadata, "parser": "mhtml"})


def read_message(data: bytes) -> EmailMessage:
    """Return a message with its headers. Raises ``MALFORMED`` for what has none."""
    message = BytesParser(policy=policy.default).parsebytes(data.lstrip())
    if not isinstance(message, EmailMessage) or not message.keys():
        raise ParserError("The file has no mail headers; it is damaged or no e-mail.")
    return message


def read_mail(message: MIMEPart, depth: int = 0) -> Mail:
    """Headers, bodies and attachments of a message; forwarded messages are read as well."""
    mail = Mail(subject=one_line(_header(message, "Subject")))
    mail.headers = {name: text for name in HEADERS if (text := one_line(_header(message, name)))}
    for group in _body_groups(message):
        body = MailBody()
        for part in group:
            _take_part(mail, body, part)
        if body.text.strip() or body.html.strip():
            mail.bodies.append(body)
    return _with_nested(mail, message, depth)


def _take_part(mail: Mail, body: MailBody, part: MIMEPart) -> None:
    kind = part.get_content_type()
    described = f"{part.get_filename() or 'unnamed'} ({kind}, {len(_payload(part))} bytes)"
    if kind == "text/calendar":
        mail.calendars.append(decode_part(part))
    elif kind == "message/delivery-status":
        blocks: Any = part.get_payload()
        lines = [f"{name}: {one_line(str(value))}" for block in blocks for name, value in block.items()]
        body.text += "\n".join(lines) + "\n\n"
    elif is_attachment(part):
        mail.attachments.append(described)
    elif part.get_content_maintype() == "image":
        mail.pictures.append(described)
    elif kind == "text/html" and not body.html:
        body.html, body.charset = _payload(part), part.get_content_charset()
    else:
        body.text += _unflow(part) + "\n\n"


def _body_groups(message: MIMEPart) -> Iterator[list[MIMEPart]]:
    """Yield the parts of a message; those that say the same in several forms together."""
    if message.get_content_type() == "multipart/alternative":
        yield list(_own_parts(message))
    elif message.is_multipart() and message.get_content_type() != "message/delivery-status":
        for part in message.iter_parts():
            if isinstance(part, MIMEPart) and part.get_content_type() != "message/rfc822":
                yield from _body_groups(part)
    else:
        yield [message]


def _unflow(part: MIMEPart) -> str:
    """Return the text of a part; lines that its sender only wrapped (RFC 3676) are one again."""
    text = decode_part(part)
    if str(part.get_param("format") or "").lower() != "flowed":
        return text
    is_joined = str(part.get_param("delsp") or "").lower() == "yes"
    lines: list[str] = []
    is_open = False
    for line in text.split("\n"):
        wraps = line.endswith(" ") and line != "-- "
        shown = line[:-1] if wraps and is_joined else line
        if is_open and not line.startswith(">"):
            lines[-1] += shown.removeprefix(" ")
        else:
            lines.append(shown.removeprefix(" "))
        is_open = wraps
    return "\n".join(lines)


def is_attachment(part: MIMEPart) -> bool:
    """Return whether a part is a file of its own: named or declared so, or neither text nor a picture."""
    if part.get_content_disposition() == "attachment":
        return True
    if part.get_content_maintype() == "image":
        return False
    return bool(part.get_filename()) or part.get_content_maintype() not in {"text", "message", "multipart"}


def iter_attachments(message: MIMEPart, depth: int = 0) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, media type and bytes of the files that a message, and those forwarded in it, carry.

    Pictures that stand in the text (logos, signatures) are no files.
    """
    for part in _own_parts(message):
        if is_attachment(part) and part.get_content_type() != "text/calendar":
            yield part.get_filename() or "unnamed", part.get_content_type(), _payload(part)
    for inner in _find_forwarded(message) if depth < MAX_NESTED else ():
        yield from iter_attachments(inner, depth + 1)


def _own_parts(message: MIMEPart) -> Iterator[MIMEPart]:
    """The leaves of a message without those of the messages inside it."""
    if not message.is_multipart() or message.get_content_type() == "message/delivery-status":
        yield message
        return
    for part in message.iter_parts():
        if isinstance(part, MIMEPart) and part.get_content_type() != "message/rfc822":
            yield from _own_parts(part)


def _with_nested(mail: Mail, message: MIMEPart, depth: int) -> Mail:
    for inner in _find_forwarded(message) if depth < MAX_NESTED else ():
        mail.nested.append(read_mail(inner, depth + 1))
    return mail


def _find_forwarded(message: MIMEPart) -> Iterator[MIMEPart]:
    """Yield the messages that a message holds."""
    for part in message.iter_parts() if message.is_multipart() else ():
        if part.get_content_type() == "message/rfc822":
            inner = part.get_payload()
            found = inner[0] if isinstance(inner, list) and inner else None
            if isinstance(found, MIMEPart):
                yield found


def _header(message: MIMEPart, name: str) -> str:
    written = next((str(text) for key, text in message.raw_items() if key.lower() == name.lower()), "")
    if _UNDECLARED.search(written):
        return " ".join(decode(written.encode("utf-8", "surrogateescape")).split())
    try:
        return str(message.get(name) or "")
    except (ValueError, IndexError, AttributeError, TypeError):  # the standard library stumbles over some headers
        return ""


def _payload(part: Any) -> bytes:
    data = part.get_payload(decode=True)
    return data if isinstance(data, bytes) else b""


def decode_part(part: Any) -> str:
    """Return the text of a message part in the encoding that it declares."""
    data = _payload(part)
    return decode(data, part.get_content_charset()) if data.strip() else ""


def _outlook(message: Any) -> Mail:
    people = [f"{r.name} <{r.email_address}>" if r.email_address else r.name for r in message.recipients]
    sent = message.sent_date
    headers = {"From": message.sender or "", "To": ", ".join(filter(None, people)), "Date": str(sent) if sent else ""}
    page = message.html_body or ""
    return Mail(
        subject=one_line(message.subject or ""),
        headers={name: one_line(text) for name, text in headers.items() if text},
        bodies=[
            MailBody(
                message.body or "",
                page.encode("utf-8", "replace") if isinstance(page, str) else bytes(page),
                "utf-8",
            )
        ],
        attachments=[
            f"{a.file_name or 'unnamed'} ({a.mime_type or 'unknown'}, {a.size} bytes)" for a in message.attachments
        ],
    )


def _document(raw: RawDocument, options: ParseOptions, name: str, mail: Mail) -> Document:
    builder = DocumentBuilder(raw, options, name, title=mail.subject or None)
    builder.metadata = {key.lower(): value for key, value in mail.headers.items()}
    if mail.attachments:
        builder.metadata["attachments"] = mail.attachments
    if not (mail.bodies or mail.headers or mail.nested):
        raise ParserError("The message has neither headers nor text.", ErrorCode.PARSER_EMPTY)
    _write(builder, mail, 1)
    return builder.build()


def _write(builder: DocumentBuilder, mail: Mail, level: int) -> None:
    builder.open_section(mail.subject or "Message", "message", level)
    builder.heading(mail.subject, min(level, 6), section=False)
    builder.paragraph("\n".join(f"{name}: {text}" for name, text in mail.headers.items()))
    for body in mail.bodies:
        _write_body(builder, body)
    for picture in mail.pictures:
        builder.leave_out(picture, "attachment", place=f"picture in message {mail.subject!r}")
    for text in dict.fromkeys(mail.calendars):
        calendar.write_events(builder, text, min(level + 1, 6))
    if mail.attachments:
        builder.paragraph("Attachments:")
        builder.list([ListItem(text) for text in mail.attachments])
        for text in mail.attachments:
            builder.leave_out(text, "attachment", place=f"message {mail.subject!r}")
    for inner in mail.nested:
        _write(builder, inner, level + 1)


def _write_body(builder: DocumentBuilder, body: MailBody) -> None:
    if body.html.strip() and _html_says_more(body):
        page = html.parse_html(body.html, body.charset, leave_out=builder.leave_out)
        hyperlinks.mark_anchors(page, html.base_of(page, ""), markup.BLOCKS)
        markup.write(builder, markup.read_blocks(next(page.iter("body"), page)))
    else:
        write_plain(builder, body.text)


_STRUCTURE = re.compile(rb"<(?:table|ul|ol|h[1-6])[\s>]", re.IGNORECASE)
_SILENT = re.compile(rb"<(style|script|head)\b.*?</\1\s*>|<[^>]*>|&\w+;", re.IGNORECASE | re.DOTALL)


def _html_says_more(body: MailBody) -> bool:
    """Return whether the HTML form holds more than the plain one: a structure, or a fifth more words."""
    plain_words = len(body.text.split())
    html_words = len(_SILENT.sub(b" ", body.html).split())
    is_stub = html_words > 1.2 * plain_words + 5
    return is_stub or (_STRUCTURE.search(body.html) is not None and html_words >= 0.8 * plain_words)


def iter_outlook_attachments(data: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield name, media type and bytes of the files that an Outlook message carries. Raises ``MALFORMED``."""
    from oxmsg import Message

    try:
        for attachment in Message.load(io.BytesIO(data)).attachments:
            content = attachment.file_bytes or b""
            yield attachment.file_name or "unnamed", attachment.mime_type or "", content
    except _OUTLOOK_ERRORS as error:
        raise ParserError("The message is damaged; save it again in Outlook, as .msg or .eml.") from error


def split_mailbox(data: bytes) -> Iterator[bytes]:
    """Yield the messages of a mailbox file (RFC 4155), with the quoting of lines that begin with "From" undone."""
    for part in _MESSAGE_START.split(data.replace(b"\r\n", b"\n")):
        if part.strip():
            yield _QUOTED_FROM.sub(rb"\1", part)


def subject_of(data: bytes) -> str:
    """Return the subject of a message; empty where it has none."""
    message = BytesParser(policy=policy.default).parsebytes(data.lstrip(), headersonly=True)
    return one_line(_header(message, "Subject")) if isinstance(message, EmailMessage) else ""


def parse_mbox(raw: RawDocument, options: ParseOptions) -> Document:
    """Read a mailbox file: its messages in order, each a section. Raises ``MALFORMED`` and ``EMPTY``.

    With ``parts_apart`` the messages are documents of their own, and this one lists them.
    """
    builder = DocumentBuilder(raw, options, "mbox", title=raw.title or file_name(raw.uri))
    subjects: list[str] = []
    for part in split_mailbox(raw.data):
        try:
            mail = read_mail(read_message(part))
        except ParserError as error:
            builder.warn(f"A message cannot be read: {error.message}")
            continue
        subjects.append(", ".join(filter(None, (mail.subject, mail.headers.get("From"), mail.headers.get("Date")))))
        if not options.parts_apart:
            _write(builder, mail, 1)
    if not subjects:
        raise ParserError("The mailbox holds no message; it is damaged or no mbox file.")
    if options.parts_apart:
        builder.paragraph(f"Mailbox of {len(subjects)} message{'s' if len(subjects) > 1 else ''}:")
        builder.list([ListItem(subject or "without a subject") for subject in subjects])
        if len(subjects) > MAX_PARTS:
            builder.warn(f"only the first {MAX_PARTS} messages of the mailbox are documents of their own")
    builder.metadata["messages"] = builder.metadata["parts"] = len(subjects)
    return builder.build()


_MESSAGE_START = re.compile(rb"(?:\A|(?<=\n))From [^\n]*\d{4}[^\n]*\n(?=[A-Za-z][\w-]*:)")
"""The line that separates messages (RFC 4155): sender and date, then headers."""
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.MULTILINE)


def write_plain(builder: DocumentBuilder, text: str) -> None:
    """Paragraphs between blank lines; lines that begin with ``>`` are quotes."""
    for is_quote, lines in groupby(text.split("\n"), key=lambda line: line.startswith(">")):
        body = "\n".join(line.lstrip("> ") if is_quote else line.rstrip() for line in lines)
        if is_quote:
            builder.quote(body)
            continue
        for paragraph in _paragraphs(body.split("\n")):
            builder.paragraph(paragraph)


def _paragraphs(lines: Sequence[str]) -> list[str]:
    groups = groupby(lines, key=lambda line: bool(line.strip()))
    return ["\n".join(group) for filled, group in groups if filled]

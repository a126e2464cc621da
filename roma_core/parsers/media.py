"""Media type of a file by its content: magic bytes, then what a container holds, then the extension, then its text.

Nothing is unpacked or parsed here, because the parent process does the looking: every test is a search in bytes.
"""

from __future__ import annotations

import codecs
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from roma_core.types import RawDocument

PDF = "application/pdf"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
PPTX = "application/vnd.openxmlformats-officedocument.presentationml.presentation"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
XLSB = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
XLS = "application/vnd.ms-excel"
DOC = "application/msword"
PPT = "application/vnd.ms-powerpoint"
MSG = "application/vnd.ms-outlook"
ENCRYPTED_OFFICE = "application/x-encrypted-office"
OLE = "application/x-ole-storage"
EPUB = "application/epub+zip"
ODT = "application/vnd.oasis.opendocument.text"
ODS = "application/vnd.oasis.opendocument.spreadsheet"
ODP = "application/vnd.oasis.opendocument.presentation"
ZIP = "application/zip"
RTF = "application/rtf"
HTML = "text/html"
MHTML = "multipart/related"
EML = "message/rfc822"
CSV = "text/csv"
TSV = "text/tab-separated-values"
MARKDOWN = "text/markdown"
RST = "text/x-rst"
ORG = "text/x-org"
SRT = "application/x-subrip"
VTT = "text/vtt"
IPYNB = "application/x-ipynb+json"
JSON = "application/json"
XML = "application/xml"
TEXT = "text/plain"
PNG, JPEG, TIFF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/webp"
GIF, BMP = "image/gif", "image/bmp"
BINARY = "application/octet-stream"

EXTENSIONS: dict[str, str] = {
    ".csv": CSV,
    ".eml": EML,
    ".htm": HTML,
    ".html": HTML,
    ".ipynb": IPYNB,
    ".json": JSON,
    ".markdown": MARKDOWN,
    ".md": MARKDOWN,
    ".mht": MHTML,
    ".mhtml": MHTML,
    ".org": ORG,
    ".rst": RST,
    ".rtf": RTF,
    ".srt": SRT,
    ".tab": TSV,
    ".tsv": TSV,
    ".txt": TEXT,
    ".vtt": VTT,
    ".xhtml": HTML,
    ".xml": XML,
}
"""Text formats only: a binary format shows itself by its magic bytes or is not that format."""

MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"\xff\xd8\xff", JPEG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"{\\rtf", RTF),
)
BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

_HEAD = 4096
_TAIL = 4 << 20
"""Bytes of a zip file's end that are searched for its directory."""

_ENTRY = re.compile(
    rb"PK\x01\x02.{42}(word/|ppt/|xl/workbook\.bin|xl/|META-INF/container\.xml|content\.xml)", re.DOTALL
)
_PARTS: tuple[tuple[bytes, str], ...] = (
    (b"word/", DOCX),
    (b"ppt/", PPTX),
    (b"xl/workbook.bin", XLSB),
    (b"xl/", XLSX),
    (b"META-INF/container.xml", EPUB),
)
_STREAMS: tuple[tuple[str, str], ...] = (
    ("EncryptedPackage", ENCRYPTED_OFFICE),
    ("WordDocument", DOC),
    ("PowerPoint Document", PPT),
    ("__properties_version1.0", MSG),
    ("Workbook", XLS),
    ("Book", XLS),
)
_HTML = re.compile(rb"<(!doctype\s+html|html|head|body|title|meta|div|p|table|h1)[\s>/]", re.IGNORECASE)
_MAIL = re.compile(rb"\A(?:[A-Za-z][A-Za-z0-9-]*:[^\n]*\n(?:[ \t][^\n]*\n)*){2}", re.DOTALL)
_MAIL_HEADER = re.compile(rb"^(from|received|message-id|return-path|mime-version|delivered-to):", re.IGNORECASE | re.M)
_SRT = re.compile(rb"\A\s*\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> ")


def detect(raw: RawDocument) -> str:
    """Media type of ``raw``: content first, then the file's extension, then what the source claimed for text."""
    data = raw.data
    return _by_magic(data) or _by_text(data, extension(raw.uri), raw.media_type)


def extension(uri: str) -> str:
    """Lower-case extension of a path or URL with its dot, or ``""``."""
    path = urlsplit(uri).path if "://" in uri else uri
    return PurePosixPath(unquote(path).replace("\\", "/")).suffix.lower()


def _by_magic(data: bytes) -> str | None:
    head = data[:_HEAD]
    # Readers accept junk in front of "%PDF-" (ISO 32000 Annex H.3 asks for the first 1024 bytes).
    if b"%PDF-" in head[:1024]:
        return PDF
    for magic, media in MAGIC:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(magic) if media == RTF else head.startswith(magic):
            return media
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return WEBP
    if head.startswith(b"BM") and len(data) > 26 and int.from_bytes(head[2:6], "little") in range(26, len(data) + 1):
        return BMP
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _inside_zip(data)
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return _inside_ole(data)
    return None


def _inside_zip(data: bytes) -> str:
    if data[30:38] == b"mimetype":
        declared = data[38:138]
        for media in (EPUB, ODT, ODS, ODP):
            if declared.startswith(media.encode()):
                return media
    found = {match[1] for match in _ENTRY.finditer(data[-_TAIL:])}
    for part, media in _PARTS:
        if part in found:
            return media
    return _inside_broken_zip(data[:_HEAD])


def _inside_broken_zip(head: bytes) -> str:
    """The directory at the end is missing (a cut file): what the first entries are called must do."""
    for part, media in _PARTS:
        if b"PK\x03\x04" in head and re.search(rb"PK\x03\x04.{26}" + re.escape(part), head, re.DOTALL):
            return media
    return ZIP


def _inside_ole(data: bytes) -> str:
    for stream, media in _STREAMS:
        if stream.encode("utf-16-le") in data:
            return media
    return OLE


def _by_text(data: bytes, suffix: str, claimed: str | None) -> str:
    if not looks_like_text(data):
        return BINARY
    head = _as_ascii(data[:_HEAD])
    # A page saved as .txt is a page; a page quoted in Markdown, CSV or an e-mail is not.
    by_name = EXTENSIONS.get(suffix)
    if by_name not in {None, TEXT}:
        return _refine(str(by_name), head)
    return _by_shape(head) or by_name or _claimed_text(claimed)


def _refine(by_name: str, head: bytes) -> str:
    is_page = _HTML.match(head.lstrip()) is not None
    return HTML if by_name == XML and is_page else by_name


def _by_shape(head: bytes) -> str | None:
    lead = head.lstrip()
    if _HTML.match(lead) or (lead.startswith((b"<?xml", b"<!--")) and _HTML.search(lead)):
        return HTML
    if _MAIL.match(lead) and _MAIL_HEADER.search(lead):
        return MHTML if b"multipart/related" in lead.lower() and b"text/html" in lead.lower() else EML
    if lead.startswith(b"{") and b'"nbformat"' in head and b'"cells"' in head:
        return IPYNB
    if _SRT.match(head):
        return SRT
    return VTT if lead.startswith(b"WEBVTT") else None


def _claimed_text(claimed: str | None) -> str:
    base = (claimed or "").partition(";")[0].strip().lower()
    return base if base in set(EXTENSIONS.values()) else TEXT


def looks_like_text(data: bytes) -> bool:
    """Whether the start of ``data`` can be text: a byte order mark, or no NUL and few control characters."""
    head = data[:_HEAD]
    if any(head.startswith(bom) for bom, _ in BOMS) or _is_wide(head):
        return True
    controls = sum(byte < 32 and byte not in b"\t\n\r\f\x1b\x08" for byte in head)
    return b"\x00" not in head and controls <= len(head) // 50


def _is_wide(head: bytes) -> bool:
    """UTF-16 or UTF-32 without a byte order mark: mostly Latin text leaves NULs in every other byte."""
    pairs = len(head) // 2
    if pairs < 4:
        return False
    odd, even = head[1::2].count(0), head[0::2].count(0)
    return max(odd, even) > 0.7 * pairs and (min(odd, even) < 0.1 * pairs or max(odd, even) > 0.95 * pairs)


def _as_ascii(head: bytes) -> bytes:
    for bom, encoding in BOMS:
        if head.startswith(bom):
            return head.decode(encoding, "ignore").encode("ascii", "replace")
    return head.replace(b"\x00", b"") if _is_wide(head) else head

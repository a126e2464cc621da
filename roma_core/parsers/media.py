"""Media type of a file by its content: magic bytes, then what a container holds, then the extension, then its text.

Nothing is unpacked or parsed here, because the parent process does the looking: every test is a search in bytes.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from roma_core.parsers import ole
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
JSON_LINES = "application/x-ndjson"
XML = "application/xml"
YAML = "application/yaml"
TOML = "application/toml"
TEX = "text/x-tex"
ASCIIDOC = "text/asciidoc"
WIKI = "text/x-wiki"
CODE = "text/x-source-code"
MBOX = "application/mbox"
ICS = "text/calendar"
TEXT = "text/plain"
PNG, JPEG, TIFF, WEBP = "image/png", "image/jpeg", "image/tiff", "image/webp"
GIF, BMP = "image/gif", "image/bmp"
BINARY = "application/octet-stream"
TOLD_BY_CONTENT = frozenset(
    ".pdf .docx .docm .pptx .pptm .xlsx .xlsm .xlsb .doc .ppt .xls .msg .odt .ods .odp .epub .rtf .png .jpg .jpeg .tif"
    " .tiff .webp .bmp".split()
)
"""Extensions of formats that are told by how their bytes begin: of a whole file they are never unknown."""
GZIP, BZIP2, XZ, ZSTD = "application/gzip", "application/x-bzip2", "application/x-xz", "application/zstd"
TAR, SEVEN_ZIP, RAR = "application/x-tar", "application/x-7z-compressed", "application/vnd.rar"

EXTENSIONS: dict[str, str] = {
    ".adoc": ASCIIDOC,
    ".asciidoc": ASCIIDOC,
    ".csv": CSV,
    ".eml": EML,
    ".geojson": JSON,
    ".htm": HTML,
    ".html": HTML,
    ".ics": ICS,
    ".ipynb": IPYNB,
    ".json": JSON,
    ".jsonl": JSON_LINES,
    ".markdown": MARKDOWN,
    ".md": MARKDOWN,
    ".mbox": MBOX,
    ".mediawiki": WIKI,
    ".mht": MHTML,
    ".mhtml": MHTML,
    ".ndjson": JSON_LINES,
    ".nxml": XML,
    ".org": ORG,
    ".rst": RST,
    ".rtf": RTF,
    ".srt": SRT,
    ".tab": TSV,
    ".tex": TEX,
    ".toml": TOML,
    ".tsv": TSV,
    ".txt": TEXT,
    ".vtt": VTT,
    ".wiki": WIKI,
    ".xhtml": HTML,
    ".xml": XML,
    ".yaml": YAML,
    ".yml": YAML,
    **dict.fromkeys(
        ".py .pyi .js .mjs .ts .tsx .jsx .java .c .h .cc .cpp .hpp .cs .go .rs .rb .php .sh .bash .sql .r .jl .kt "
        ".swift .scala .lua .pl .m .hs .ex .exs .clj .dart .zig .ps1 .vue .svelte .css .proto .gradle .cmake".split(),
        CODE,
    ),
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
    (b"\x1f\x8b\x08", GZIP),
    (b"BZh91AY&SY", BZIP2),
    (b"\xfd7zXZ\x00", XZ),
    (b"\x28\xb5\x2f\xfd", ZSTD),
    (b"7z\xbc\xaf\x27\x1c", SEVEN_ZIP),
    (b"Rar!\x1a\x07", RAR),
)
BOMS: tuple[tuple[bytes, str], ...] = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)

PROGRAMS = (b"\x7fELF", b"MZ\x90\x00", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\x00asm", b"OggS", b"ID3", b"fLaC")
"""Magic bytes of programs and media whose first bytes could pass for text."""
_MIMETYPE = re.compile(rb"PK\x03\x04.{4}\x00\x00.{16}\x08\x00..mimetype", re.DOTALL)
"""A stored (not packed) entry of that name, wherever it stands."""
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
_UTF8_SEQUENCE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
"""Well-formed sequences of two to four bytes (Unicode 16, table 3-7)."""
_NON_ASCII = re.compile(rb"[\x80-\xff]")
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\r\f\x1b\x08"))
"""Control characters that text does not hold."""
_WITHOUT_LOW_BYTE = "\u3000\u4e00"
"""The wide space and 一: characters of East Asia, frequent ones, whose low byte is zero."""
_NO_CJK = re.compile("[^\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]")
_MBOX = re.compile(rb"From \S+ [^\n]*\d{4}[^\n]*\n[A-Za-z][\w-]*:")
_SRT = re.compile(rb"\A\s*\d+\s*\r?\n\d\d:\d\d:\d\d[,.]\d{3} --> ")


def detect(raw: RawDocument) -> str:
    """Media type of ``raw``: content first, then the file's extension, then what the source claimed for text."""
    data = raw.data
    return _by_magic(data) or _by_text(data, extension(raw.uri), raw.media_type)


def extension(uri: str) -> str:
    """Lower-case extension of a path or URL with its dot, or ``""``; of a file inside of another its own."""
    path = urlsplit(uri).path if "://" in uri else uri
    inner = PurePosixPath(unquote(uri.rpartition("#")[2])).suffix.lower() if "#" in uri and "://" in uri else ""
    if inner in EXTENSIONS:
        return inner
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
    if head.startswith(ole.MAGIC):
        return _inside_ole(data)
    if head[257:262] == b"ustar":
        return TAR
    if head.startswith(PROGRAMS):
        return BINARY
    return None


def _inside_zip(data: bytes) -> str:
    for entry in _MIMETYPE.finditer(data):
        declared = data[entry.end() : entry.end() + 100]
        for media in (EPUB, ODT, ODS, ODP):
            if declared.startswith(media.encode()):
                return media
    found = {match[1] for match in _ENTRY.finditer(data[-_TAIL:])}
    for part, media in _PARTS:
        if part in found:
            return media
    if b"content.xml" in found:
        return _open_document_kind(data)
    return _inside_broken_zip(data[:_HEAD])


def _open_document_kind(data: bytes) -> str:
    """Return the kind of an OpenDocument file whose ``mimetype`` is missing or packed, by its manifest or its tail."""
    for media in (ODS, ODP, ODT):
        if media.encode() in data:
            return media
    return ODT


def _inside_broken_zip(head: bytes) -> str:
    """The directory at the end is missing (a cut file): what the first entries are called must do."""
    for part, media in _PARTS:
        if b"PK\x03\x04" in head and re.search(rb"PK\x03\x04.{26}" + re.escape(part), head, re.DOTALL):
            return media
    return ZIP


def _inside_ole(data: bytes) -> str:
    """Return what a compound file is by the names at its top level: what it embeds or speaks of does not count."""
    names = ole.list_streams(data)
    for stream, media in _STREAMS:
        if stream in names:
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
    if lead.startswith(b"BEGIN:VCALENDAR"):
        return ICS
    if _MBOX.match(head):
        return MBOX
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
    """Return whether ``data`` can be text: a byte order mark, UTF-16 or UTF-32, or few control characters.

    A NUL here and there is damage, not proof of a binary format; programs and media have many control characters.
    """
    head = data[:_HEAD]
    if any(head.startswith(bom) for bom, _ in BOMS) or find_wide_encoding(data):
        return True
    return _count_controls(head) <= len(head) // 50


def _count_controls(head: bytes) -> int:
    return len(head) - len(head.translate(None, _CONTROLS))


def find_wide_encoding(data: bytes) -> str | None:
    """Return UTF-16 or UTF-32 for text without a byte order mark that is written in it, else None.

    ASCII characters leave zero bytes at one place of each unit: most of Latin text, the spaces and line feeds of any
    other. Where none do, the characters of the sentence marks of East Asia stand in for them. The wide space (U+3000)
    and 一 (U+4E00) have a zero byte of their own, at the other place.

    >>> find_wide_encoding("第一条".encode("utf-16-le") + "\\n".encode("utf-16-le"))
    'utf-16-le'
    """
    head = data[: _HEAD - _HEAD % 4]
    if len(head) < 4 or b"\x00" not in head:
        return "utf-16-le" if _reads_as_cjk(head, "utf-16-le") else None
    if head.count(0) < len(head) // 5 and _reads_as_bytes(head.replace(b"\x00", b"")):
        return None
    for name, unit, low in (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1)):
        if _holds_units(head, name, unit, low) and _reads_as_text(head, name):
            return name
    return "utf-16-le" if _reads_as_cjk(head, "utf-16-le") else None


def valid_utf8_share(data: bytes) -> float:
    """Return the share of the bytes above 0x7F that stand in valid UTF-8 sequences; 1 when there are none."""
    letters = len(_NON_ASCII.findall(data))
    valid = sum(len(sequence) for sequence in _UTF8_SEQUENCE.findall(data))
    return valid / letters if letters else 1.0


def _reads_as_bytes(head: bytes) -> bool:
    """Return whether ``head`` is UTF-8 with some zero bytes in it: hardly a control character, valid sequences."""
    few_controls = _count_controls(head) <= len(head) // 50
    # The high byte of Devanagari is that of a tab.
    return few_controls and head.count(9) <= len(head) // 5 and valid_utf8_share(head) >= 0.9


def _holds_units(head: bytes, name: str, unit: int, low: int) -> bool:
    """Return whether zero bytes of ``head`` say that its units are those of ``name``: the low byte is a character."""
    units = [head[i : i + unit] for i in range(0, len(head) - unit + 1, unit)]
    without_low = {character.encode(name) for character in _WITHOUT_LOW_BYTE}
    with_zero = [part for part in units if 0 in part and part not in without_low]
    return bool(with_zero) and all(part[low] != 0 for part in with_zero)


def _reads_as_text(head: bytes, name: str) -> bool:
    """Return whether ``head`` decodes, and to letters rather than to unassigned and control characters."""
    unit = 4 if "32" in name else 2
    try:
        text = head[: len(head) - len(head) % unit].decode(name, "strict")
    except UnicodeDecodeError as error:
        if error.end < len(head) - unit:  # a pair cut at the end of the sample is no fault
            return False
        text = head[: error.start].decode(name, "replace")
    odd = sum(unicodedata.category(c) in {"Cc", "Cn", "Co", "Cs"} and c not in "\t\n\r\f\x1b\x08" for c in text)
    return bool(text) and odd <= len(text) // 50


def _reads_as_cjk(head: bytes, name: str) -> bool:
    if len(head) < 16 or len(head) % 2:
        return False
    try:
        text = head.decode(name)
    except UnicodeDecodeError:
        return False
    marks = sum(text.count(mark) for mark in "\u3001\u3002\uff0c")
    if marks < max(1, len(text) // 100):
        return False
    return len(_NO_CJK.findall(text)) <= 0.02 * len(text)


def _as_ascii(head: bytes) -> bytes:
    for bom, encoding in BOMS:
        if head.startswith(bom):
            return head.decode(encoding, "ignore").encode("ascii", "replace")
    wide = find_wide_encoding(head)
    return head.decode(wide, "ignore").encode("ascii", "replace") if wide else head.replace(b"\x00", b"")

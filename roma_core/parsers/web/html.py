"""Web pages: the main text, without what hides or surrounds it.

trafilatura (precision mode) says which text is the article; our own reading of the tree writes it, so that tables keep
their spans and code, lists and definition lists their shape. Pages without navigation, and pages on which no article is
found, are kept whole but for their boilerplate.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin

import lxml.html
from lxml import etree

from roma_core.errors import ParserError
from roma_core.htmltree import with_body
from roma_core.parsers import hyperlinks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.text.encodings import Warn, decode, ignore_warning
from roma_core.parsers.web import markup
from roma_core.parsers.web.markup import HtmlBlock
from roma_core.types import Document, RawDocument

_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.IGNORECASE)
_CONTROLS = re.compile(
    r"[\x00-\x08\x0b\x0e-\x1f\ufffe\uffff]|&#0*(?:[0-8]|1[124-9]|2\d|3[01]);|&#x0*(?:[0-8b]|1?[ef]|1[0-9a-d]);", re.I
)
"""What XML cannot hold, as itself or by number: lxml reads it and then refuses to move it."""
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?!\.?[1-9])|opacity\s*:\s*0(?![.\d])", re.IGNORECASE
)
_HIDDEN_PATH = (
    '//*[@hidden or @aria-hidden="true" or contains(concat(" ", normalize-space(@class), " "), " mw-editsection ")]'
)
_REFERENCE_PATH = '//sup[contains(concat(" ", normalize-space(@class), " "), " reference ")]'
_WEB = ("http://", "https://")
_LETTERS = re.compile(r"\W+")

ARTICLE_MIN = 200
"""Characters below which trafilatura's result is not an article: on tiny pages it returns the navigation too."""
SURE = 25
"""Letters that a block needs for its text's presence in the article to mean that it is the article's."""
PROSE = 100
"""Characters of a paragraph between two of the article's that make it prose which the extractor missed."""
PLAIN_BOILERPLATE, PLAIN_LINKS = 0.1, 0.3
"""Shares of text in boilerplate and in links below which a page is a document without surroundings."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY`` and ``MALFORMED``."""
    declared = _CHARSET.search(raw.media_type or "")
    builder = DocumentBuilder(raw, options, "html")
    root = parse_html(raw.data, declared[1] if declared else None, builder.warn)
    builder.metadata, builder.title = metadata(root, raw.uri)
    address = raw.metadata.get("url") or builder.metadata.get("canonical") or raw.uri
    hyperlinks.mark_anchors(root, base_of(root, str(address)), markup.BLOCKS)
    body = next(root.iter("body"), root)
    markup.write(builder, main_blocks(root) if options.main_text else markup.read_blocks(body))
    return builder.build()


def base_of(root: Any, url: str) -> str:
    """Return the base of the page's links: its ``<base>``, else ``url``; "" where neither is a web address."""
    own = next((str(a).strip() for a in root.xpath("//base/@href")), "")
    base = urljoin(url, own) if url.startswith(_WEB) else own
    return base if base.startswith(_WEB) else ""


def html_to_markdown(html: str | bytes, url: str = "") -> str:
    """Main text of a page as Markdown, with its links. Raises ``EMPTY`` and ``MALFORMED``."""
    data = html.encode("utf-8", "surrogatepass") if isinstance(html, str) else html
    media_type = "text/html; charset=utf-8" if isinstance(html, str) else None
    return parse(RawDocument(uri=url or "page", data=data, media_type=media_type), ParseOptions()).markdown()


def parse_html(data: bytes, declared: str | None = None, warn: Warn = ignore_warning) -> Any:
    """Return the root of the page's tree, without scripts and what is hidden.

    The encoding is that of the byte order mark, the header, ``<meta>`` or a guess; ``warn`` is handed its doubts.
    """
    found = _META.search(data[:4096]) or _XML.search(data[:400])
    text = decode(data, declared or (found[1].decode("ascii", "replace") if found else None), warn)
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True)
    body = _CONTROLS.sub("", _DECLARATION.sub("", text)).encode("utf-8", "replace")
    try:
        root = lxml.html.document_fromstring(body, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ParserError("The page holds no HTML that can be read; open it in a browser and save it again.") from error
    return without_hidden(with_body(root))


def without_hidden(root: Any) -> Any:
    """Drop scripts, templates, hidden elements (also the places where prompt injections hide) and reference marks."""
    for path in (_HIDDEN_PATH, _REFERENCE_PATH):
        for element in root.xpath(path):
            _drop(element)
    for element in root.xpath("//*[@style]"):
        if _HIDDEN_STYLE.search(element.get("style")):
            _drop(element)
    for element in list(root.iter("script", "style", "noscript", "template", "iframe")):
        if not (element.tag == "script" and "ld+json" in (element.get("type") or "")):
            _drop(element)
    return root


def _drop(element: Any) -> None:
    if element.getparent() is not None and element.tag not in {"body", "html", "head"}:
        element.drop_tree()


def metadata(root: Any, url: str) -> tuple[dict[str, Any], str | None]:
    """Author, date, site, description, canonical address and language; and the page's title."""
    from trafilatura.metadata import extract_metadata

    found = extract_metadata(root, default_url=url if url.startswith("http") else None)
    title = next((one_line(t.text_content()) for t in root.iter("title")), "")
    facts = {name: getattr(found, name, None) for name in ("author", "date", "sitename", "description")}
    facts["canonical"] = next((a for a in root.xpath('//link[@rel="canonical"]/@href')), None)
    facts["language"] = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return {k: one_line(str(v)) for k, v in facts.items() if v}, one_line(
        getattr(found, "title", "") or ""
    ) or title or None


def main_blocks(root: Any) -> list[HtmlBlock]:
    """The blocks of the page that are its content."""
    body = next(root.iter("body"), root)
    blocks = markup.read_blocks(body)
    if is_plain(blocks):
        return [b for b in blocks if not b.boilerplate]
    article = _article(root)
    if len(article) >= ARTICLE_MIN:
        chosen = choose(blocks, article)
        if chosen:
            return chosen
    return _without_surroundings(body, blocks)


def is_plain(blocks: Sequence[HtmlBlock]) -> bool:
    """A document saved as HTML rather than a page of a site."""
    size = max(1, sum(len(b.words) for b in blocks))
    boilerplate = sum(len(b.words) for b in blocks if b.boilerplate)
    linked = sum(b.link_share * len(b.words) for b in blocks)
    return boilerplate < PLAIN_BOILERPLATE * size and linked < PLAIN_LINKS * size


def _article(root: Any) -> str:
    from trafilatura import extract

    html = hyperlinks.bare(lxml.html.tostring(root, encoding="unicode"))
    text = extract(html, output_format="txt", favor_precision=True, include_tables=True, include_comments=False)
    return text or ""


def _letters(text: str) -> str:
    return _LETTERS.sub("", text).lower()


def choose(blocks: Sequence[HtmlBlock], article: str) -> list[HtmlBlock]:
    """The blocks whose text is in ``article``, and between them what extractors lose: tables, code, lists, prose."""
    letters = _letters(article)
    found = [_is_in(block, letters) for block in blocks]
    sure = [i for i, block in enumerate(blocks) if found[i] and len(_letters(block.words)) >= SURE]
    if not sure:
        return []
    first, last = _heading_before(blocks, sure[0]), _end(blocks, sure[-1])
    inside = range(first, last + 1)
    body = [blocks[i] for i in inside if found[i] or _belongs(blocks[i]) or _is_section_of_links(blocks, i)]
    title = [b for b in blocks[:first] if b.kind == "heading" and b.level == 1 and not b.boilerplate][-1:]
    return body if any(b.level == 1 for b in body) else title + body


def _is_in(block: HtmlBlock, letters: str) -> bool:
    if block.items or block.rows:
        pieces = [item.text for item in block.items] or [cell for row in block.rows for cell in row]
        known = [piece for piece in map(_letters, pieces) if piece]
        return 2 * sum(piece in letters for piece in known) >= len(known) and bool(known) and block.link_share < 0.6
    words = _letters(block.words)
    return bool(words) and words in letters


def _belongs(block: HtmlBlock) -> bool:
    if block.boilerplate or block.link_share > 0.5:
        return False
    return block.kind not in {"paragraph", "figure"} or len(block.words) >= PROSE


def _is_section_of_links(blocks: Sequence[HtmlBlock], index: int) -> bool:
    """Lists of links right under a heading of the article ("See also") are what that heading announces."""
    above = index
    while above and blocks[above].kind == "list":
        above -= 1
    return (
        above < index
        and blocks[above].kind == "heading"
        and not (blocks[index].boilerplate or blocks[above].boilerplate)
    )


def _heading_before(blocks: Sequence[HtmlBlock], first: int) -> int:
    """Index of the page's title, when it stands shortly above the first block of the article."""
    near = [i for i in range(max(0, first - 12), first) if blocks[i].kind == "heading" and not blocks[i].boilerplate]
    top = [i for i in near if blocks[i].level == 1] or near[-1:]
    return top[0] if top else first


def _end(blocks: Sequence[HtmlBlock], last: int) -> int:
    """Code, tables and notes right after the last paragraph belong to it."""
    while last + 1 < len(blocks) and blocks[last + 1].kind in {"code", "table", "footnote", "definitions"}:
        if not _belongs(blocks[last + 1]):
            break
        last += 1
    return last


def _without_surroundings(body: Any, blocks: Sequence[HtmlBlock]) -> list[HtmlBlock]:
    """Everything in ``<main>`` or the one ``<article>``, else all that is no boilerplate, else all there is."""
    inner = body.xpath('.//main | .//*[@role="main"]') or body.xpath(".//article")
    kept = markup.read_blocks(inner[0]) if len(inner) == 1 else list(blocks)
    kept = [b for b in kept if not b.boilerplate and b.link_share < 0.8]
    return kept if any(b.words.strip() for b in kept) else list(blocks)

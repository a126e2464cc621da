"""Web pages: the main text, without what hides or surrounds it.

Of a page of a site, trafilatura (precision mode) says which text is the article and our own reading of the tree writes
it (``article.py``). A file of one's own, and a page without navigation, is read whole. What is left out is named in the
loss ledger.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from itertools import groupby
from typing import Any
from urllib.parse import urljoin

import lxml.html
from lxml import etree

from roma_core.errors import ParserError
from roma_core.htmltree import is_shown_later, with_body
from roma_core.parsers import hyperlinks
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, one_line
from roma_core.parsers.text.encodings import Warn, decode, ignore_warning
from roma_core.parsers.web import article, markup
from roma_core.parsers.web.article import Article
from roma_core.parsers.web.markup import HtmlBlock
from roma_core.types import Document, RawDocument, WhyLeftOut

_META = re.compile(rb"""<meta[^>]{0,200}?charset\s*=\s*["']?\s*([\w.:-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([\w.:-]{2,40})""", re.IGNORECASE)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>", re.IGNORECASE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\ufffe\uffff]")
_CONTROL_NUMBERS = re.compile(r"&#0*(?:[0-8]|1[124-9]|2\d|3[01]);|&#x0*(?:[0-8b]|1?[ef]|1[0-9a-d]);", re.I)
"""With ``_CONTROLS``, what XML cannot hold, by number or as itself: lxml reads it and then refuses to move it."""
_HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?!\.?[1-9])|opacity\s*:\s*0(?![.\d])", re.IGNORECASE
)
_UNSEEN_PATH = '//*[@hidden or @aria-hidden="true"] | //dialog[not(@open)]'
_REFERENCE_PATH = (
    '//sup[contains(concat(" ", normalize-space(@class), " "), " reference ")]'
    ' | //*[contains(concat(" ", normalize-space(@class), " "), " mw-editsection ")]'
)
"""Marks of notes, and the words "edit" beside headings."""
_ORIGIN_PATH = '//link[@rel="canonical"]/@href | //meta[@property="og:url"]/@content'
_GROUPING = re.compile(
    rb"</?(?!(?:html|head|title|body|p|h[1-6]|a|br|pre|script|style|template|noscript|svg|iframe)\b)[a-z][^<>]*>",
    re.IGNORECASE,
)
"""Tags that nest: all but those of headings, paragraphs and links."""
_SELF_PATH = '//body//script | //h1[1] | //*[@rel="author" or @itemprop="author" or @itemprop="datePublished"]'
_SAVED_FROM = re.compile(rb"<!--\s*saved from url=|<!--\s*Mirrored from ", re.IGNORECASE)
_WEB = ("http://", "https://")

_DRAWN = ("svg", "canvas", "object", "embed", "video", "audio", "map")
"""Elements whose words are labels of a drawing, or stand in where it is not shown."""

LeaveOut = Callable[[str, WhyLeftOut], None]
"""Takes hidden text, or what surrounds a page's text, and why it is left out."""

LONG_CHARS = 20_000
"""Characters in ``<main>`` from which on a page is a reference work or a manual rather than a post."""
MOSTLY_LINKS = 0.8
"""Share of a block's words in links from which on it is navigation."""
PLAIN_BOILERPLATE, PLAIN_LINKS = 0.1, 0.3
"""Shares of text in boilerplate and in links below which a page is a document without surroundings."""


def ignore_loss(text: str, why: WhyLeftOut) -> None:
    """Drop an entry of the loss ledger, for callers that keep none."""


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Raises ``EMPTY`` and ``MALFORMED``."""
    declared = _CHARSET.search(raw.media_type or "")
    builder = DocumentBuilder(raw, options, "html")
    root = parse_html(raw.data, declared[1] if declared else None, builder.warn, builder.leave_out)
    of_news = article.is_news(root)
    builder.metadata, builder.title = metadata(root, raw.uri, of_news=of_news)
    address = raw.metadata.get("url") or builder.metadata.get("canonical") or raw.uri
    is_whole = not options.main_text or not is_of_site(root, raw)
    unmarked = None if is_whole else deepcopy(root)
    held = list(root.iter())  # lxml makes an element's Python object anew at each visit unless one is kept
    hyperlinks.mark_anchors(root, base_of(root, str(address)), markup.BLOCKS)
    blocks = markup.read_blocks(next(root.iter("body"), root))
    if not options.main_text:
        is_kept = [True] * len(blocks)
    elif unmarked is None:
        is_kept = [not _is_navigation(block) for block in blocks]
    else:
        is_kept = choose_content(root, blocks, _find_article(unmarked, blocks, of_news=of_news))
    held.clear()
    markup.write(builder, _take_kept(blocks, is_kept, builder.leave_out))
    return builder.build()


def is_of_site(root: Any, raw: RawDocument) -> bool:
    """Return whether a page is one of a site: fetched from the web, or saved from there.

    Browsers, and nearly every site, write the page's address into it; a file of one's own has none.
    """
    if str(raw.metadata.get("url") or raw.uri).startswith(_WEB) or _SAVED_FROM.search(raw.data[:4096]):
        return True
    return any(str(origin).strip().startswith(_WEB) for origin in root.xpath(_ORIGIN_PATH))


def base_of(root: Any, url: str) -> str:
    """Return the base of the page's links: its ``<base>``, else ``url``; "" where neither is a web address."""
    own = next((str(a).strip() for a in root.xpath("//base/@href")), "")
    base = urljoin(url, own) if url.startswith(_WEB) else own
    return base if base.startswith(_WEB) else ""


def html_to_markdown(html: str | bytes, url: str = "") -> str:
    """Return a page as Markdown, with its links: its main text where it has a ``url``, else the whole.

    Raises ``EMPTY`` and ``MALFORMED``.
    """
    data = html.encode("utf-8", "surrogatepass") if isinstance(html, str) else html
    media_type = "text/html; charset=utf-8" if isinstance(html, str) else None
    return parse(RawDocument(uri=url or "page", data=data, media_type=media_type), ParseOptions()).markdown()


def parse_html(
    data: bytes, declared: str | None = None, warn: Warn = ignore_warning, leave_out: LeaveOut = ignore_loss
) -> Any:
    """Return the root of the page's tree, without scripts and what is hidden.

    The encoding is that of the byte order mark, the header, ``<meta>`` or a guess; ``warn`` is handed its doubts, and
    ``leave_out`` the hidden text.
    """
    found = _META.search(data[:4096]) or _XML.search(data[:400])
    text = decode(data, declared or (found[1].decode("ascii", "replace") if found else None), warn)
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    text = _CONTROL_NUMBERS.sub("", _CONTROLS.sub("", _DECLARATION.sub("", text)))
    body = text.encode("utf-8", "replace")
    try:
        root = lxml.html.document_fromstring(body, parser=parser)
        if any(
            error.type_name == "ERR_RESOURCE_LIMIT" or "xcessive depth" in error.message for error in parser.error_log
        ):
            warn("the page nests more deeply than can be read; only its headings, paragraphs and links are kept apart")
            root = lxml.html.document_fromstring(_GROUPING.sub(b"\n", body), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError) as error:
        raise ParserError("The page holds no HTML that can be read; open it in a browser and save it again.") from error
    return without_hidden(with_body(root), leave_out)


def without_hidden(root: Any, leave_out: LeaveOut = ignore_loss) -> Any:
    """Drop scripts, templates, hidden elements (also the places where prompt injections hide) and reference marks."""
    for element in list(root.iter("script", "style", "template", "iframe")):
        if element.tag in {"template", "iframe"}:
            leave_out(_words_of(element), "hidden")
        if not (element.tag == "script" and "ld+json" in (element.get("type") or "")):
            _drop(element)
    for element in root.xpath(_REFERENCE_PATH):
        leave_out(_words_of(element), "boilerplate")
        _drop(element)
    for element in [*root.xpath(_UNSEEN_PATH), *_styled_away(root), *list(root.iter("noscript"))]:
        if not is_shown_later(element):
            leave_out(_words_of(element), "hidden")
            _drop(element)
    for element in root.iter(*_DRAWN):
        leave_out(_words_of(element), "unknown_object")
    for select in root.iter("select"):
        leave_out(", ".join(_words_of(option) for option in select.iter("option")), "hidden")
    return root


def _styled_away(root: Any) -> Iterator[Any]:
    for element in root.xpath("//*[@style]"):
        if _HIDDEN_STYLE.search(element.get("style")):
            yield element


def _words_of(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


def _drop(element: Any) -> None:
    if element.getparent() is not None and element.tag not in {"body", "html", "head"}:
        element.drop_tree()


def metadata(root: Any, url: str, *, of_news: bool) -> tuple[dict[str, Any], str | None]:
    """Author, date, site, description, canonical address and language; and the page's title."""
    from trafilatura.metadata import extract_metadata

    facts_of = root if of_news else _head_of(root)
    found = extract_metadata(facts_of, default_url=url if url.startswith("http") else None)
    title = next((one_line(t.text_content()) for t in root.iter("title")), "")
    facts = {name: getattr(found, name, None) for name in ("author", "date", "sitename", "description")}
    facts["canonical"] = next((a for a in root.xpath('//link[@rel="canonical"]/@href')), None)
    facts["language"] = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang")
    return {k: one_line(str(v)) for k, v in facts.items() if v}, one_line(
        getattr(found, "title", "") or ""
    ) or title or None


def _find_article(root: Any, blocks: Sequence[HtmlBlock], *, of_news: bool) -> Article | None:
    """Return what trafilatura finds; None where that is not asked.

    A document without surroundings is all content. A long one that says itself where its content is holds little else
    there, while an extractor takes long over it and loses much.
    """
    if not of_news and (is_plain(blocks) or _is_long_document(root)):
        return None
    return article.extract_article(root, of_news=of_news)


def _is_long_document(root: Any) -> bool:
    place = _main_of(root)
    return place is not None and sum(map(len, place.itertext())) >= LONG_CHARS


def _main_of(root: Any) -> Any:
    """Return the page's one ``<main>``; None where there is none, or several."""
    places = root.xpath('//main | //*[@role="main"]')
    outer = [place for place in places if not any(around in places for around in place.iterancestors())]
    return outer[0] if len(outer) == 1 else None


def _head_of(root: Any) -> Any:
    """Return a page with nothing but what it says of itself: the body of a large one takes long to search for more."""
    page = lxml.html.Element("html")
    page.extend(deepcopy(head) for head in root.iterchildren("head"))
    body = etree.SubElement(page, "body")
    body.extend(deepcopy(element) for element in root.xpath(_SELF_PATH))
    return page


def choose_content(root: Any, blocks: Sequence[HtmlBlock], found: Article | None) -> list[bool]:
    """Return for each block of a site's page whether it is content.

    Nothing inside of ``<main>`` is left out for the name of a class.
    """
    is_kept = [False] * len(blocks)
    if found is not None and found.text:
        is_kept = article.choose(blocks, found)
    elif found is None and is_plain(blocks):
        is_kept = [not block.boilerplate for block in blocks]
    return is_kept if any(is_kept) else _inside_main(root, blocks)


def _take_kept(blocks: Sequence[HtmlBlock], is_kept: Sequence[bool], leave_out: LeaveOut) -> list[HtmlBlock]:
    """Return the blocks that are kept, and hand the text of the others on; all where nothing would be left."""
    kept = [block for block, is_content in zip(blocks, is_kept, strict=True) if is_content]
    if not any(block.words.strip() for block in kept):
        return list(blocks)
    for words in _left_out_runs(blocks, is_kept):
        leave_out(words, "boilerplate")
    return kept


def _is_navigation(block: HtmlBlock) -> bool:
    """Return whether a block is a list of links in ``<nav>``: in a file of one's own, all that is no content."""
    if block.link_share < MOSTLY_LINKS:
        return False
    return any(e.tag == "nav" or e.get("role") == "navigation" for e in article.path_of(block.element))


def is_plain(blocks: Sequence[HtmlBlock]) -> bool:
    """Return whether a page is a document saved as HTML rather than a page of a site."""
    size = max(1, sum(len(b.words) for b in blocks))
    if size < article.MIN_CHARS:
        return True
    boilerplate = sum(len(b.words) for b in blocks if b.boilerplate)
    linked = sum(b.link_share * len(b.words) for b in blocks)
    return boilerplate < PLAIN_BOILERPLATE * size and linked < PLAIN_LINKS * size


def _inside_main(root: Any, blocks: Sequence[HtmlBlock]) -> list[bool]:
    """Return which blocks stand in ``<main>`` or the one ``<article>``; where there is none, which are content."""
    place = _main_of(root)
    if place is None:
        articles = root.xpath("//article")
        place = articles[0] if len(articles) == 1 else None
    inside = None if place is None else set(place.iter())
    is_kept: list[bool] = []
    for block in blocks:
        is_inside = inside is None or block.element in inside
        is_kept.append(is_inside and not block.boilerplate and block.link_share < MOSTLY_LINKS)
    return is_kept


def _left_out_runs(blocks: Sequence[HtmlBlock], is_kept: Sequence[bool]) -> Iterator[str]:
    """Yield the text of each run of blocks that are left out."""
    for is_content, group in groupby(zip(blocks, is_kept, strict=True), key=lambda pair: pair[1]):
        if not is_content:
            yield "\n".join(block.words for block, _ in group if block.words.strip())

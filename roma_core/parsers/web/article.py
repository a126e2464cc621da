"""The article of a page: trafilatura says which words it is, our own reading of the page says what shape they have.

The words are looked for among the page's blocks in their order, each word of the article used once, so that a teaser
or a caption that repeats a sentence is not taken for it. Between the blocks that are found, and only inside the element
that holds them, tables, code, lists, notes and captions are added, which extractors lose.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Final, NamedTuple

from roma_core.parsers.web.markup import HtmlBlock

_LETTERS: Final = re.compile(r"\W+")
_NEWS_TYPE: Final = re.compile(r'"@type"\s*:\s*\[?\s*"(?:\w*NewsArticle|BlogPosting|OpinionNewsArticle)"')
_NUMBERED: Final = re.compile(
    r"\W*(?:fig(?:ure|ura)?|tab(?:le|elle|la|leau)?|abb(?:ildung)?|chart|exhibit|listing|diagram|рис|табл|图|圖|表)"
    r"\W{0,3}\d",
    re.IGNORECASE,
)
_REMARK: Final = re.compile(
    r"(?:^|[\s_-])(?:admonition|callout|note|warning|tip|caution|important|danger|hint|attention)(?:$|[\s_-])", re.I
)
"""Boxes of a text that say what to mind."""

MIN_CHARS: Final = 200
"""Characters below which trafilatura's result is not an article: on tiny pages it returns the navigation too."""
SURE: Final = 25
"""Letters that a block needs for its text's presence in the article to mean that it is the article's."""
PIECE: Final = 20
"""Letters of the pieces by which a block is known that the article holds in part."""
PART: Final = 0.6
"""Share of its pieces that the article must hold."""
HOLDS: Final = 0.9
"""Share of the article's letters that the element must hold which counts as its place."""
LINKED: Final = 0.5
"""Share of a block's words in links above which it leads somewhere else rather than says something."""
ADDED: Final = frozenset({"table", "code", "list", "definitions", "footnote", "caption", "figure", "quote"})
"""Kinds of blocks that are added between those of the article."""
TITLE_REACH: Final = 12
"""Blocks above the article among which its title is looked for."""


class Article(NamedTuple):
    """The words of an article without markup, empty where a page has none; ``is_news`` for one of news or a blog."""

    text: str
    is_news: bool = False


def extract_article(root: Any, *, of_news: bool) -> Article:
    """Return the article of a page's tree, which stays as it is; ``of_news`` is what ``is_news`` says of the page."""
    from trafilatura import bare_extraction

    try:
        found = bare_extraction(root, favor_precision=True, include_comments=False, include_tables=True)
    except RecursionError:  # a tree deeper than Python's stack
        return Article("")
    if found is None or found.body is None:
        return Article("")
    text = " ".join(found.body.itertext())
    return Article(text if len(text) >= MIN_CHARS else "", of_news)


def is_news(root: Any) -> bool:
    """Return whether a page calls itself an article of news or of a blog (Open Graph, schema.org)."""
    if any(str(kind).strip().lower() == "article" for kind in root.xpath('//meta[@property="og:type"]/@content')):
        return True
    facts = root.xpath('//script[contains(@type, "ld+json")]/text()')
    return any(_NEWS_TYPE.search(str(fact)) for fact in facts)


def letters_of(text: str) -> str:
    """Return the letters and digits of a text in lower case."""
    return _LETTERS.sub("", text).lower()


def choose(blocks: Sequence[HtmlBlock], found: Article) -> list[bool]:
    """Return for each block whether it belongs to the article; all False when that is not found in them."""
    own = [letters_of(block.words) if block.kind != "figure" else "" for block in blocks]
    is_kept = find_blocks(own, letters_of(found.text))
    sure = [i for i, kept in enumerate(is_kept) if kept and len(own[i]) >= SURE]
    if not sure:
        return [False] * len(blocks)
    place = _find_place([(blocks[i].element, len(own[i])) for i in sure])
    first, last = sure[0], _end(blocks, sure[-1], place)
    for i in range(first, last + 1):
        is_kept[i] = is_kept[i] or (_is_added(blocks[i], found) and is_within(blocks[i].element, place))
    _keep_headings(blocks, is_kept, range(first, last))
    _keep_title(blocks, is_kept, first, place if found.is_news else place.getparent())
    return is_kept


def _is_added(block: HtmlBlock, found: Article) -> bool:
    """Return whether a block is of a kind that extractors lose.

    Captions and pictures of news are credits and repetitions, so there only numbered ones are taken.
    """
    if block.link_share > LINKED:
        return False
    if block.kind in {"caption", "figure"} and found.is_news:
        return _NUMBERED.match(block.text) is not None
    return block.kind in ADDED or any(_REMARK.search(e.get("class") or "") for e in path_of(block.element)[:3])


def find_blocks(own: Sequence[str], article: str) -> list[bool]:
    """Return which of the texts ``own`` stand in ``article``, in one order, none of it used twice (letters alone)."""
    places: list[tuple[int, int]] = []
    """Index of a long text and the one place where the article holds it, in the order of the texts."""
    for i, letters in enumerate(own):
        at = article.find(letters) if len(letters) >= SURE else -1
        if at >= 0 and article.find(letters, at + 1) < 0:  # what stands there twice may be either
            places.append((i, at))
    anchors = _longest_rising(places, [len(letters) for letters in own])
    is_found = [False] * len(own)
    fences = [(-1, 0, 0), *((i, at, at + len(own[i])) for i, at in anchors), (len(own), len(article), len(article))]
    for (before, _, start), (after, end, _) in pairwise(fences):
        if before >= 0:
            is_found[before] = True
        at = start
        for i in range(before + 1, after):
            if not own[i] or at >= end:
                continue
            found = _find_between(own[i], article, at, end)
            if found > at:
                is_found[i] = True
                at = found
    return is_found


def _find_between(letters: str, article: str, start: int, end: int) -> int:
    """Return the end of ``letters`` in that part of the article, or ``start`` when it is not there."""
    place = article.find(letters, start, end)
    if place == start or (place >= 0 and len(letters) >= SURE):
        return place + len(letters)
    if place >= 0 and place - start <= SURE:
        return place + len(letters)
    if len(letters) < 2 * PIECE:
        return start
    pieces = [letters[k : k + PIECE] for k in range(0, len(letters) - PIECE + 1, PIECE)]
    ends = [place + PIECE for piece in pieces if (place := article.find(piece, start, end)) >= 0]
    return max(ends) if len(ends) >= PART * len(pieces) else start


def _longest_rising(places: Sequence[tuple[int, int]], sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Return the places that can all be right: they rise and do not overlap, and as many letters as possible."""
    ends: list[int] = []
    totals: list[int] = []
    chains: list[tuple[tuple[int, int], Any]] = []
    for i, at in places:
        size = sizes[i]
        before = bisect_left(ends, at + 1) - 1
        total = size + (totals[before] if before >= 0 else 0)
        chain = ((i, at), chains[before] if before >= 0 else None)
        end = at + size
        k = bisect_left(ends, end)
        if k > 0 and totals[k - 1] >= total:
            continue
        while k < len(ends) and totals[k] <= total:
            del ends[k], totals[k], chains[k]
        if k < len(ends) and ends[k] == end:
            continue
        ends.insert(k, end)
        totals.insert(k, total)
        chains.insert(k, chain)
    best: list[tuple[int, int]] = []
    link: Any = chains[-1] if chains else None
    while link is not None:
        best.append(link[0])
        link = link[1]
    return best[::-1]


def _find_place(held: Sequence[tuple[Any, int]]) -> Any:
    """Return the smallest element that holds nearly all of the article, from elements and their letters."""
    wanted = HOLDS * sum(size for _, size in held)
    weights: dict[Any, int] = {}
    for element, size in held:
        for place in path_of(element):
            weights[place] = weights.get(place, 0) + size
    longest = max(held, key=lambda pair: pair[1])[0]
    return next((place for place in path_of(longest) if weights[place] >= wanted), path_of(longest)[-1])


def path_of(element: Any) -> list[Any]:
    """Return an element and those around it, innermost first."""
    return [element, *element.iterancestors()]


def is_within(element: Any, place: Any) -> bool:
    """Return whether an element is ``place`` or lies inside of it; False where there is no place."""
    return place is not None and any(one is place for one in path_of(element))


def _end(blocks: Sequence[HtmlBlock], last: int, place: Any) -> int:
    """Return the last of the code, tables and notes that follow right after the article's last block."""
    while last + 1 < len(blocks):
        after = blocks[last + 1]
        is_apart = after.kind in {"code", "table", "footnote", "definitions"}
        if not is_apart or after.link_share > LINKED or not is_within(after.element, place):
            break
        last += 1
    return last


def _keep_headings(blocks: Sequence[HtmlBlock], is_kept: list[bool], inside: range) -> None:
    """Keep each heading that announces something that is kept."""
    for i in reversed(inside):
        if blocks[i].kind == "heading" and is_kept[i + 1] and blocks[i + 1].kind != "heading":
            is_kept[i] = True


def _keep_title(blocks: Sequence[HtmlBlock], is_kept: list[bool], first: int, place: Any) -> None:
    """Keep the title above the article where it stands in ``place``; elsewhere the document's title says it."""
    for i in reversed(range(max(0, first - TITLE_REACH), first)):
        if blocks[i].kind == "heading" and blocks[i].level == 1 and is_within(blocks[i].element, place):
            is_kept[i] = True
            return

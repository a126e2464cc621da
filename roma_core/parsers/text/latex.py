"""LaTeX: sections, lists, tables, code and prose as a reader sees them; pylatexenc turns commands into words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument

LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4, "subparagraph": 5}
SETTINGS = "label|cite[a-z]*|ref|eqref|pageref|index|vspace|hspace|includegraphics|bibliography|bibliographystyle|input"

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?")
_VERBATIM = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted)\*?\}(?:\[[^\]]*\]|\{[^}]*\})*\n?(.*?)\\end\{\1\*?\}", re.DOTALL
)
_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_META = {name: re.compile(rf"\\{name}\s*(?:\[[^\]]*\])?\s*{_ARGUMENT}") for name in ("title", "author", "date")}
_BLOCK = re.compile(
    rf"\\(?P<heading>{'|'.join(LEVELS)})\*?\s*(?:\[[^\]]*\])?\s*(?P<words>{_ARGUMENT})"
    r"|\\begin\{(?P<table>tabular[*xy]?|longtable|array)\}(?P<rows>.*?)\\end\{(?P=table)\}"
    r"|\\begin\{(?P<list>itemize|enumerate|description)\}(?P<items>.*?)\\end\{(?P=list)\}"
    r"|\\caption\s*(?:\[[^\]]*\])?\s*(?P<caption>" + _ARGUMENT + r")"
    r"|(?P<formula>\\begin\{(?P<math>equation|align|gather|multline|eqnarray)\*?\}.*?\\end\{(?P=math)\*?\}|\\\[.*?\\\]|\$\$.*?\$\$)"
    r"|\\begin\{(?:abstract)\}(?P<abstract>.*?)\\end\{abstract\}"
    r"|\x00(?P<code>\d+)\x00"
    r"|\\(?:begin|end)\{(?:figure|table|center|quote|quotation|flushleft|minipage|threeparttable)\*?\}(?:\[[^\]]*\]|\{[^}]*\})*",
    re.DOTALL,
)
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?|\\tabularnewline")
_RULES = re.compile(
    r"\\(?:hline|toprule|midrule|bottomrule|centering|small|footnotesize)\b|\\c(?:line|midrule)(?:\([^)]*\))?\{[^}]*\}"
)
_COLUMNS = re.compile(r"\s*(?:\[[^\]]*\])?(?:\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\}){1,2}")
_ITEM = re.compile(r"\\item\s*(?:\[([^\]]*)\])?")


def parse(raw: RawDocument, options: ParseOptions) -> Document:
    """Read a LaTeX file. Raises ``EMPTY``."""
    builder = DocumentBuilder(raw, options, "latex")
    source, code = _take_code(decode(raw.data, warn=builder.warn))
    source = _COMMENT.sub(r"\1", source)
    for name, pattern in _META.items():
        if match := pattern.search(source):
            builder.metadata[name] = to_words(match[1])
    builder.title = builder.metadata.pop("title", None)
    body = _BODY.search(source)
    _write(builder, body[1] if body else source, code)
    return builder.build()


def _take_code(source: str) -> tuple[str, list[str]]:
    """Return the source with numbered marks in place of its verbatim parts, and those parts."""
    code: list[str] = []

    def take(match: re.Match[str]) -> str:
        code.append(match[2])
        return f"\n\n\x00{len(code) - 1}\x00\n\n"

    return _VERBATIM.sub(take, source.replace("\x00", "")), code


def _write(builder: DocumentBuilder, body: str, code: list[str]) -> None:
    if builder.title:
        builder.heading(builder.title, 1, section=False)
    at = 0
    for match in _BLOCK.finditer(body):
        _write_prose(builder, body[at : match.start()])
        at = match.end()
        if match["heading"]:
            builder.heading(to_words(match["words"][1:-1]), LEVELS[match["heading"]])
        elif match["table"]:
            builder.table([list(row) for row in _read_rows(match["rows"])])
        elif match["list"]:
            builder.list(list(_read_items(match["items"], match["list"])))
        elif match["caption"]:
            builder.paragraph(to_words(match["caption"][1:-1]), "caption")
        elif match["formula"]:
            builder.paragraph(match["formula"])
        elif match["abstract"]:
            builder.heading("Abstract", 1)
            _write_prose(builder, match["abstract"])
        elif match["code"]:
            builder.code(code[int(match["code"])])
    _write_prose(builder, body[at:])


def _write_prose(builder: DocumentBuilder, source: str) -> None:
    for part in re.split(r"\n\s*\n", source):
        builder.paragraph(to_words(part))


def _read_rows(source: str) -> Iterator[list[str]]:
    body = _RULES.sub("", _COLUMNS.sub("", source, count=1))
    for row in _ROW_END.split(body):
        cells = [to_words(cell) for cell in re.split(r"(?<!\\)&", row)]
        if any(cells):
            yield cells


def _read_items(source: str, kind: str) -> Iterator[ListItem]:
    parts = _ITEM.split(source)[1:]
    for number, (label, words) in enumerate(zip(parts[::2], parts[1::2], strict=True), start=1):
        text = to_words(words)
        if label:
            text = f"{to_words(label)}: {text}"
        yield ListItem(text, marker=f"{number}." if kind == "enumerate" else "-")


def to_words(source: str) -> str:
    r"""Return a piece of LaTeX as a reader sees it; formulas stay as they are.

    >>> to_words(r"We counted \textbf{41} herons~\cite{doe}.")
    'We counted 41 herons.'
    """
    bare = re.sub(rf"\s*~?\\(?:{SETTINGS})\*?(?:\[[^\]]*\])*\{{[^{{}}]*\}}", "", source)
    if "\\" not in bare and "$" not in bare and "{" not in bare:
        return " ".join(bare.replace("~", " ").split())
    return " ".join(str(_converter().latex_to_text(bare)).split())


@functools.cache
def _converter() -> Any:
    from pylatexenc.latex2text import LatexNodes2Text

    return LatexNodes2Text(math_mode="verbatim", strict_latex_spaces=False, keep_comments=False)

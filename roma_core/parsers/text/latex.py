"""LaTeX: sections, lists, tables, code and prose as a reader sees them; pylatexenc turns commands into words."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder, ListItem
from roma_core.parsers.hyperlinks import link_text
from roma_core.parsers.text.encodings import decode
from roma_core.types import Document, RawDocument

LEVELS = {"part": 1, "chapter": 1, "section": 1, "subsection": 2, "subsubsection": 3, "paragraph": 4, "subparagraph": 5}
SETTINGS = "label|cite[a-z]*|ref|eqref|pageref|index|vspace|hspace|includegraphics|bibliography|bibliographystyle|input"

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?")
_VERBATIM = re.compile(
    r"\\begin\{(verbatim|lstlisting|minted)\*?\}(?:\[[^\]]*\]|\{[^}]*\})*\n?(.*?)\\end\{\1\*?\}", re.DOTALL
)
_ADDRESS = re.compile(r"\\(?:url|path|href|nolinkurl)\s*\{[^{}\n]*\}")
_VERB = re.compile(r"\\(?:verb\*?|lstinline)([^a-zA-Z\s{*])(.*?)\1")
_BODY = re.compile(r"\\begin\{document\}(.*?)(?:\\end\{document\}|\Z)", re.DOTALL)
_ARGUMENT = r"\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
_COMMAND = re.compile(
    r"\\(?:(?:re)?newcommand|providecommand|DeclareMathOperator)\*?\s*\{?\\(?P<name>[a-zA-Z]+)\}?(?P<arguments>\s*\[)?"
    r"|\\def\s*\\(?P<defined>[a-zA-Z]+)(?=\s*\{)"
)
"""The beginning of a command that the file defines."""
_SPANNED = re.compile(
    rf"\\multi(?:column|row)\s*(?:\[[^\]]*\])?{_ARGUMENT}\s*(?:\[[^\]]*\])?{_ARGUMENT}\s*(?:\[[^\]]*\])?{_ARGUMENT}"
)
_SETTINGS_PART = re.compile(
    r"\\(?:maketitle|tableofcontents|listoffigures|listoftables|appendix|clearpage|newpage|noindent)\b"
)
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]+)\}")
MAX_EXPANSIONS = 10_000
"""Uses of a file's own commands that are replaced by what they stand for."""
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
    source, addresses = _take_addresses(source)
    for comment in _COMMENT.finditer(source):
        builder.leave_out(comment[0].strip().lstrip("%"), "hidden", place="comment")
    source = expand_commands(_COMMENT.sub(r"\1", source))
    source = _SETTINGS_PART.sub("", _SPANNED.sub(r"\3", _put_back(source, addresses)))
    for file in _INPUT.findall(source):
        builder.leave_out(file, "attachment", place="file that the text takes in")
    for name, pattern in _META.items():
        if match := pattern.search(source):
            builder.metadata[name] = to_words(match[1])
    builder.title = builder.metadata.pop("title", None)
    body = _BODY.search(source)
    _write(builder, body[1] if body else source, code)
    if body:
        builder.leave_out(source[body.end() :], "hidden", place="after the end of the document")
    return builder.build()


def _take_addresses(source: str) -> tuple[str, list[str]]:
    """Return the source with marks in place of its addresses, in which a percent sign begins no comment."""
    addresses: list[str] = []

    def take(match: re.Match[str]) -> str:
        addresses.append(match[0])
        return f"\x01{len(addresses) - 1}\x01"

    return _ADDRESS.sub(take, source.replace("\x01", "")), addresses


def _put_back(source: str, addresses: list[str]) -> str:
    return re.sub("\x01(\\d+)\x01", lambda match: addresses[int(match[1])].replace("%", r"\%"), source)


def expand_commands(source: str) -> str:
    r"""Return the source with what a file's own commands without arguments stand for.

    >>> expand_commands(r"\newcommand{\v}{2.0}Version \v.")
    'Version 2.0.'
    """
    meanings: dict[str, str] = {}
    parts: list[str] = []
    at = 0
    while (command := _COMMAND.search(source, at)) is not None:
        opening = source.find("{", command.end())
        end = find_group_end(source, opening)
        if opening < 0 or end < 0:
            break
        parts.append(source[at : command.start()])
        at = end
        if not command["arguments"]:
            meaning = source[opening + 1 : end - 1]
            # Blanks after a command that is used inside belong to the text around it.
            meanings[command["name"] or command["defined"]] = re.sub(r"(\\[a-zA-Z]+)\Z", r"\1{}", meaning)
    text = "".join([*parts, source[at:]])
    if not meanings:
        return text
    names = "|".join(sorted(map(re.escape, meanings), key=len, reverse=True))
    use = re.compile(rf"\\({names})(?![a-zA-Z])(?:\s*\{{\}}|[ \t]+(?=[^\s]))?")
    left = MAX_EXPANSIONS
    for _ in range(5):  # commands that use others
        text, count = use.subn(lambda match: meanings[match[1]], text, count=left)
        left -= count
        if not count or left <= 0 or len(text) > 2 * len(source) + 100_000:
            break
    return text


def find_group_end(source: str, start: int) -> int:
    """Return where the group in braces that opens at ``start`` ends; -1 when it never does."""
    depth = 0
    for brace in re.compile(r"\\.|[{}]", re.DOTALL).finditer(source, max(0, start)):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if not depth:
            return brace.end()
    return -1


def _take_code(source: str) -> tuple[str, list[str]]:
    """Return the source with numbered marks in place of its verbatim parts, and those parts."""
    code: list[str] = []

    def take(match: re.Match[str]) -> str:
        code.append(match[2])
        return f"\n\n\x00{len(code) - 1}\x00\n\n"

    body = _VERBATIM.sub(take, source.replace("\x00", ""))
    return _VERB.sub(lambda match: rf"\texttt{{{_escape(match[2])}}}", body), code


def _escape(text: str) -> str:
    return re.sub(r"[%&#_${}]", lambda match: f"\\{match[0]}", text.replace("\\", r"\textbackslash "))


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
    bare = _HREF.sub(lambda match: f"{{{link_text(match[2], match[1].replace(chr(92), ''))}}}", bare)
    try:
        return " ".join(str(_converter().latex_to_text(bare)).split())
    except _CONVERTER_ERRORS:
        return " ".join(_MARKUP.sub(" ", bare).split())


_HREF = re.compile(rf"\\href\s*\{{([^{{}}]*)\}}\s*{_ARGUMENT}")
_MARKUP = re.compile(r"\\(?:begin|end)\{[^{}]*\}|\\[a-zA-Z]+\*?|[{}]")
_CONVERTER_ERRORS = (IndexError, KeyError, ValueError, TypeError, AttributeError, RecursionError)
"""Errors that the converter ends with on some commands: then their words are kept without the commands."""
_SHOWN = ("mbox", "textmd", "textsf", "texttt", "textup", "keywords", "citetext", "boxframe")
"""Commands whose argument the converter would leave out."""


@functools.cache
def _converter() -> Any:
    from pylatexenc import latex2text

    context = latex2text.get_default_latex_context_db()
    shown = [latex2text.MacroTextSpec(name, simplify_repl=_last_argument) for name in _SHOWN]
    today = latex2text.MacroTextSpec("today", simplify_repl="")
    context.add_context_category("roma", prepend=True, macros=[*shown, today])
    return latex2text.LatexNodes2Text(context, math_mode="verbatim", strict_latex_spaces=False, keep_comments=False)


def _last_argument(node: Any, l2tobj: Any) -> str:
    arguments = [part for part in (node.nodeargd.argnlist if node.nodeargd else []) if part is not None]
    return str(l2tobj.nodelist_to_text(arguments[-1:]))

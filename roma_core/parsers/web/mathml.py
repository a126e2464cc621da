"""Presentation MathML (W3C MathML Core) as LaTeX: ½ must not become 12, nor 10³ 103."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roma_core.parsers.tex import FUNCTIONS, OPERATORS, ROW_END, spell_symbol

INVISIBLE = str.maketrans("", "", "\u2061\u2062\u2063\u2064")
"""Operators that show nothing: apply, times, separator, plus."""
MAX_DEPTH = 60


def to_latex(element: Any, depth: int = 0) -> str:
    r"""Return a MathML element (tags without namespace) as LaTeX.

    >>> from lxml.etree import fromstring
    >>> to_latex(fromstring("<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>"))
    '\\frac{1}{2}'
    """
    if not isinstance(element.tag, str):
        return ""
    name = element.tag.rpartition("}")[2].rpartition(":")[2].lower()
    if depth > MAX_DEPTH:
        return " ".join("".join(element.itertext()).split())
    if name in {"annotation", "annotation-xml", "mspace", "mphantom"}:
        return ""
    parts = [to_latex(child, depth + 1) for child in element if isinstance(child.tag, str)]
    write = _WRITERS.get(name)
    if write is not None and len(parts) >= write[0]:
        return write[1](parts)
    if parts:
        return _write_fenced(element, parts) if name == "mfenced" else "".join(parts)
    return _spell(name, " ".join((element.text or "").split()))


def _spell(name: str, text: str) -> str:
    if name == "mtext":
        return rf"\text{{{text}}}" if text else ""
    if text in FUNCTIONS:
        return rf"\{text} "
    if text in OPERATORS:
        return rf"\{OPERATORS[text]}"
    return "".join(spell_symbol(character) for character in text.translate(INVISIBLE))


def _write_fenced(element: Any, parts: list[str]) -> str:
    opening, closing = element.get("open", "("), element.get("close", ")")
    separator = (element.get("separators", ",").strip() or " ")[0]
    return f"{opening}{f'{separator} '.join(parts)}{closing}"


def _script(parts: list[str], *marks: str) -> str:
    base = parts[0].rstrip()
    is_simple = len(base) <= 1 or base.startswith("\\") or base.replace(".", "").replace(",", "").isdigit()
    scripts = "".join(f"{mark}{{{part}}}" for mark, part in zip(marks, parts[1:], strict=False) if part)
    return (base if is_simple else f"{{{base}}}") + scripts


_WRITERS: dict[str, tuple[int, Callable[[list[str]], str]]] = {
    "mfrac": (2, lambda parts: rf"\frac{{{parts[0]}}}{{{parts[1]}}}"),
    "msqrt": (1, lambda parts: rf"\sqrt{{{''.join(parts)}}}"),
    "mroot": (2, lambda parts: rf"\sqrt[{parts[1]}]{{{parts[0]}}}"),
    "msup": (2, lambda parts: _script(parts, "^")),
    "msub": (2, lambda parts: _script(parts, "_")),
    "msubsup": (3, lambda parts: _script(parts, "_", "^")),
    "munder": (2, lambda parts: _script(parts, "_")),
    "mover": (2, lambda parts: _script(parts, "^")),
    "munderover": (3, lambda parts: _script(parts, "_", "^")),
    "mtr": (1, " & ".join),
    "mtable": (1, lambda parts: rf"\begin{{matrix}}{ROW_END.join(parts)}\end{{matrix}}"),
}
"""Elements by name: how many children they need, and how those become LaTeX."""

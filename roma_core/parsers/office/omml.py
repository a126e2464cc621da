"""Office equations (OMML) as LaTeX. ECMA-376 part 1, section 22.1, names the elements."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from roma_core.parsers.office.ooxml import local
from roma_core.parsers.tex import ESCAPES, FUNCTIONS, OPERATORS, ROW_END, spell_symbol

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"

ACCENTS = {
    "\u0302": "hat", "\u0303": "tilde", "\u0304": "bar", "\u0305": "overline", "\u0307": "dot", "\u0308": "ddot",
    "\u20d7": "vec", "\u030c": "check", "\u0306": "breve", "\u0301": "acute", "\u0300": "grave",
}  # fmt: skip


def latex(element: Any) -> str:
    """LaTeX of an ``m:oMath`` (or any element inside one), on one line. Unknown elements give their content."""
    return " ".join(_content(element).split())


def _content(element: Any) -> str:
    return "".join(_WRITERS.get(local(child), _content)(child) for child in element if isinstance(child.tag, str))


def _sub(element: Any, name: str) -> str:
    child = element.find(f"{M}{name}")
    return _content(child).strip() if child is not None else ""


def _value(element: Any, path: str, default: str) -> str:
    """``m:val`` of a property, e.g. ``naryPr/chr``; ``default`` where it is not set."""
    found = element.find("/".join(f"{M}{step}" for step in path.split("/")))
    return default if found is None else str(found.get(f"{M}val", default))


def _run(element: Any) -> str:
    text = "".join(t.text or "" for t in element.iter(f"{M}t"))
    return "".join(spell_symbol(character) for character in text)


def _fraction(element: Any) -> str:
    top, bottom = _sub(element, "num"), _sub(element, "den")
    kind = _value(element, "fPr/type", "bar")
    if kind == "lin":
        return f"{top}/{bottom}"
    return f"\\genfrac{{}}{{}}{{0pt}}{{}}{{{top}}}{{{bottom}}}" if kind == "noBar" else f"\\frac{{{top}}}{{{bottom}}}"


def _scripts(element: Any) -> str:
    base = _sub(element, "e")
    lower, upper = _sub(element, "sub"), _sub(element, "sup")
    marks = (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else "")
    return f"{{}}{marks}{base}" if local(element) == "sPre" else f"{base}{marks}"


def _root(element: Any) -> str:
    degree = _sub(element, "deg")
    return f"\\sqrt{f'[{degree}]' if degree else ''}{{{_sub(element, 'e')}}}"


def _nary(element: Any) -> str:
    sign = _value(element, "naryPr/chr", "∫")
    name = f"\\{OPERATORS[sign]}" if sign in OPERATORS else sign
    lower, upper = _sub(element, "sub"), _sub(element, "sup")
    limits = (f"_{{{lower}}}" if lower else "") + (f"^{{{upper}}}" if upper else "")
    return f"{name}{limits}{{{_sub(element, 'e')}}}" if not limits else f"{name}{limits} {_sub(element, 'e')}"


def _write_delimited(element: Any) -> str:
    opening, closing = _value(element, "dPr/begChr", "("), _value(element, "dPr/endChr", ")")
    separator = _value(element, "dPr/sepChr", "|")
    inner = f" {separator} ".join(_content(child).strip() for child in element.iterchildren(f"{M}e"))
    left, right = (ESCAPES.get(mark, mark) or "." for mark in (opening, closing))
    return f"\\left{left}{inner}\\right{right}"


def _function(element: Any) -> str:
    return f"{_write_name(_sub(element, 'fName'))} {_sub(element, 'e')}"


def _write_name(name: str) -> str:
    head = name.partition("_")[0].partition("^")[0].strip()
    return f"\\{name}" if head in FUNCTIONS else name


def _limit(element: Any) -> str:
    base, limit = _write_name(_sub(element, "e")), _sub(element, "lim")
    upper = local(element) == "limUpp"
    if base.startswith(("\\underbrace", "\\overbrace", "\\lim", "\\min", "\\max", "\\sup", "\\inf")):
        return f"{base}{'^' if upper else '_'}{{{limit}}}"
    return f"\\{'overset' if upper else 'underset'}{{{limit}}}{{{base}}}"


def _accent(element: Any) -> str:
    return f"\\{ACCENTS.get(_value(element, 'accPr/chr', chr(0x302)), 'hat')}{{{_sub(element, 'e')}}}"


def _bar(element: Any) -> str:
    name = "overline" if _value(element, "barPr/pos", "bot") == "top" else "underline"
    return f"\\{name}{{{_sub(element, 'e')}}}"


def _group(element: Any) -> str:
    above = _value(element, "groupChrPr/pos", "bot") == "top"
    return f"\\{'overbrace' if above else 'underbrace'}{{{_sub(element, 'e')}}}"


def _matrix(element: Any) -> str:
    rows = [
        " & ".join(_content(e).strip() for e in row.iterchildren(f"{M}e")) for row in element.iterchildren(f"{M}mr")
    ]
    return f"\\begin{{matrix}}{ROW_END.join(rows)}\\end{{matrix}}" if rows else ""


def _equations(element: Any) -> str:
    rows = [_content(e).strip() for e in element.iterchildren(f"{M}e")]
    if len(rows) == 1:
        return rows[0]
    return f"\\begin{{aligned}}{ROW_END.join(rows)}\\end{{aligned}}"


def _nothing(_: Any) -> str:
    return ""


_HAVE_PROPERTIES = (
    "r f sSup sSub sSubSup sPre rad nary d func limLow limUpp acc bar groupChr m eqArr box borderBox phant".split()
)
_WRITERS: dict[str, Callable[[Any], str]] = {
    "r": _run,
    "f": _fraction,
    "sSup": _scripts,
    "sSub": _scripts,
    "sSubSup": _scripts,
    "sPre": _scripts,
    "rad": _root,
    "nary": _nary,
    "d": _write_delimited,
    "func": _function,
    "limLow": _limit,
    "limUpp": _limit,
    "acc": _accent,
    "bar": _bar,
    "groupChr": _group,
    "m": _matrix,
    "eqArr": _equations,
    **dict.fromkeys((f"{name}Pr" for name in _HAVE_PROPERTIES), _nothing),
}

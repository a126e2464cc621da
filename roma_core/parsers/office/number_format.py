"""Excel's number formats: a value as the sheet shows it (ECMA-376 part 1, section 18.8.31).

Dates that name a year, a month and a day are written in ISO 8601, because the order in which a sheet shows them depends
on the reader's locale; everything else follows the format.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

BUILTIN = {
    0: "General", 1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00", 14: "yyyy-mm-dd",
    15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy", 18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss",
    22: "yyyy-mm-dd h:mm", 37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0", 48: "##0.0E+0", 49: "@",
}  # fmt: skip

_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"?|\\(?P<escaped>.)|_(?P<room>.)|\*(?P<fill>.)|\[\$(?P<currency>[^\]-]*)[^\]]*\]'
    r"|\[(?P<elapsed>h+|m+|s+)\]|\[(?P<bracket>[^\]]*)\]|(?P<clock>AM/PM|A/P)|(?P<exponent>E[+-]0+)"
    r"|(?P<date>y+|m+|d+|h+|s+(?:\.0+)?)|(?P<digits>[0#?][0#?,.]*|\.[0#?]+)|(?P<percent>%)|(?P<other>.)",
    re.IGNORECASE,
)
_GENERAL = re.compile("general", re.IGNORECASE)
_CONDITION = re.compile(r"\[(<=|>=|<>|<|>|=)(-?[\d.]+)\]")
_PIECE = re.compile(r'"[^"]*"|\\.|[_*].|\[[^\]]*\]|.', re.DOTALL)
_MONTHS = "January February March April May June July August September October November December".split()
_DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_LARGE = 1e20
_LAST_SERIAL = 2_958_466


@dataclass(frozen=True)
class FormatSection:
    """One of a format's parts: its tokens as (kind, text)."""

    tokens: tuple[tuple[str, str], ...]
    condition: tuple[str, float] | None = None

    def has(self, *kinds: str) -> bool:
        return any(kind in kinds for kind, _ in self.tokens)


def show(value: float, code: str, epoch_1904: bool = False) -> str:
    """``value`` in the number format ``code``, e.g. ``show(0.125, "0.0%") == "12.5%"``."""
    parts = sections(code)
    section, number = _choose(parts, value)
    is_general = _GENERAL.search(code.partition(";")[0]) is not None
    if section is None or is_general or abs(value) >= _LARGE or not section.tokens:
        return general(value)
    if section.has("date", "elapsed"):
        return show_date(value, section, epoch_1904)
    return _show_number(number, section) if section.has("digits") else _literals(section) or ""


def general(value: float) -> str:
    """A number as Excel's General shows it in a wide column."""
    if abs(value) < 1e15 and value == int(value):
        return str(int(value))
    return f"{value:.15g}".replace("e", "E")


@lru_cache(maxsize=1024)
def sections(code: str) -> tuple[FormatSection, ...]:
    """The parts of a format: positive, negative, zero, text."""
    parts = [""]
    for piece in _PIECE.findall(code):
        if piece == ";":
            parts.append("")
        else:
            parts[-1] += piece
    return tuple(map(_section, parts[:4]))


def _section(part: str) -> FormatSection:
    condition = _CONDITION.search(part)
    tokens = []
    for match in _TOKEN.finditer("" if part == "@" else part):
        kind = match.lastgroup or "other"
        tokens.append((kind, match[kind]))
    return FormatSection(tuple(tokens), (condition[1], float(condition[2])) if condition else None)


def _choose(parts: tuple[FormatSection, ...], value: float) -> tuple[FormatSection | None, float]:
    """The section for a value, and the number that it shows (a section of its own for negatives drops the sign)."""
    if not parts:
        return None, value
    if any(part.condition for part in parts):
        return next((p for p in parts if p.condition is None or _holds(p.condition, value)), parts[0]), value
    if value < 0 and len(parts) > 1:
        return parts[1], -value
    if value == 0 and len(parts) > 2:
        return parts[2], value
    return parts[0], value


def _holds(condition: tuple[str, float], value: float) -> bool:
    sign, limit = condition
    return {
        "<": value < limit,
        ">": value > limit,
        "<=": value <= limit,
        ">=": value >= limit,
        "=": value == limit,
        "<>": value != limit,
    }[sign]


def _show_number(value: float, section: FormatSection) -> str:
    digits = "".join(text for kind, text in section.tokens if kind == "digits")
    if sum(kind == "digits" for kind, _ in section.tokens) > 1 or any(t == ("other", "/") for t in section.tokens):
        return general(value)  # fractions, and digits spread over literals
    percent = sum(kind == "percent" for kind, _ in section.tokens)
    exponent = next((text for kind, text in section.tokens if kind == "exponent"), None)
    scaled = Decimal(repr(float(value))) * 100**percent
    shown = _scientific(scaled, digits) if exponent else _write_fixed(scaled, digits)
    text = "".join(_literal(kind, text) if kind != "digits" else shown for kind, text in section.tokens)
    negative = scaled < 0 and any(c in "123456789" for c in shown)
    return f"{'-' if negative else ''}{text}".strip()


def _write_fixed(value: Decimal, digits: str) -> str:
    whole, _, decimals = digits.partition(".")
    scale = len(whole) - len(whole.rstrip(",")) if not decimals else len(digits) - len(digits.rstrip(","))
    decimals = decimals.rstrip(",")
    value = abs(value) / (Decimal(1000) ** scale)
    rounded = value.quantize(Decimal(1).scaleb(-len(decimals)), rounding=ROUND_HALF_UP)
    grouped = "," in whole.rstrip(",")
    integer, _, rest = f"{rounded:,f}".partition(".") if grouped else f"{rounded:f}".partition(".")
    integer = "" if integer == "0" and "0" not in whole else integer.rjust(whole.count("0"), "0")
    while rest and decimals[len(rest) - 1] in "#?" and rest.endswith("0"):
        rest = rest[:-1]
    return f"{integer}.{rest}" if rest else integer


def _scientific(value: Decimal, digits: str) -> str:
    return f"{float(abs(value)):.{len(digits.partition('.')[2])}E}"


def _literal(kind: str, text: str) -> str:
    if kind in {"bracket", "fill", "exponent"}:
        return ""
    return " " if kind == "room" else text if kind != "percent" else "%"


def _literals(section: FormatSection) -> str:
    return "".join(_literal(kind, text) for kind, text in section.tokens).strip()


def moment(serial: float, epoch_1904: bool = False) -> datetime | None:
    """The second behind a serial number; None outside of Excel's calendar. 1900 is wrongly a leap year there."""
    if not 0 <= serial < _LAST_SERIAL:
        return None
    days = serial + 1462 if epoch_1904 else serial
    base = datetime(1899, 12, 31 if days < 60 else 30)  # noqa: DTZ001  (sheets know no time zone)
    return base + timedelta(seconds=round(days * 86400))


def show_date(value: float, section: FormatSection, epoch_1904: bool) -> str:
    """Return a date or time as its format shows it; a plain number when no date has that serial."""
    if section.has("elapsed"):
        return _write_elapsed(value, section)
    at = moment(value, epoch_1904)
    if at is None:
        return general(value)
    fields = [text.lower() for kind, text in section.tokens if kind == "date"]
    letters = {text[0] for text in fields}
    if {"y", "m", "d"} <= letters:
        return iso(at, clock="h" in letters, seconds=any(text[0] == "s" for text in fields))
    return "".join(_date_piece(section.tokens, i, at) for i in range(len(section.tokens))).strip()


def iso(at: datetime, *, clock: bool, seconds: bool) -> str:
    """Return a date in ISO 8601, with the time of day when its format shows one."""
    return f"{at:%Y-%m-%d}" + (f" {at:%H:%M:%S}" if clock and seconds else f" {at:%H:%M}" if clock else "")


def _date_piece(tokens: tuple[tuple[str, str], ...], index: int, at: datetime) -> str:
    kind, text = tokens[index]
    if kind == "clock":
        return ("AM" if at.hour < 12 else "PM")[: 2 if len(text) > 3 else 1]
    if kind != "date":
        return _literal(kind, text)
    letter, size = text[0].lower(), len(text)
    if letter == "m" and _is_minutes(tokens, index):
        return f"{at.minute:0{min(size, 2)}d}"
    if letter == "h":
        hour = (at.hour - 1) % 12 + 1 if any(k == "clock" for k, _ in tokens) else at.hour
        return f"{hour:0{min(size, 2)}d}"
    if letter == "s":
        return f"{at.second:0{min(len(text.partition('.')[0]), 2)}d}"
    return _calendar(letter, size, at)


def _calendar(letter: str, size: int, at: datetime) -> str:
    if letter == "y":
        return f"{at.year % 100:02d}" if size <= 2 else f"{at.year}"
    if size <= 2:
        return f"{at.month if letter == 'm' else at.day:0{size}d}"
    name = _MONTHS[at.month - 1] if letter == "m" else _DAYS[at.weekday()]
    return name[:3] if size == 3 else name[:1] if size == 5 else name


def _is_minutes(tokens: tuple[tuple[str, str], ...], index: int) -> bool:
    """``m`` after hours or before seconds means minutes."""
    before = next((t[0].lower() for k, t in reversed(tokens[:index]) if k in {"date", "elapsed"}), "")
    after = next((t[0].lower() for k, t in tokens[index + 1 :] if k in {"date", "elapsed"}), "")
    return before == "h" or after == "s"


def _write_elapsed(value: float, section: FormatSection) -> str:
    seconds = round(abs(value) * 86400)
    pieces = []
    for kind, text in section.tokens:
        letter = text[0].lower() if kind in {"elapsed", "date"} else ""
        total = {"h": seconds // 3600, "m": seconds // 60, "s": seconds}.get(letter, 0)
        rest = {"h": seconds // 3600 % 24, "m": seconds // 60 % 60, "s": seconds % 60}.get(letter, 0)
        width = min(len(text.partition(".")[0]), 2)
        if letter:
            pieces.append(f"{total if kind == 'elapsed' else rest:0{width}d}")
        else:
            pieces.append(_literal(kind, text))
    return ("-" if value < 0 else "") + "".join(pieces).strip()

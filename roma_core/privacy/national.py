"""National identity, tax and health numbers of persons, by their check digits. Pure.

A number whose shape is its own (letters at fixed places, a date inside, a check of two digits) counts wherever it
stands. Nine digits with one check digit may be anything, so such a number counts behind a word that announces it. The
checks are python-stdnum's. Texts come as ``redaction.plain.normalise_text`` makes them.
"""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

CUE_CHARS: Final = 64
"""Characters before a number in which a word may announce it."""
LEAST_DIGITS: Final = 6
_BEFORE: Final = r"(?<![\w.+/=-])(?<!\d )"
_AFTER: Final = r"(?![\w-])(?!\.\d)(?! \d)"


@dataclass(frozen=True)
class NationalNumber:
    """A kind of number: the module of python-stdnum that checks it, its shape, and the words that announce it.

    Without ``cues`` the shape says enough. An empty ``check`` leaves it to shape and cues.
    """

    check: str
    shape: re.Pattern[str]
    cues: re.Pattern[str] | None = None

    def find(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the spans of valid numbers in ``text[start:end]``."""
        for match in self.shape.finditer(text, start, end):
            if self._is_announced(text, match.start()) and self._is_valid(match[0]):
                yield match.span()

    def _is_announced(self, text: str, start: int) -> bool:
        if self.cues is None:
            return True
        return self.cues.search(text, max(0, start - CUE_CHARS), start) is not None

    def _is_valid(self, number: str) -> bool:
        return not self.check or bool(_load_check(self.check).is_valid(number.replace(".", "")))


@functools.cache
def _load_check(name: str) -> Any:
    return importlib.import_module(f"stdnum.{name}")


def _number(check: str, shape: str, cues: str = "") -> NationalNumber:
    announced = re.compile(rf"(?i:(?<![^\W\d_])(?:{cues})(?![^\W\d_])[^\d\n]{{0,40}})\Z") if cues else None
    return NationalNumber(check, re.compile(f"{_BEFORE}(?:{shape}){_AFTER}"), announced)


_ANY_9 = r"\d{3}[ .-]?\d{3}[ .-]?\d{3}"
_ANY_10 = r"\d{10}|\d{3}[ -]\d{3}[ -]\d{4}|\d{5} \d{5}"
_ANY_11 = r"\d{11}|\d{3}[ .-]\d{3}[ .-]\d{3}[ .-]\d{2}"
_DAY = r"(?:0[1-9]|[12]\d|3[01])"
_MONTH = r"(?:0[1-9]|1[0-2])"

NUMBERS: Final = (
    # Their shape says enough.
    _number("it.codicefiscale", r"[A-Za-z]{6}\d{2}[A-EHLMPRSTa-ehlmprst]\d{2}[A-Za-z]\d{3}[A-Za-z]"),
    _number("es.dni", r"(?:\d{8}|\d{2}\.\d{3}\.\d{3})[ -]?[A-Z]"),
    _number("es.nie", r"[XYZ][ -]?\d{7}[ -]?[A-Z]"),
    _number("fr.nir", r"[1-478] ?\d{2} ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d{2}|2[AB]) ?\d{3} ?\d{3} ?\d{2}"),
    _number("ch.ssn", r"756(?:\.\d{4}\.\d{4}\.\d{2}|\d{10}| \d{4} \d{4} \d{2})"),
    _number("fi.hetu", rf"{_DAY}{_MONTH}\d{{2}}[-+ABCDEFYXWVU]\d{{3}}[0-9A-Z]"),
    _number("se.personnummer", rf"(?:\d{{2}})?\d{{2}}{_MONTH}{_DAY}[-+]\d{{4}}"),
    _number("no.fodselsnummer", r"\d{6} ?\d{5}"),
    _number("pl.pesel", r"\d{11}"),
    _number("de.idnr", r"[1-9]\d{10}|[1-9]\d \d{3} \d{3} \d{3}"),
    _number("be.nn", r"\d{2}\.\d{2}\.\d{2}-\d{3}\.\d{2}|\d{11}"),
    _number("cz.rc", r"\d{6}/\d{3,4}"),
    _number("ro.cnp", r"[1-8]\d{12}"),
    _number("cn.ric", r"[1-9]\d{16}[\dXx]"),
    _number("kr.rrn", r"\d{6}-\d{7}"),
    _number("za.idnr", rf"\d{{2}}{_MONTH}{_DAY} ?\d{{4}} ?[01]8\d|\d{{2}}{_MONTH}{_DAY}\d{{7}}"),
    _number("br.cpf", r"\d{3}\.\d{3}\.\d{3}-\d{2}"),
    _number("mx.curp", r"[A-Z][AEIOUX][A-Z]{2}\d{6}[HMX][A-Z]{5}[0-9A-Z]\d"),
    _number("cl.rut", r"\d{1,2}\.\d{3}\.\d{3}-[\dkK]"),
    _number("pt.cc", r"\d{8} ?\d ?[A-Z]{2}\d"),
    _number("ie.pps", r"\d{7}[A-W][A-IW]?"),
    _number("ee.ik", r"[1-6]\d{10}"),
    _number("lv.pvn", r"[0-3]\d{5}-\d{5}"),
    _number("is_.kennitala", r"\d{6}-\d{4}"),
    _number("th.pin", r"\d-\d{4}-\d{5}-\d{2}-\d"),
    _number("my.nric", r"\d{6}-\d{2}-\d{4}"),
    _number("si.emso", rf"{_DAY}{_MONTH}[09]\d{{8}}"),
    _number("at.vnr", rf"\d{{4}} {_DAY}{_MONTH}\d{{2}}"),
    _number("", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] \d\d \d\d \d\d [A-D]"),  # UK National Insurance
    # A word announces them.
    _number("", r"[A-Za-z]{2} ?\d{6} ?[A-Da-d]", r"national insurance|(?-i:NINO)|ni(?: number| no)"),
    _number("nl.bsn", rf"{_ANY_9}|\d{{4}}\.?\d{{2}}\.?\d{{3}}", r"bsn|burgerservicenummer|sofi[- ]?nummer"),
    _number("gb.nhs", rf"{_ANY_10}", r"nhs|national health|patient"),
    _number("gb.utr", rf"{_ANY_10}", r"utr|unique taxpayer"),
    _number("ca.sin", _ANY_9, r"(?-i:SIN|NAS)|social insurance|assurance sociale"),
    _number("au.tfn", rf"{_ANY_9}|\d{{8}}", r"tfn|tax file"),
    _number("pt.nif", _ANY_9, r"(?-i:NIF)|contribuinte|identifica[çc][ãa]o fiscal"),
    _number("fr.nif", r"[0-3]\d ?\d{2} ?\d{3} ?\d{3} ?\d{3}", r"(?-i:SPI|NIF)|num[ée]ro fiscal|identifiant fiscal"),
    _number("dk.cpr", r"\d{6}[ -]?\d{4}", r"cpr(?:[- ]?(?:nr|nummer|number))?|personnummer"),
    _number("se.personnummer", r"(?:\d{2})?\d{10}", r"personnummer|personnr|samordningsnummer"),
    _number("tr.tckimlik", _ANY_11, r"(?-i:T\.C\.?)|tckn|kimlik"),
    _number("br.cpf", _ANY_11, r"cpf"),
    _number("in_.aadhaar", r"\d{4} ?\d{4} ?\d{4}|\d{4}-\d{4}-\d{4}", r"aadhaar|aadhar|uidai|आधार"),
    _number("in_.pan", r"[A-Z]{5}\d{4}[A-Z]", r"(?-i:PAN)|permanent account"),
    _number("gr.amka", r"\d{11}", r"amka|αμκα"),
    _number("bg.egn", r"\d{10}", r"egn|егн"),
    _number("hr.oib", r"\d{11}", r"oib"),
    _number("il.idnr", r"\d{9}|\d{8}-\d", r"israeli id|teudat zehut|ת\"ז|ת\.ז|תעודת זהות"),
    _number("th.pin", r"\d{13}", r"thai id|เลขประจำตัวประชาชน|บัตรประชาชน"),
    _number("jp.in_", r"\d{12}|\d{4}[ -]\d{4}[ -]\d{4}", r"my ?number|マイナンバー|個人番号"),
    _number("us.itin", r"9\d\d[- ]?\d\d[- ]?\d{4}", r"itin|individual taxpayer"),
    _number("ru.inn", r"\d{12}", r"(?-i:INN)|инн"),
    _number("ua.rntrc", r"\d{10}", r"rntrc|рнокпп|іпн"),
    _number("hr.oib", r"\d{11}", r"osobni identifikacijski"),
    _number("lt.asmens", r"\d{11}", r"asmens kodas"),
    _number("kr.rrn", r"\d{13}", r"주민등록번호|rrn|resident registration"),
    _number("cz.rc", r"\d{9,10}", r"rodn[ée] [čc][íi]slo|(?-i:RČ)"),
    _number("cl.rut", r"\d{7,8}-?[\dkK]", r"rut"),
    _number("pl.nip", r"\d{10}|\d{3}-\d{3}-\d{2}-\d{2}|\d{3}-\d{2}-\d{2}-\d{3}", r"nip"),
)  # fmt: skip


def find_national_numbers(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans of national numbers of persons.

    >>> list(find_national_numbers("Codice fiscale RSSMRA85T10A562S"))
    [(15, 31)]
    """
    start = 0
    for line in text.splitlines(keepends=True):
        end = start + len(line)
        if sum(map(line.count, "0123456789")) >= LEAST_DIGITS:
            for number in NUMBERS:
                yield from number.find(text, start, end)
        start = end

"""Detectors of personal data: addresses and numbers that lead to a person. Each takes a text and yields spans. Pure.

Texts come as ``plain`` makes them. Numbers are only reported when their own check holds: Luhn and issuer for cards
(ISO/IEC 7812), mod 97 and the country's length for IBANs (ISO 13616), the ranges in use for SSNs, ``ipaddress`` for
IPv6.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

Spans = Iterator[tuple[int, int]]

_EMAIL = re.compile(
    r"(?<![\w.%+-])[\w.%+'-]{1,64}?(?:@|%(?:25)*40)(?P<host>(?:[\w-]{1,63}\.){1,8})(?P<tld>xn--[\w-]{2,59}|[^\W\d_]{2,24})"
    r"(?![\w@])"
)
_FILE_SUFFIXES = frozenset({"png", "jpg", "jpeg", "gif", "svg", "webp", "css", "js", "json", "html"})
"""No domain ends in one of them."""
_ALSO_SUFFIXES = frozenset({"zip", "mov", "service", "timer", "socket", "mount", "target"})
"""``icon@2x.zip`` and the unit ``getty@tty1.service`` have one label with a number; addresses have a name."""
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{1,4}){3,8}(?![A-Za-z0-9])")
_CARD = re.compile(
    r"(?<![\w.+-])(?:\d{14,19}|\d{4}([ -]{1,3}|[._/·])\d{4}\1\d{4}\1\d{4}(?:\1\d{3})?"
    r"|\d{4}([ -]{1,3}|[._/·])\d{6}\2\d{4,5})(?![\w-])(?!\.\d)"
)
_SSN = re.compile(r"(?<![\w.+-])(?<!\d )(?!000|666|9)\d{3}([- ]{1,2})(?!00)\d\d\1(?!0000)\d{4}(?![\w-])(?![ .]\d)")
_SSN_CUED = re.compile(
    r"(?i:\bssn\b|social security)\D{0,24}?"
    r"(?P<value>(?!000|666|9)\d{3}[ ./-]{0,2}(?!00)\d\d[ ./-]{0,2}(?!0000)\d{4})(?!\d)"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4 = re.compile(
    rf"(?<![\w.])(?<![A-Za-z][-/])(?<!==)(?<![<>~!^]=)(?<!§){_OCTET}(?:\.{_OCTET}){{3}}(?!\w|\.\d|[-+][A-Za-z])"
)
_VERSION_WORD = re.compile(
    r"(?i:\b(?:v|ver|version|versions|release|released|build|rev|revision|section|chapter|clause|para|paragraph"
    r"|firmware|driver|upgraded?|oid|table|figure|step)\.?[\s:=]{1,3}(?:to |from )?)$"
)
_IPV6 = re.compile(
    r"(?<![\w:.])(?:[0-9A-Fa-f]{1,4}:|:(?=:)){1,8}(?::?[0-9A-Fa-f]{0,4})(?:[0-9A-Fa-f]{0,4}:){0,7}[0-9A-Fa-f.]{0,15}(?![\w:])"
)
_PHONE_INTERNATIONAL = re.compile(
    r"(?<![\w.+/=-])(?:\+|00(?=[1-9]\d[ .-](?!0)))[1-9]\d{0,2}(?:[ .-]?\(\d{1,4}\))?(?:[ .-]?\d{1,5}){1,6}"
    r"(?![\w-])(?!\.\d)"
)
_COORDINATES = re.compile(r"\+\d{1,3}\.(?:\d{5,}|\d+[ -])")  # decimals, ISO 6709
_PHONE_NANP = re.compile(
    r"(?<![\w.+/=-])(?<!\d )(?:1[ .-])?(?:\([2-9]\d\d\) ?|[2-9]\d\d[ .-])"
    r"[2-9]\d\d[ .-]\d{4}(?![\w-])(?![ .]\d)"
)
_PHONE_NATIONAL = re.compile(
    r"(?<![\w.,:+/=-])(?<![\da-fA-F] )0[1-9](?:"
    r"([ .-])\d\d(?:\1\d\d){3}"  # 06 12 34 56 78
    r"|\d{0,3}([ -])\d{3,4}\2\d{3,4}"  # 020 7946 0958, 03-1234-5678
    r"|\d{1,3} \d{2,3}(?: \d\d){2}"  # 044 668 18 00, 0711 12 34 56
    r"|\d{1,3}[ /-]\d{5,7}"  # 0171 1234567, 030/901820, 07911 123456
    r")(?![\w-])(?![ .,:/]\d)(?! [\da-fA-F]{2}\b)"
)
"""Written as at home, with the trunk prefix 0 (ITU-T E.123) and in the groups that are usual."""
_PHONE_CUED = re.compile(
    r"(?i:\b(?:phone|tel|telephone|mobile|cell|fax|call(?: me)?(?: at| on)?|ring|dial|whatsapp|sms"
    r"|text me(?: at| on)?"
    r"|telefon(?:nummer|o)?|mobil(?:nummer|telefon|funk)?|handy(?:nummer)?|rufnummer|durchwahl"
    r"|t[ée]l|t[ée]l[ée]phone|portable|t[ée]l[ée]fono|tfno|tlfn?|m[óo]vil|celular|telefone|telem[óo]vel"
    r"|telefoon(?:nummer)?|gsm|cellulare)\b)"
    r"[^\w+(]{0,4}(?:(?i:no|number|nr|is|at|on|us at|us on)\b\.?[^\w+(]{0,3}){0,2}"
    r"(?P<value>[+(]?\d(?:[ ./()-]{0,2}\d){6,14})(?!\d)"
)

# Lengths by country: the SWIFT IBAN registry.
_IBAN_LENGTH = {
    country: int(size)
    for size, countries in {
        "15": "NO", "16": "BE", "18": "DK FI FO GL NL SD", "19": "MK SI", "20": "AT BA EE KZ LT LU XK MN",
        "21": "CH HR LI LV", "22": "BG BH CR DE GB GE IE ME RS VA", "23": "AE GI IL IQ OM SO TL",
        "24": "AD CZ ES MD PK RO SA SE SK TN VG", "25": "LY PT ST", "26": "IS TR", "27": "BI DJ FR GR IT MC MR SM",
        "28": "AL AZ BY CY DO GT HN HU LB NI PL SV", "29": "BR EG PS QA UA", "30": "JO KW MU YE", "31": "MT SC",
        "32": "LC", "33": "RU",
    }.items()
    for country in countries.split()
}  # fmt: skip


def find_emails(text: str) -> Spans:
    """Yield e-mail addresses, percent-encoded ones too; not ``git@`` remotes and names of files."""
    for m in _EMAIL.finditer(text):
        remote = m[0].startswith("git@") and text[m.end() : m.end() + 1] == ":"
        if not remote and not _is_file(m["host"], m["tld"].lower()):
            yield m.span()


def _is_file(host: str, suffix: str) -> bool:
    numbered = host.count(".") == 1 and any(map(str.isdigit, host))
    return suffix in _FILE_SUFFIXES or (suffix in _ALSO_SUFFIXES and numbered)


def find_ibans(text: str) -> Spans:
    """Yield IBANs whose length fits their country and whose check digits hold."""
    for m in _IBAN.finditer(text):
        size = _IBAN_LENGTH.get(m[0][:2])
        if size is None:
            continue
        end = _find_end(m[0], size)
        if end is not None and _has_valid_check_digits(m[0][:end].replace(" ", "")):
            yield m.start(), m.start() + end


def _find_end(text: str, size: int) -> int | None:
    """Return the offset just behind the ``size``-th character that is no space, if a word ends there."""
    seen = 0
    for i, c in enumerate(text):
        seen += c != " "
        if seen == size:
            return i + 1 if text[i + 1 : i + 2] in {"", " "} else None
    return None


def _has_valid_check_digits(iban: str) -> bool:
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97 == 1


def has_valid_luhn(digits: str) -> bool:
    """Return whether the check digit holds (ISO/IEC 7812-1, annex B)."""
    odd = sum(int(d) for d in digits[-1::-2])
    even = sum(sum(divmod(2 * int(d), 10)) for d in digits[-2::-2])
    return (odd + even) % 10 == 0


def _is_issued(d: str) -> bool:
    """Return whether prefix and length belong to an issuer.

    Visa, Mastercard, Amex, Discover, JCB, Diners, UnionPay and Maestro are known.
    """
    n = len(d)
    head2, head4 = int(d[:2]), int(d[:4])
    if n == 14:
        return head2 in {36, 38, 39} or 300 <= int(d[:3]) <= 305
    if n == 15:
        return head2 in {34, 37}
    if n == 16:
        return (
            d[0] == "4" or 51 <= head2 <= 55 or 2221 <= head4 <= 2720 or 3528 <= head4 <= 3589
            or head4 == 6011 or head2 in {62, 65} or 644 <= int(d[:3]) <= 649 or head4 in {5018, 5020, 5038, 6304}
        )  # fmt: skip
    return n in {18, 19} and (d[0] == "4" or head2 == 62 or head4 in {5018, 5020, 5038, 6304, 6759, 6761, 6763})


def find_cards(text: str) -> Spans:
    """Yield numbers of payment cards that an issuer uses and whose check digit holds."""
    for m in _CARD.finditer(text):
        digits = "".join(filter(str.isdigit, m[0]))
        if _is_issued(digits) and has_valid_luhn(digits):
            yield m.span()


def find_ssns(text: str) -> Spans:
    """Yield US social security numbers: in their usual groups, or in any form after a word that announces one."""
    yield from (m.span() for m in _SSN.finditer(text))
    yield from (m.span("value") for m in _SSN_CUED.finditer(text))


def find_ips(text: str) -> Spans:
    """Yield IPv4 and IPv6 addresses of hosts; not local ones, versions and times."""
    for m in _IPV4.finditer(text):
        harmless = m[0].startswith(("0.", "127.")) or m[0] == "255.255.255.255"
        if not harmless and not _VERSION_WORD.search(text, max(0, m.start() - 24), m.start()):
            yield m.span()
    if text.count(":") >= 2:
        for m in _IPV6.finditer(text):
            size = len(m[0].rstrip("."))
            if _is_ipv6(m[0][:size]):
                yield m.start(), m.start() + size


def _is_ipv6(text: str) -> bool:
    """Return whether ``text`` is the address of a host.

    ``::1``, a MAC or EUI-64 (pairs only), a time, and a scope such as ``a::b`` are not.
    """
    if text.count(":") < 2 or not any(c.isdigit() for c in text):
        return False
    try:
        address = ipaddress.IPv6Address(text)
    except ValueError:
        return False
    groups = [g for g in text.split(":") if g]
    pairs = len(groups) == 8 and all(len(g) == 2 for g in groups)
    return not (address.is_loopback or address.is_unspecified or pairs) and (len(groups[0]) >= 3 or len(groups) == 8)


def find_phones(text: str) -> Spans:
    """Yield phone numbers.

    They are international, North American or national, or any run of digits after a word such as ``tel``.
    """
    for m in _PHONE_INTERNATIONAL.finditer(text):
        digits = sum(c.isdigit() for c in m[0])
        if 9 <= digits <= 15 and not _COORDINATES.match(m[0]):
            yield m.span()
    yield from (m.span() for m in _PHONE_NANP.finditer(text))
    for m in _PHONE_NATIONAL.finditer(text):
        if 9 <= sum(c.isdigit() for c in m[0]) <= 11:
            yield m.span()
    yield from (m.span("value") for m in _PHONE_CUED.finditer(text))

"""Numbers, units and dates in the one spelling by which they are compared. Pure.

``3.2 million`` is ``3,200,000``, ``½`` is ``0.5``, ``twenty-five`` is ``25``, ``5 km`` is ``5,000 m`` (by pint) and
``12 May 1902`` is ``1902-05-12``.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS: dict[str, int] = (
    {word: value for value, word in enumerate(_ONES.split())}
    | {word: 10 * tens for tens, word in enumerate(_TENS.split(), start=2)}
    | {"dozen": 12}
)
SCALES: dict[str, int] = {
    "hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12, "millions": 10**6,
    "thousands": 10**3, "billions": 10**9, "hundreds": 100, "bn": 10**9, "mn": 10**6, "mln": 10**6, "lakh": 10**5,
    "crore": 10**7, "dozen": 12,
}  # fmt: skip
SHORT_SCALES: dict[str, int] = {"k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
"""Letters that scale an amount of money: ``$5m``."""
_ORDINALS = (
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth "
    "sixteenth seventeenth eighteenth nineteenth"
)
ORDINAL_WORDS: dict[str, int] = {word: value for value, word in enumerate(_ORDINALS.split(), start=1)} | {
    "twentieth": 20, "thirtieth": 30, "fortieth": 40, "fiftieth": 50, "sixtieth": 60, "seventieth": 70, "eightieth": 80,
    "ninetieth": 90, "hundredth": 100, "thousandth": 1000,
}  # fmt: skip
FRACTION_WORDS: dict[str, int] = {
    "half": 2, "third": 3, "thirds": 3, "quarter": 4, "quarters": 4, "fourth": 4, "fourths": 4, "fifth": 5, "fifths": 5,
    "sixth": 6, "sixths": 6, "eighth": 8, "eighths": 8, "tenth": 10, "tenths": 10,
}  # fmt: skip

MONTH_NAMES = tuple("january february march april may june july august september october november december".split())
MONTHS: dict[str, int] = {}
for _number, _name in enumerate(MONTH_NAMES, start=1):
    MONTHS[_name] = _number
    MONTHS[_name[:3]] = _number
MONTHS["sept"] = 9

_UNIT_NAMES = """
meter: m metre meter metres meters
kilometer: km kms kilometre kilometer kilometres kilometers
centimeter: cm centimetre centimeter centimetres centimeters
millimeter: mm millimetre millimeter millimetres millimeters
micrometer: µm μm um micrometre micrometer micrometres micrometers micron microns
nanometer: nm nanometre nanometer nanometres nanometers
mile: mi mile miles
yard: yd yds yard yards
foot: ft foot feet
inch: inch inches
nautical_mile: nmi
gram: g gram grams gramme grammes
kilogram: kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes
milligram: mg milligram milligrams
microgram: µg μg mcg microgram micrograms
tonne: t tonne tonnes
ton: tons ton
pound: lb lbs pound pounds
ounce: oz ounce ounces
stone: stone stones
liter: l litre liter litres liters
milliliter: ml millilitre milliliter millilitres milliliters
gallon: gal gallon gallons
pint: pint pints
barrel: barrel barrels bbl
second: s sec secs second seconds
millisecond: ms millisecond milliseconds
minute: min mins minute minutes
hour: h hr hrs hour hours
day: day days
week: wk week weeks
month: month months
year: yr yrs year years
decade: decade decades
century: century centuries
hectare: ha hectare hectares
acre: acre acres
byte: byte bytes
kibibyte: kib kibibyte kibibytes
mebibyte: mib mebibyte mebibytes
gibibyte: gib gibibyte gibibytes
kilobit: kbit kbits kbps kilobit kilobits
megabit: mbit mbits mbps megabit megabits
gigabit: gbit gbits gbps gigabit gigabits
kilobyte: kb kilobyte kilobytes
megabyte: mb megabyte megabytes
gigabyte: gb gigabyte gigabytes
terabyte: tb terabyte terabytes
watt: w watt watts
kilowatt: kw kilowatt kilowatts
megawatt: mw megawatt megawatts
gigawatt: gw gigawatt gigawatts
kilowatt_hour: kwh
megawatt_hour: mwh
joule: j joule joules
kilojoule: kj kilojoule kilojoules
calorie: cal calorie calories
kilocalorie: kcal kilocalorie kilocalories
volt: v volt volts
ampere: amp amps ampere amperes
hertz: hz hertz
kilohertz: khz kilohertz
megahertz: mhz megahertz
gigahertz: ghz gigahertz
pascal: pa pascal pascals
kilopascal: kpa
bar: bar bars
kelvin: kelvin kelvins
degC: °c celsius
degF: °f fahrenheit
degree: ° degree degrees
mile_per_hour: mph
kilometer_per_hour: kph kmh km/h
knot: knot knots
percent: % percent pct
percentage_point: pp
permille: ‰
USD: $ usd dollar dollars us$
EUR: € eur euro euros
GBP: £ gbp
JPY: ¥ jpy yen
CHF: chf
INR: ₹ inr rupee rupees
CNY: cny yuan rmb
CAD: c$ cad
AUD: a$ aud
CENT: cents cent ¢
"""
UNITS: dict[str, str] = {}
for _line in _UNIT_NAMES.strip().splitlines():
    _unit, _, _spellings = _line.partition(": ")
    for _spelling in _spellings.split():
        UNITS.setdefault(_spelling, _unit)
CURRENCIES = frozenset({"USD", "EUR", "GBP", "JPY", "CHF", "INR", "CNY", "CAD", "AUD", "NZD", "HKD", "SGD"})
CURRENCY_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
_NOT_PHYSICAL = CURRENCIES | {"percent", "percentage_point", "permille", "CENT", "degree"}
_WITH_CENTS = frozenset({"USD", "EUR", "CAD", "AUD"})
_LARGEST_ROUNDING = Decimal("0.04")
CASED_UNITS = {
    "mW": "milliwatt", "MW": "megawatt", "mV": "millivolt", "MV": "megavolt", "kV": "kilovolt", "mA": "milliampere",
    "Mb": "megabit", "Gb": "gigabit", "MHz": "megahertz", "mHz": "millihertz", "MPa": "megapascal",
    "mPa": "millipascal", "MJ": "megajoule", "mJ": "millijoule", "mmol": "millimole", "mol": "mole",
}  # fmt: skip
"""Units in whose spelling a capital decides."""
_CASED = {
    "m",
    "t",
    "g",
    "h",
    "l",
    "s",
    "v",
    "w",
    "j",
    "b",
    "pa",
    "mi",
    "ha",
    "min",
    "bar",
    "stone",
    "cal",
    "sec",
    "amp",
}
"""Spellings that are units only in small letters (``M`` is a size, ``H`` an element)."""


def unit_of(word: str, *, glued: bool) -> str | None:
    """Return the name of the unit that ``word`` spells behind a number; single letters must stand close to it."""
    if (cased := CASED_UNITS.get(word)) is not None:
        return cased
    folded = word.casefold()
    unit = UNITS.get(folded)
    if unit is None:
        return None
    if folded in _CASED and word != folded and not (folded in {"l", "w", "v", "j", "pa"} and len(word) <= 2):
        return None
    return unit


@dataclass(frozen=True)
class Quantity:
    """A number with its unit ("" when it has none); ``step`` is the value of its last written digit."""

    value: Decimal
    unit: str = ""
    step: Decimal = Decimal(1)
    is_fraction: bool = False

    @property
    def key(self) -> str:
        value = self.value.normalize()
        plain = f"{value:f}" if abs(value.adjusted()) < 30 else str(value)
        return f"#{plain} {self.unit}".strip()


@dataclass(frozen=True)
class Date:
    """A date; 0 stands for a part that is not given. ``other`` is the second reading of ``05/12/1902``."""

    year: int
    month: int
    day: int
    other: tuple[int, int] | None = None

    @property
    def key(self) -> str:
        return f"@{self.year or '?'}-{self.month or '?'}-{self.day or '?'}"

    def holds(self, claimed: Date) -> bool:
        """Return whether this date says what ``claimed`` says: a part that is left out is not claimed."""
        readings = [(self.month, self.day), *([self.other] if self.other else [])]
        claims = [(claimed.month, claimed.day), *([claimed.other] if claimed.other else [])]
        if claimed.year and claimed.year != self.year:
            return False
        return any((not m or m == a) and (not d or d == b) for m, d in claims for a, b in readings)


def parse_number(digits: str) -> Quantity | None:
    """Return the value of ``1,200``, ``1 200``, ``3.5`` or ``3,5``; None where the digits are no single number.

    >>> parse_number("1,200").key
    '#1200'
    """
    plain = unicodedata.normalize("NFKC", digits).replace("’", "'")
    plain = re.sub(r"[\s']", "", plain)
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", plain):
        plain = plain.replace(",", "")
    elif re.fullmatch(r"\d{1,3}(?:\.\d{3}){2,}(?:,\d+)?", plain):
        plain = plain.replace(".", "").replace(",", ".")
    elif re.fullmatch(r"\d+,\d+", plain):
        plain = plain.replace(",", ".")
    try:
        value = Decimal(plain)
    except InvalidOperation:
        return None
    exponent = value.as_tuple().exponent
    step = Decimal(1).scaleb(exponent) if isinstance(exponent, int) else Decimal(1)
    return Quantity(value, step=step)


def same_quantity(claimed: Quantity, source: Quantity) -> bool:
    """Return whether two quantities say the same, converted by pint where their units differ.

    A converted value must round to the claimed one at the claimed one's last digit, and differ by 4 % at most: a metre
    is no yard.
    """
    if claimed.unit == source.unit:
        return claimed.value == source.value
    if {claimed.unit, source.unit} == {"percent", ""} and (claimed.is_fraction or source.is_fraction):
        return _as_share(claimed) == _as_share(source)
    if {claimed.unit, source.unit} == {"GBP", "pound"}:
        return claimed.value == source.value
    if "CENT" in {claimed.unit, source.unit} and {claimed.unit, source.unit} & _WITH_CENTS:
        return _in_cents(claimed) == _in_cents(source)
    if not claimed.unit or not source.unit or {claimed.unit, source.unit} & _NOT_PHYSICAL:
        return False
    converted = convert_quantity(source, claimed.unit)
    if converted is None:
        return False
    if ("bi" in claimed.unit) != ("bi" in source.unit) and "byte" in claimed.unit:
        return converted == claimed.value
    rounding = min(claimed.step / 2, abs(claimed.value) * _LARGEST_ROUNDING)
    return abs(converted - claimed.value) <= rounding + abs(claimed.value) * Decimal("1e-9")


def rounding_error(claimed: Quantity, source: Quantity) -> float:
    """Return by which share of the claimed value the converted one differs."""
    converted = source.value if claimed.unit == source.unit else convert_quantity(source, claimed.unit)
    if converted is None or not claimed.value:
        return 0.0
    return float(abs(converted - claimed.value) / abs(claimed.value))


def is_within(limit: str, claimed: Quantity, source: Quantity) -> bool:
    """Return whether the source's value lies within ``limit`` of the claimed one, and close to it.

    >>> is_within("more than", Quantity(Decimal(40)), Quantity(Decimal(43)))
    True
    """
    share = _share_to(claimed, source)
    if share is None:
        return False
    low, high = _WITHIN[limit]
    return low <= share <= high and (share != 1 or limit in {"at least", "at most"})


_CLOSE, _NEAR, _ROUND = Decimal("0.15"), Decimal("0.07"), Decimal("0.05")
_WITHIN: dict[str, tuple[Decimal, Decimal]] = {
    "more than": (Decimal(1), 1 + _CLOSE),
    "at least": (Decimal(1), 1 + _CLOSE),
    "less than": (1 - _CLOSE, Decimal(1)),
    "at most": (1 - _CLOSE, Decimal(1)),
    "almost": (1 - _NEAR, Decimal(1)),
    "just over": (Decimal(1), 1 + _NEAR),
    "about": (1 - _ROUND, 1 + _ROUND),
}
"""Share of the claimed value that the true one may be: "more than 40" is true of 4,000 as well, but says little."""


def _share_to(claimed: Quantity, source: Quantity) -> Decimal | None:
    """Return the source's value as a share of the claimed one, in one unit; None where there is none."""
    ours, theirs = claimed.value, source.value
    if claimed.unit != source.unit:
        if {claimed.unit, source.unit} == {"percent", ""} and (claimed.is_fraction or source.is_fraction):
            ours, theirs = _as_share(claimed), _as_share(source)
        else:
            converted = convert_quantity(source, claimed.unit) if is_convertible(claimed, source) else None
            if converted is None:
                return None
            theirs = converted
    return theirs / ours if ours > 0 and theirs > 0 else None


def is_convertible(claimed: Quantity, source: Quantity) -> bool:
    """Return whether the two measure the same thing in different units."""
    if claimed.unit == source.unit or not claimed.unit or not source.unit:
        return False
    if {claimed.unit, source.unit} & _NOT_PHYSICAL:
        return False
    return convert_quantity(source, claimed.unit) is not None


def _in_cents(quantity: Quantity) -> Decimal:
    return quantity.value if quantity.unit == "CENT" else quantity.value * 100


def _as_share(quantity: Quantity) -> Decimal:
    return quantity.value / 100 if quantity.unit == "percent" else quantity.value


_DIMENSIONS = (
    "meter kilometer centimeter millimeter micrometer nanometer mile yard foot inch nautical_mile",
    "gram kilogram milligram microgram tonne ton pound ounce stone",
    "liter milliliter gallon pint barrel",
    "second millisecond minute hour day week month year decade century",
    "hectare acre",
    "byte kilobyte megabyte gigabyte terabyte",
    "watt kilowatt megawatt gigawatt",
    "kilowatt_hour joule kilojoule calorie kilocalorie",
)
_DIMENSION_OF = {unit: number for number, units in enumerate(_DIMENSIONS) for unit in units.split()}
"""Units by what they measure. Most that are compared measure two things, and pint takes a second to say so at first."""


@functools.cache
def load_units() -> Any:
    """Return pint's registry. It takes a second to load: a server does so early, others for units that differ."""
    import pint

    return pint.UnitRegistry()


@functools.lru_cache(maxsize=4096)
def convert_quantity(quantity: Quantity, unit: str) -> Decimal | None:
    """Return the value of a quantity in another unit, by pint; None where there is no such value.

    >>> convert_quantity(Quantity(Decimal(5), "kilometer"), "meter")
    Decimal('5000.0')
    """
    own, other = _DIMENSION_OF.get(quantity.unit), _DIMENSION_OF.get(unit)
    if own is not None and other is not None and own != other:
        return None
    from pint.errors import PintError

    registry = load_units()
    try:
        return Decimal(str(registry.Quantity(float(quantity.value), quantity.unit).to(unit).magnitude))
    except (PintError, AttributeError, ValueError):
        return None

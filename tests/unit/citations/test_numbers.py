"""Quantities: equal, convertible, different."""

from __future__ import annotations

import itertools
import subprocess
import sys
from decimal import Decimal

import pytest

from roma_core.citations.numbers import UNITS, Date, Quantity, is_convertible, parse_number, same_quantity


def quantity(value: str, unit: str) -> Quantity:
    parsed = parse_number(value)
    assert parsed is not None
    return Quantity(parsed.value, unit, parsed.step)


@pytest.mark.parametrize(
    ("claimed", "source", "same"),
    [
        (("5", "kilometer"), ("5000", "meter"), True),
        (("3.1", "mile"), ("5", "kilometer"), True),
        (("4", "mile"), ("5", "kilometer"), False),
        (("1", "meter"), ("1", "yard"), False),
        (("5", "tonne"), ("5", "ton"), False),
        (("14", "day"), ("2", "week"), True),
        (("10", "day"), ("2", "week"), False),
        (("5", "degC"), ("41", "degF"), True),
        (("5", "USD"), ("5", "EUR"), False),
        (("5", "percent"), ("5", "percentage_point"), False),
        (("5", "liter"), ("5", "kilogram"), False),
    ],
)
def test_quantities_say_the_same_only_where_the_factor_is_right(
    claimed: tuple[str, str], source: tuple[str, str], same: bool
) -> None:
    assert same_quantity(quantity(*claimed), quantity(*source)) is same


def test_every_unit_is_one_that_pint_knows() -> None:
    from pint import UnitRegistry

    registry = UnitRegistry()
    physical = [
        u
        for u in set(UNITS.values())
        if u not in {"percent", "percentage_point", "permille", "CENT"} and not u.isupper()
    ]
    assert physical
    assert all(unit in registry for unit in physical)


def test_convertible_units_measure_one_thing() -> None:
    assert is_convertible(quantity("5", "mile"), quantity("5", "kilometer"))
    assert not is_convertible(quantity("5", "mile"), quantity("5", "kilogram"))


def test_a_date_holds_what_is_claimed_less_fully() -> None:
    full = Date(1902, 5, 12)
    assert full.holds(Date(1902, 5, 0))
    assert not full.holds(Date(1902, 6, 0))
    assert not Date(1902, 5, 0).holds(full)
    assert Date(1902, 5, 12, (12, 5)).holds(Date(1902, 12, 5))


@pytest.mark.parametrize(
    ("written", "value"), [("1,200", "1200"), ("3,5", "3.5"), ("1.200.000", "1200000"), ("1 200", "1200")]
)
def test_numbers_have_one_value(written: str, value: str) -> None:
    parsed = parse_number(written)
    assert parsed is not None and parsed.value == Decimal(value)


def test_units_measure_one_thing_where_pint_says_so() -> None:
    from pint import UnitRegistry

    registry = UnitRegistry()
    others = {"percent", "percentage_point", "permille", "degree", "decade"}  # pint's decade is a factor of ten
    units = sorted({unit for unit in UNITS.values() if not unit.isupper()} - others)
    for unit, other in itertools.combinations(units, 2):
        expected = registry.Unit(unit).is_compatible_with(other)
        assert is_convertible(Quantity(Decimal(1), unit), Quantity(Decimal(1), other)) == expected, (unit, other)


def test_units_of_two_things_are_told_apart_without_pint() -> None:
    program = (
        "import sys\n"
        "from decimal import Decimal\n"
        "from roma_core.citations.numbers import Quantity, same_quantity\n"
        "assert not same_quantity(Quantity(Decimal(5), 'kilometer'), Quantity(Decimal(5), 'year'))\n"
        "assert 'pint' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)

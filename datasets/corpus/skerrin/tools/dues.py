"""Dues of a yacht, as the office calculates them since January 2024."""

PRICE_PER_METRE = 1.95
SEVENTH_NIGHT_FREE = True


def dues(length_m: float, nights: int) -> float:
    """Return the dues in euros; lengths are rounded up to the next metre."""
    metres = -(-length_m // 1)
    paid = nights - nights // 7 if SEVENTH_NIGHT_FREE else nights
    return round(metres * PRICE_PER_METRE * paid, 2)

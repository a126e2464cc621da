"""The limits of model calls: budgets, prices, rates, breakers and the cache of answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.llm.control.breaker import Breaker as Breaker
    from roma_core.llm.control.budget import Budgets as Budgets
    from roma_core.llm.control.calls import CallRecord as CallRecord
    from roma_core.llm.control.pricing import Price as Price
    from roma_core.llm.control.pricing import Prices as Prices
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "breaker": ("Breaker",),
            "budget": ("Budgets",),
            "calls": ("CallRecord",),
            "pricing": (
                "Price",
                "Prices",
            ),
        },
    )

__all__ = [
    "Breaker",
    "Budgets",
    "CallRecord",
    "Price",
    "Prices",
]

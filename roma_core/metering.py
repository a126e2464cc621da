"""Embeddings that cost money, within the budgets that hold for every model call.

Money is reserved before a call at the most that it can cost, and settled after it at what it did cost. With a budget of
0 nothing is sent.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from functools import partial

from roma_core.embeddings import Embedder, EmbedderOver, EmbeddingResult, paying_tenant
from roma_core.errors import EmbeddingError
from roma_core.llm.control.budget import Budgets, payer
from roma_core.llm.control.pricing import Prices
from roma_core.types import Usage

OnUsage = Callable[[str, Usage], None]


class MeteredEmbedder(EmbedderOver):
    """``Embedder`` over another one whose calls are priced, kept within budgets and reported.

    ``provider`` and the model's name find the price. ``on_usage`` gets ``provider:model`` and the usage of each call.
    """

    def __init__(
        self, embedder: Embedder, provider: str, *, prices: Prices, budgets: Budgets, on_usage: OnUsage
    ) -> None:
        super().__init__(embedder)
        self._provider = provider
        self._model = embedder.name.removeprefix(f"{provider}:")
        self._prices = prices
        self._budgets = budgets
        self._observers = [on_usage]

    def observe(self, observer: OnUsage) -> Callable[[], None]:
        """Report the usage of every call to ``observer`` until the returned function is called."""
        self._observers.append(observer)
        return partial(self._observers.remove, observer)

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        return await self._pay(texts, lambda: self._embedder.embed(texts))

    async def embed_query(self, text: str) -> EmbeddingResult:
        return await self._pay([text], lambda: self._embedder.embed_query(text))

    async def close(self) -> None:
        close = getattr(self._embedder, "close", None)
        closing = close() if close is not None else None
        if closing is not None:
            await closing

    async def _pay(self, texts: Sequence[str], call: Callable[[], Awaitable[EmbeddingResult]]) -> EmbeddingResult:
        """Return the result of ``call``, priced. Raises ``LLMError`` (ERR_LLM_BUDGET) when it does not fit."""
        if not texts:
            return await call()
        accounts = self._budgets.accounts(None, paying_tenant.get(), payer.get())
        if not accounts:
            return self._price_call(await call())
        # No token is shorter than a byte, so this is the most that the texts can have.
        worst = Usage(input_tokens=sum(len(text.encode()) for text in texts))
        hold = await asyncio.to_thread(self._budgets.reserve, accounts, self._cost_usd(worst), self.name)
        try:
            result = self._price_call(await call())
            if not result.usage.estimated:
                hold.cost_usd = result.usage.cost_usd
            return result
        except EmbeddingError as error:
            if "status" in error.details:  # refused: nothing is billed
                hold.cost_usd = 0.0
            raise
        finally:
            await asyncio.shield(asyncio.to_thread(self._budgets.settle, hold))

    def _price_call(self, result: EmbeddingResult) -> EmbeddingResult:
        usage = result.usage.model_copy(update={"cost_usd": self._cost_usd(result.usage)})
        name = f"{self._provider}:{self._model}"
        for observer in tuple(self._observers):
            observer(name, usage)
        spending = self._budgets.spending
        if spending.add(paying_tenant.get(), payer.get(), "embed", name, usage):
            asyncio.get_running_loop().run_in_executor(None, spending.flush)
        return replace(result, usage=usage)

    def _cost_usd(self, usage: Usage) -> float | None:
        return self._prices.cost_usd(self._provider, self._model, usage)

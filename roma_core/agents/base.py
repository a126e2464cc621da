"""The base of every agent: a name, its stages, a boundary where exceptions become values, and a cheap health probe."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, ParamSpec, TypeVar

from roma_core.errors import AgentFailure, guarded
from roma_core.types import ComponentHealth

if TYPE_CHECKING:
    from roma_core.agents.pipeline import Stage

T = TypeVar("T")
P = ParamSpec("P")
A = TypeVar("A", bound="Agent")


class Agent:
    """An expert for a part of answering. Its public coroutines return ``T | AgentFailure``.

    ``boundary`` sees to that; a test walks every subclass and refuses a public coroutine without it. An agent offers
    its work to the pipeline as ``stages``, in the order in which they usually run.
    """

    name: ClassVar[str] = "agent"

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The stages that it offers."""
        return ()

    async def health(self) -> ComponentHealth:
        """Return its state without a model call. Agents that depend on something unavailable report that."""
        return ComponentHealth(name=self.name, state="ok")


async def gather_all(work: Sequence[Coroutine[Any, Any, T]]) -> list[T]:
    """Return the results of coroutines that run at once; a single one is awaited in place, which costs no task."""
    if len(work) == 1:
        return [await work[0]]
    return list(await asyncio.gather(*work))


def boundary(
    method: Callable[Concatenate[A, P], Awaitable[T]],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, T | AgentFailure]]:
    """Make a coroutine method of an agent return its exceptions as ``AgentFailure``."""

    @functools.wraps(method)
    async def inside(self: A, /, *args: P.args, **kwargs: P.kwargs) -> T | AgentFailure:
        return await guarded(self.name, method(self, *args, **kwargs))

    inside.__dict__["is_boundary"] = True
    return inside

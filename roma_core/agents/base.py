"""What every agent shares: a name, a boundary where exceptions become values, and a cheap health probe."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, ClassVar, Concatenate, ParamSpec, TypeVar

from roma_core.errors import AgentFailure, guarded, guarded_stream
from roma_core.types import ComponentHealth

T = TypeVar("T")
P = ParamSpec("P")
A = TypeVar("A", bound="Agent")


class Agent:
    """A step of answering. Its public coroutines return ``T | AgentFailure`` and its public streams end with one.

    ``boundary`` and ``stream_boundary`` see to that; a test walks every subclass and refuses a public coroutine
    without one of them.
    """

    name: ClassVar[str] = "agent"

    async def health(self) -> ComponentHealth:
        """State without a model call. Agents that lean on something that can be away say so."""
        return ComponentHealth(name=self.name, state="ok")


def boundary(
    method: Callable[Concatenate[A, P], Awaitable[T]],
) -> Callable[Concatenate[A, P], Coroutine[Any, Any, T | AgentFailure]]:
    """Make a coroutine method of an agent return its exceptions as ``AgentFailure``."""

    @functools.wraps(method)
    async def inside(self: A, /, *args: P.args, **kwargs: P.kwargs) -> T | AgentFailure:
        return await guarded(self.name, method(self, *args, **kwargs))

    inside.__dict__["is_boundary"] = True
    return inside


def stream_boundary(
    method: Callable[Concatenate[A, P], AsyncGenerator[T, None]],
) -> Callable[Concatenate[A, P], AsyncGenerator[T | AgentFailure, None]]:
    """The same for an async generator: a failure is its last item. Closing it closes what it reads from."""

    @functools.wraps(method)
    def inside(self: A, /, *args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[T | AgentFailure, None]:
        return guarded_stream(self.name, method(self, *args, **kwargs))

    inside.__dict__["is_boundary"] = True
    return inside

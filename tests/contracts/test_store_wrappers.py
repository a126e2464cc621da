"""What stands before a store hands on every call with every argument.

A wrapper repeats the signatures of the protocol, so a parameter that is added there (``scope=`` was one) is lost in it
without a word: callers see the wrapper, and types see ``__getattr__``.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import roma_core
from roma_core.replay import RecordedStore
from roma_core.store.base import ChunkStore
from roma_core.types import Document, ReadScope
from roma_core.variants import SharedStore

PACKAGE = Path(roma_core.__file__).parent
WRAPPERS: dict[str, Callable[[Any], Any]] = {
    "SharedStore": SharedStore,
    "RecordedStore": lambda store: RecordedStore(store, {}),
}
STORES = {"ChunkStore", "LanceStore", "InMemoryStore"}
"""The protocol and the stores behind it, which ``StoreContract`` tries."""
OWNERS_ONLY = {"SharedStore": {"close"}}
"""Methods that a wrapper has not: what several variants share is closed by its owner alone."""
DOCUMENT = Document(id="d", uri="file:///d.md", title="D", text="t", content_sha256="1", parser="test/1")
ARGUMENTS: dict[str, Any] = {
    "tenant": "a-tenant",
    "text": "words",
    "vector": np.array([0.5, 0.25], dtype=np.float32),
    "vectors": np.array([[0.5, 0.25]], dtype=np.float32),
    "limit": 7,
    "filters": {"author": "Ada"},
    "scope": ReadScope(collections=("one",)),
    "document_id": "d-1",
    "document_ids": ["d-1", "d-2"],
    "document": DOCUMENT,
    "chunks": (),
    "entries": (),
}
METHODS = sorted(
    name for name, member in inspect.getmembers(ChunkStore, inspect.isfunction) if not name.startswith("_")
)


class Recorder:
    """A store that notes what it is called with."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Any:
        method = getattr(ChunkStore, name)
        signature = inspect.signature(method)

        def note(*args: Any, **kwargs: Any) -> dict[str, Any]:
            bound = signature.bind(self, *args, **kwargs)
            bound.apply_defaults()
            arguments = {key: value for key, value in bound.arguments.items() if key != "self"}
            self.calls.append((name, arguments))
            return arguments

        async def answer(*args: Any, **kwargs: Any) -> list[Any]:
            note(*args, **kwargs)
            return []

        async def stream(*args: Any, **kwargs: Any) -> Any:
            note(*args, **kwargs)
            for nothing in ():
                yield nothing

        return answer if inspect.iscoroutinefunction(method) else stream


def find_wrappers() -> set[str]:
    """Return the names of the classes that search by words, as a store does."""
    names: set[str] = set()
    for path in PACKAGE.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        if "def lexical(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.ClassDef):
                methods = {item.name for item in node.body if isinstance(item, ast.AsyncFunctionDef)}
                names |= {node.name} if "lexical" in methods else set()
    return names


def test_every_wrapper_of_a_store_is_tried_here() -> None:
    assert find_wrappers() == STORES | WRAPPERS.keys()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", sorted(WRAPPERS))
async def test_a_wrapper_hands_on_every_argument(name: str, method: str) -> None:
    recorder = Recorder()
    wrapper = WRAPPERS[name](recorder)
    if method in OWNERS_ONLY.get(name, set()):
        assert not hasattr(wrapper, method)
        return
    parameters = [p for p in inspect.signature(getattr(ChunkStore, method)).parameters.values() if p.name != "self"]
    given = {parameter.name: ARGUMENTS[parameter.name] for parameter in parameters}
    positional = [given[p.name] for p in parameters if p.kind is not p.KEYWORD_ONLY]
    keywords = {p.name: given[p.name] for p in parameters if p.kind is p.KEYWORD_ONLY}
    called = getattr(wrapper, method)(*positional, **keywords)
    if hasattr(called, "__aiter__"):
        assert [item async for item in called] == []
    else:
        await called
    assert [called_as for called_as, _ in recorder.calls] == [method]
    held = recorder.calls[0][1]
    assert held.keys() == given.keys()
    for key, value in given.items():
        assert held[key] is value or held[key] == value, key


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_the_signatures_of_a_wrapper_are_those_of_the_protocol(name: str) -> None:
    wrapper = type(WRAPPERS[name](Recorder()))
    own = {key for key in METHODS if key in vars(wrapper)}
    differing = {key for key in own if _shape(getattr(wrapper, key)) != _shape(getattr(ChunkStore, key))}
    assert own and differing == set()


def _shape(method: Any) -> list[tuple[str, Any, Any]]:
    return [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]

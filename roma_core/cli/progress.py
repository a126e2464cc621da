"""Progress bars: on a terminal and in a notebook, silent otherwise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def eval_bar(shown: bool) -> Iterator[Callable[[int, int], None] | None]:
    """A bar for ``evaluate``: called with questions done and questions in all."""
    if not shown:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="question", desc="evaluating") as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance

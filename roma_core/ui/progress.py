"""Progress bars for a terminal and a notebook; disabled ones cost nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from roma_core.evals.experiments import ExperimentProgress
    from roma_core.ingestion import IngestProgress


@contextmanager
def ingest_bar(shown: bool = True) -> Iterator[Callable[[IngestProgress], None] | None]:
    """Show a bar for ``Roma.ingest``: documents done, their states and the rate; yield its callback.

    Its total is known when listing has ended. Yields None when it is not ``shown``.
    """
    if not shown:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="doc", desc="ingesting") as bar:

        def advance(at: IngestProgress) -> None:
            bar.total = None if at.listing else at.listed
            bar.set_postfix({state: n for state, n in at.counts.items() if n}, refresh=False)
            bar.update(at.done - bar.n)

        yield advance


@contextmanager
def eval_bar(shown: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar for ``evaluate``, questions done of all; yield its callback, or None when it is not ``shown``."""
    if not shown:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="question", desc="evaluating") as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield advance


@contextmanager
def experiment_bar(shown: bool = True) -> Iterator[Callable[[ExperimentProgress], None] | None]:
    """Show a bar for ``experiment``: questions of all variants, and the variant that is asked; yield its callback."""
    if not shown:
        yield None
        return
    from tqdm.auto import tqdm

    with tqdm(unit="question", desc="experiment") as bar:

        def advance(at: ExperimentProgress) -> None:
            bar.total = at.total
            bar.set_postfix_str(f"{at.number}/{at.variants} {at.variant}", refresh=False)
            bar.update(at.done - bar.n)

        yield advance

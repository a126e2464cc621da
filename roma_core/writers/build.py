"""From settings to the list of writers: the first one writes, the others stand in for it in their order."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from roma_core.cache import Cache
from roma_core.llm.base import LLM
from roma_core.llm.build import EXTRACTIVE, writer_names
from roma_core.prompts import Prompt
from roma_core.settings import Settings
from roma_core.writers.base import Writer
from roma_core.writers.extractive import DocumentLibrary, ExtractiveWriter, SentenceEmbedder, SentenceRanker
from roma_core.writers.extractive.calibration import RiskContract
from roma_core.writers.generative import GenerativeWriter


def build_writers(
    settings: Settings,
    llm: LLM,
    prompts: Mapping[str, Prompt],
    *,
    ranker: SentenceRanker | None = None,
    cache: Cache | None = None,
    library: DocumentLibrary | None = None,
    contract: RiskContract | None = None,
    embedder: SentenceEmbedder | None = None,
    route: Callable[[Writer], Writer] | None = None,
) -> list[Writer]:
    """Return the writers that ``LLM_PROVIDER`` and ``ROMA_LLM_FALLBACKS`` name.

    All models are one writer, since the service over them walks their fallbacks itself; quotes are another one. The
    one that is named first comes first. ``library`` lets quotes read whole documents: their lists, tables and facts;
    ``contract`` says from which evidence on they answer, and ``embedder`` is heard beside ``ranker``. ``route`` puts
    the choice between two models before the one that writes.
    """
    names, why = writer_names(settings)
    writers: list[Writer] = []
    if llm.name:
        strong = GenerativeWriter(llm, prompts, max_output_tokens=settings.llm.max_output_tokens)
        writers.append(route(strong) if route is not None else strong)
    if EXTRACTIVE in names:
        is_first = names[0] == EXTRACTIVE
        quotes = ExtractiveWriter(
            ranker,
            why=why if is_first else "",
            cache=cache,
            library=library,
            contract=contract,
            embedder=embedder,
        )
        writers.insert(0 if is_first else len(writers), quotes)
    return writers

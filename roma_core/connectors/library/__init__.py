"""Literature: arXiv, OpenAlex and PubMed by id or search, Zotero libraries and BibTeX files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.connectors.base import Connector, ConnectorSpec
from roma_core.settings import LibrarySettings, Settings

if TYPE_CHECKING:
    from roma_core.connectors.library.arxiv import ArxivConnector as ArxivConnector
    from roma_core.connectors.library.bibtex import BibtexConnector as BibtexConnector
    from roma_core.connectors.library.openalex import OpenAlexConnector as OpenAlexConnector
    from roma_core.connectors.library.pubmed import PubMedConnector as PubMedConnector
    from roma_core.connectors.library.zotero import ZoteroConnector as ZoteroConnector
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "arxiv": ("ArxivConnector",),
            "bibtex": ("BibtexConnector",),
            "openalex": ("OpenAlexConnector",),
            "pubmed": ("PubMedConnector",),
            "zotero": ("ZoteroConnector",),
        },
    )

__all__ = [
    "ARXIV",
    "BIBTEX",
    "OPENALEX",
    "PUBMED",
    "ZOTERO",
    "ArxivConnector",
    "BibtexConnector",
    "OpenAlexConnector",
    "PubMedConnector",
    "ZoteroConnector",
]


def _make_arxiv(settings: Settings) -> Connector:
    from roma_core.connectors.library.arxiv import ArxivConnector

    return ArxivConnector(settings)


def _make_openalex(settings: Settings) -> Connector:
    from roma_core.connectors.library.openalex import OpenAlexConnector

    return OpenAlexConnector(settings)


def _make_pubmed(settings: Settings) -> Connector:
    from roma_core.connectors.library.pubmed import PubMedConnector

    return PubMedConnector(settings)


def _make_zotero(settings: Settings) -> Connector:
    from roma_core.connectors.library.zotero import ZoteroConnector

    return ZoteroConnector(settings)


def _make_bibtex(settings: Settings) -> Connector:
    from roma_core.connectors.library.bibtex import BibtexConnector

    return BibtexConnector(settings)


ARXIV = ConnectorSpec("arxiv", make=_make_arxiv, example="arxiv://1706.03762", settings=LibrarySettings)
OPENALEX = ConnectorSpec("openalex", make=_make_openalex, example="openalex://W2741809807")
PUBMED = ConnectorSpec("pubmed", make=_make_pubmed, example="pubmed://31452104")
ZOTERO = ConnectorSpec("zotero", make=_make_zotero, example="zotero://users/12345")
BIBTEX = ConnectorSpec("bibtex", make=_make_bibtex, example="bibtex:///path/refs.bib")

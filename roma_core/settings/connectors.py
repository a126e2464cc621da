"""Settings of ROMA's own connectors. None decides an answer over a given corpus: the corpus itself does."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import SecretStr

from roma_core.settings.base import SettingsSection, setting


class LocalSettings(SettingsSection):
    """Reading files and folders."""

    prefix: ClassVar[str] = "ROMA_LOCAL_"

    ignore: tuple[str, ...] = setting(
        (
            ".git",
            ".roma",
            "__pycache__",
            "node_modules",
            ".venv",
            ".ipynb_checkpoints",
            ".DS_Store",
            "~$*",
            ".~lock.*",
        ),
        "Comma-separated globs over names (or, with a slash, relative paths) that LocalConnector skips.",
        decides_answers=False,
    )


class GDriveSettings(SettingsSection):
    """Reading Google Drive."""

    prefix: ClassVar[str] = "ROMA_GDRIVE_"

    credentials: SecretStr | None = setting(
        None, "Service account or user token: a file's path or the JSON itself.", decides_answers=False
    )
    api_endpoint: str | None = setting(None, "Other address of the Drive API (proxy).", decides_answers=False)
    acl: Literal["on", "off"] = setting(
        "off", "Let only those read a file of Drive who may read it there, as of the last sync.", decides_answers=False
    )


class WebSettings(SettingsSection):
    """Reading web pages."""

    prefix: ClassVar[str] = "ROMA_WEB_"

    render: Literal["auto", "always", "never"] = setting("auto", "When to use Chromium.", decides_answers=False)
    timeout_s: float = setting(20.0, "Time one page may take.", gt=0, decides_answers=False)
    max_mb: float = setting(10.0, "Largest body after decompression.", gt=0, decides_answers=False)
    max_depth: int = setting(3, "Largest depth of a crawl.", ge=0, decides_answers=False)
    max_pages: int = setting(200, "Most pages of one crawl.", ge=1, decides_answers=False)
    rate_per_s: float = setting(1.0, "Requests a second to one host.", gt=0, decides_answers=False)
    concurrency: int = setting(2, "Requests at once to one host.", ge=1, decides_answers=False)
    allowed_domains: tuple[str, ...] = setting((), "Only these; none = any.", decides_answers=False)
    denied_domains: tuple[str, ...] = setting((), "Never these.", decides_answers=False)
    allowed_private_hosts: tuple[str, ...] = setting(
        (), "host or host:port that may resolve to a private address.", decides_answers=False
    )
    rotate_user_agent: bool = setting(False, "Use browsers' User-Agents after 403/429.", decides_answers=False)
    warc: str | None = setting(
        None, "Folder into which fetched pages are written as WARC archives; none = nowhere.", decides_answers=False
    )
    chromium: str | None = setting(None, "Path of Chromium; none = search PATH.", decides_answers=False)


class LibrarySettings(SettingsSection):
    """Reading literature: arXiv, OpenAlex, PubMed and Zotero."""

    prefix: ClassVar[str] = "ROMA_LIBRARY_"

    contact_email: str | None = setting(
        None, "Told to OpenAlex and PubMed, which serve those first that say who they are.", decides_answers=False
    )
    pubmed_key: SecretStr | None = setting(None, "Key of NCBI for more requests a second.", decides_answers=False)
    zotero_key: SecretStr | None = setting(
        None, "Key of a Zotero account for private libraries.", decides_answers=False
    )
    arxiv_url: str = setting("https://export.arxiv.org", "Other address of arXiv.", decides_answers=False)
    openalex_url: str = setting("https://api.openalex.org", "Other address of OpenAlex.", decides_answers=False)
    pubmed_url: str = setting(
        "https://eutils.ncbi.nlm.nih.gov/entrez/eutils", "Other address of NCBI's E-utilities.", decides_answers=False
    )
    zotero_url: str = setting(
        "https://api.zotero.org",
        "Other address of Zotero; the program's own is http://localhost:23119/api (allow the host).",
        decides_answers=False,
    )


class DatabaseSettings(SettingsSection):
    """Reading tables of databases."""

    prefix: ClassVar[str] = "ROMA_SQL_"

    urls: SecretStr | None = setting(
        None,
        'JSON object of SQLAlchemy URLs by the names that sources use: `{"shop": "postgresql+psycopg://..."}`.',
        decides_answers=False,
    )

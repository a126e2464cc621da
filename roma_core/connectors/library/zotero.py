"""Zotero: ``zotero://users/ID``, ``zotero://groups/ID``, and a collection of either: ``.../collections/KEY``.

Stored files (PDFs and others) are documents with the metadata of their item; an item without one is a document of its
title, authors and abstract; notes are documents too. A library that is as it was costs one request.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from roma_core.connectors.base import Listing, ListingEnd
from roma_core.connectors.library.reference import WorkReference
from roma_core.connectors.net.api import ApiClient, decode_json, make_unreadable_error
from roma_core.connectors.records import Entry, Record, RecordConnector
from roma_core.errors import ConnectorError, ErrorCode, InputError
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source

PER_PAGE: Final = 100
STATE: Final = "zotero"
_PLACE: Final = re.compile(r"zotero://((?:users|groups)/\d+)(/collections/[A-Z0-9]{8})?/?")
_ITEM: Final = re.compile(r"zotero://((?:users|groups)/\d+)/items/([A-Z0-9]{8})")
_STORED: Final = frozenset({"imported_file", "imported_url"})
_TAG: Final = re.compile(r"<[^>]+>")


class ZoteroConnector(RecordConnector):
    """Reads a library through Zotero's web interface (version 3), or that of the program itself."""

    kind = "zotero"
    schemes = ("zotero",)

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._base = settings.library.zotero_url.rstrip("/")
        key = settings.library.zotero_key
        self._headers = {"Zotero-API-Version": "3"}
        self._headers |= {"Zotero-API-Key": key.get_secret_value()} if key is not None else {}
        self._client = ApiClient(settings)

    def normalise_source(self, source: Source) -> Source:
        """Return the source in its one spelling. Raises ``InputError`` and ``AccessError``."""
        found = _PLACE.fullmatch(source.uri)
        if found is None:
            raise InputError(
                "A source of Zotero is zotero://users/ID or zotero://groups/ID, with /collections/KEY for one of these."
            )
        return super().normalise_source(source.model_copy(update={"uri": f"zotero://{found[1]}{found[2] or ''}"}))

    async def read(self, source: Source) -> AsyncGenerator[Entry, None]:
        """Yield a listing of each document; from the last listing when the library has not changed since."""
        found = _PLACE.fullmatch(source.uri)
        assert found is not None  # noqa: S101  (checked before)
        library, collection = found[1], found[2] or ""
        saved = _load_state(source)
        first = await self._page(library, collection, 0, saved.get("version"))
        if first is None:
            for listing in saved["listings"]:
                yield Listing.model_validate(listing)
            return
        items, total, version = first
        start = len(items)
        while start < total:
            page = await self._page(library, collection, start, None)
            assert page is not None  # noqa: S101  (no version was named)
            if page[2] != version:
                raise ConnectorError("The library changed while it was listed; sync it again.")
            if not page[0]:
                raise make_unreadable_error(self._base)
            items += page[0]
            start += len(page[0])
        listings = list(_listings(library, items))
        for listing in listings:
            yield listing
        saved_listings = [listing.model_dump(mode="json") for listing in listings]
        yield ListingEnd(state={STATE: {"version": version, "listings": saved_listings}})

    async def find(self, source: Source, listing: Listing) -> Record | RawDocument | None:
        """Return the document of an item; None when the library does not have it, or has it in the trash."""
        found = _ITEM.fullmatch(listing.uri)
        if found is None:
            raise InputError("An item of Zotero is zotero://users/ID/items/KEY.")
        library, key = found[1], found[2]
        item = await self._item(library, key)
        if item is None or item.get("deleted"):
            return None
        parent_key = item.get("parentItem")
        parent = await self._item(library, str(parent_key)) if parent_key else None
        if parent_key and (parent is None or parent.get("deleted")):
            return None
        return await self._document(library, listing.uri, item, parent)

    async def close(self) -> None:
        """Close the connections."""
        await super().close()
        await self._client.close()

    async def _page(
        self, library: str, collection: str, start: int, known: int | None
    ) -> tuple[list[dict[str, Any]], int, int] | None:
        """Return items, their total number and the library's version; None when that is the known one."""
        headers = dict(self._headers)
        if known is not None:
            headers["If-Modified-Since-Version"] = str(known)
        params = {
            "format": "json",
            "limit": str(PER_PAGE),
            "start": str(start),
            "sort": "dateAdded",
            "direction": "asc",
        }
        answer = await self._client.get(
            f"{self._base}/{library}{collection}/items", params, headers, also=frozenset({304})
        )
        if answer.status == 304:
            return None
        items = decode_json(answer)
        counts = [answer.headers.get(name, "") for name in ("total-results", "last-modified-version")]
        if not isinstance(items, list) or not all(count.isdigit() for count in counts):
            raise make_unreadable_error(answer.url)
        return [_data(item) for item in items], int(counts[0]), int(counts[1])

    async def _item(self, library: str, key: str) -> dict[str, Any] | None:
        try:
            return _data(await self._client.get_json(f"{self._base}/{library}/items/{key}", None, self._headers))
        except ConnectorError as error:
            if error.code == ErrorCode.CONNECTOR_NOT_FOUND:
                return None
            raise

    async def _document(
        self, library: str, uri: str, item: dict[str, Any], parent: dict[str, Any] | None
    ) -> Record | RawDocument:
        reference = _reference(parent or item, library)
        facts = reference.metadata
        if item.get("itemType") == "note":
            title = f"Note: {reference.title}" if parent else _first_words(item.get("note", ""))
            data, media_type = str(item.get("note", "")).encode(), "text/html; charset=utf-8"
        elif item.get("itemType") == "attachment":
            title, media_type = reference.title or str(item.get("title") or ""), str(item.get("contentType") or "")
            answer = await self._client.get(f"{self._base}/{library}/items/{item['key']}/file", None, self._headers)
            data, facts = answer.body, facts | {"file_name": item.get("filename") or ""}
        else:
            title, data, media_type = reference.title, reference.markdown, "text/markdown; charset=utf-8"
        modified_at = _time(item.get("dateModified"))
        return RawDocument(
            uri=uri, data=data, media_type=media_type or None, title=title, modified_at=modified_at, metadata=facts
        )


def _load_state(source: Source) -> dict[str, Any]:
    saved = source.options.get("state", {}).get(STATE, {})
    is_usable = isinstance(saved, dict) and isinstance(saved.get("version"), int) and "listings" in saved
    return saved if is_usable else {}


def _data(item: Any) -> dict[str, Any]:
    data = item.get("data") if isinstance(item, Mapping) else None
    if not isinstance(data, dict) or not isinstance(data.get("key"), str):
        raise make_unreadable_error("https://api.zotero.org")
    return data


def _listings(library: str, items: list[dict[str, Any]]) -> Iterator[Listing]:
    """Yield what is a document: stored files, notes, and items that have no file."""
    by_key = {item["key"]: item for item in items}
    files: defaultdict[str, int] = defaultdict(int)
    for item in items:
        if _is_stored_file(item) and item.get("parentItem"):
            files[item["parentItem"]] += 1
    for item in items:
        parent = by_key.get(item.get("parentItem", ""))
        reference_title = str((parent or item).get("title") or "")
        skip = None
        if item.get("itemType") == "attachment" and not _is_stored_file(item):
            skip = "a link to a file or page that is not in the library"
        elif item.get("itemType") == "annotation":
            skip = "an annotation"
        elif item.get("itemType") not in {"attachment", "note"} and files[item["key"]]:
            skip = "its files are documents, with what is known of it"
        versions = [str(one.get("version")) for one in (item, parent) if one is not None]
        yield Listing(
            uri=f"zotero://{library}/items/{item['key']}",
            version="-".join(versions),
            title=reference_title or None,
            modified_at=_time(item.get("dateModified")),
            skip=skip,
        )


def _is_stored_file(item: Mapping[str, Any]) -> bool:
    return item.get("itemType") == "attachment" and item.get("linkMode") in _STORED


def _reference(item: Mapping[str, Any], library: str) -> WorkReference:
    creators = item.get("creators") or ()
    names = [one.get("name") or " ".join(filter(None, (one.get("firstName"), one.get("lastName")))) for one in creators]
    return WorkReference(
        title=str(item.get("title") or ""),
        authors=[str(name) for name in names if name],
        date=str(item.get("date") or ""),
        venue=str(item.get("publicationTitle") or item.get("bookTitle") or item.get("proceedingsTitle") or ""),
        doi=str(item.get("DOI") or ""),
        abstract=str(item.get("abstractNote") or ""),
        url=str(item.get("url") or ""),
        keywords=[str(tag.get("tag")) for tag in item.get("tags") or () if tag.get("tag")],
        kind=str(item.get("itemType") or ""),
        more={"zotero_key": item["key"], "zotero_library": library},
    )


def _first_words(html: str) -> str:
    words = _TAG.sub(" ", html).split()
    return " ".join(words[:8]) or "Note"


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None

"""Files in any place that fsspec knows: ``s3://bucket/folder``, ``github://owner:repo@branch/docs``, ``zip://...``.

Identity is the file's address. Its version is what the place gives: ETag, checksum, time of change, else size and name.
Credentials come from where the place's own library looks for them (environment, profile, key agent), never from an
address. fsspec is blocking: each call runs in a thread.
"""

from __future__ import annotations

import asyncio
import lzma
import mimetypes
import re
import tarfile
import zipfile
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, unquote

from roma_core.connectors.base import Listing, ListingEnd, in_batches
from roma_core.connectors.files import ADDRESSES
from roma_core.connectors.local.ignore import NameRules
from roma_core.connectors.records import is_below
from roma_core.errors import (
    AccessError,
    AgentFailure,
    ConfigError,
    ConnectorError,
    ErrorCode,
    InputError,
    guarded,
    guarded_stream,
)
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, digest

AGENT: Final = "connector.files"
MIB: Final = 1024 * 1024
_VERSIONS: Final = ("ETag", "etag", "md5Hash", "md5", "checksum", "sha", "sha256", "generation", "crc", "CRC")
"""Fields that change with the content, by which the places name them."""
HOSTED: Final = frozenset({"s3", "gs", "gcs", "az", "abfs", "adl", "sftp", "ssh", "smb", "ftp", "hf", "github"})
"""Schemes whose addresses begin with a bucket, a host or an owner."""
_REPOSITORY: Final = re.compile(r"[^:@]+:[^:@]+(@.+)?")
_DAMAGES: Final = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError)
"""What the readers of archives raise for one that is damaged."""
_TIMES: Final = ("LastModified", "last_modified", "updated", "mtime", "modified", "date_time", "created")


def no_bucket() -> InputError:
    """Return the error for an address that names no place."""
    return InputError("A source of files is an address with a bucket or host, like s3://bucket/folder.")


class FilesConnector:
    """Lists and reads files through fsspec. ``Source.options``: ``ignore``, ``include``, ``secrets`` as for folders."""

    kind = "files"

    def __init__(self, settings: Settings) -> None:
        self._ignore = settings.local.ignore
        self._max_bytes = settings.parsing.max_mb * MIB

    def accepts(self, uri: str) -> bool:
        """Return whether the address has one of the schemes that hold files."""
        scheme, has_scheme, _ = uri.partition("://")
        return bool(has_scheme) and scheme.lower() in ADDRESSES

    def normalise_source(self, source: Source) -> Source:
        """The credentials are the installation's, so a confined caller may have what is named, and what is below it."""
        scheme, _, rest = source.uri.partition("://")
        if not rest.strip("/"):
            raise no_bucket()
        within = source.options.get("within")
        if within is not None and not any(is_below(source.uri, place) for place in within):
            raise AccessError(
                "This address is not in ROMA_INGEST_ROOTS, which names the places that may be ingested over HTTP.",
                ErrorCode.ACCESS_FORBIDDEN,
            )
        host = rest.partition("/")[0]
        if scheme.lower() in HOSTED and not host:
            raise no_bucket()
        if scheme.lower() == "github" and not _REPOSITORY.fullmatch(host):
            raise InputError("A repository on GitHub is github://owner:repository@branch/folder.")
        return source

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        """Yield every file below the address."""
        return guarded_stream(AGENT, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        """Read one file."""
        return await guarded(AGENT, asyncio.to_thread(self._read, source, listing.uri))

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Ask the place for the file: it is gone when the place answers and does not have it."""
        return await guarded(AGENT, asyncio.to_thread(self._is_gone, source, listing.uri))

    async def close(self) -> None:
        """Nothing is held: fsspec keeps its own connections."""

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        self.normalise_source(source)
        async for listing in in_batches(self._walk(source)):
            yield listing

    def _walk(self, source: Source) -> Iterator[Listing]:
        place, root = _open(source.uri)
        rules = NameRules(
            self._ignore + tuple(source.options.get("ignore", ())), source.options.get("secrets") != "include"
        )
        include = NameRules(tuple(source.options.get("include", ())), leaves_out_secrets=False)
        entries = _call(source.uri, lambda: _files_below(place, root))
        if not entries:
            raise ConnectorError(
                f"There is nothing at {source.uri}.", ErrorCode.CONNECTOR_NOT_FOUND, details={"uri": source.uri}
            )
        scheme = source.uri.partition("://")[0]
        archive = _archive_version(source.uri)
        for path, facts in sorted(entries.items()):
            uri = _uri_of(scheme, source.uri, place, path)
            relative = path.removeprefix(root).lstrip("/") or path.rpartition("/")[2]
            title = _decode_name(path.rpartition("/")[2])
            skip = rules.reason_of_path(relative) if path != root else None
            if facts.get("linkname"):
                skip = "a link"
            is_wanted = not include.patterns or include.reason(relative, is_folder=False) is not None
            if skip is not None:
                yield Listing(uri=uri, title=title, skip=skip)
            elif is_wanted:
                yield Listing(
                    uri=uri,
                    title=title,
                    version=_version_of({**facts, **archive}),
                    size=facts.get("size"),
                    modified_at=_read_time(facts),
                )

    def _read(self, source: Source, uri: str) -> RawDocument:
        within = source.options.get("within")
        if within is not None:
            self.normalise_source(source.model_copy(update={"uri": uri}))
        place, path = _open(uri)
        facts = _call(uri, lambda: place.info(path))
        size = facts.get("size") or 0
        if size > self._max_bytes:
            raise ConnectorError(
                f"The file has {size / MIB:.0f} MiB, more than ROMA_PARSER_MAX_MB allows ({self._max_bytes // MIB}).",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": uri, "size": size},
            )

        def read() -> bytes:
            with place.open(path, "rb") as file:
                data: bytes = file.read(self._max_bytes + 1)
            return data

        data = _call(uri, read)
        if len(data) > self._max_bytes:
            raise ConnectorError("The file is larger than it said.", ErrorCode.CONNECTOR_TOO_LARGE)
        if size and len(data) != size:
            raise ConnectorError(
                "The file ended before its size was read; ingest it again.", ErrorCode.CONNECTOR_CORRUPT
            )
        title = _decode_name(path.rpartition("/")[2])
        return RawDocument(
            uri=uri,
            data=data,
            media_type=mimetypes.guess_type(title)[0],
            title=title,
            modified_at=_read_time(facts),
        )

    def _is_gone(self, source: Source, uri: str) -> bool:
        place, path = _open(uri)
        if _call(uri, lambda: bool(place.exists(path))):
            return False
        root_place, root = _open(source.uri)
        return uri == source.uri or _call(source.uri, lambda: bool(root_place.exists(root)))


def _open(uri: str) -> tuple[Any, str]:
    """Return the file system of an address and the path in it. Raises ``ConfigError`` without its library."""
    import fsspec

    scheme, _, rest = uri.partition("://")
    try:
        place, path = fsspec.core.url_to_fs(
            f"{scheme}://{unquote(rest, errors='surrogateescape')}", use_listings_cache=False
        )
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"Reading {scheme}:// needs a package that is not installed ({type(error).__name__}); "
            f"see fsspec's list of implementations for {scheme}.",
            ErrorCode.DEPENDENCY_MISSING,
        ) from None
    except (OSError, RuntimeError, TypeError, *_DAMAGES) as error:
        raise _place_error(uri, error) from None
    return place, str(path).rstrip("/")


def _files_below(place: Any, root: str) -> dict[str, dict[str, Any]]:
    found = place.find(root, detail=True)
    return {str(path): dict(facts) for path, facts in found.items() if facts.get("type", "file") == "file"}


def _call(uri: str, work: Any) -> Any:
    """Run a call of fsspec; its errors and those of the libraries below it become ``ConnectorError``."""
    try:
        return work()
    except FileNotFoundError:
        raise ConnectorError(
            f"There is nothing at {uri}.", ErrorCode.CONNECTOR_NOT_FOUND, details={"uri": uri}
        ) from None
    except PermissionError:
        raise ConnectorError(
            f"These credentials may not read {uri}.", ErrorCode.CONNECTOR_PERMISSION, details={"uri": uri}
        ) from None
    except (OSError, RuntimeError, ValueError, EOFError, KeyError, *_DAMAGES) as error:
        raise _place_error(uri, error) from None


def _place_error(uri: str, error: BaseException) -> ConnectorError:
    return ConnectorError(
        f"{uri.partition('://')[0]}:// cannot be read now ({type(error).__name__}).", details={"uri": uri}
    )


def _uri_of(scheme: str, source_uri: str, place: Any, path: str) -> str:
    """Return the address of a file: chained places (``zip://a::s3://b/c.zip``) keep what stands behind ``::``."""
    del place
    _, chain, rest = source_uri.partition("::")
    before = f"{scheme}://{_authority(source_uri)}{_quote(path.lstrip('/'))}"
    return f"{before}::{rest}" if chain else before


def _quote(path: str) -> str:
    return quote(path, safe="/@:=+,!~*()$&;", errors="surrogateescape")


def _decode_name(name: str) -> str:
    """Return a name as text, also when its bytes are not UTF-8, as in archives of older systems."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _archive_version(uri: str) -> dict[str, str]:
    """Return the version of the archive around the files, where they have none: TAR keeps no sums of contents."""
    scheme, _, rest = uri.partition("://")
    _, has_archive, archive = rest.partition("::")
    if scheme.lower() != "tar" or not has_archive:
        return {}
    place, path = _open(archive)
    return {"checksum": str(_version_of(_call(archive, lambda: place.info(path))))}


def _authority(uri: str) -> str:
    """Return what an address names before its path where fsspec takes that away (``github://owner:repo@branch/``)."""
    scheme, _, rest = uri.partition("://")
    if scheme in {"github", "sftp", "ssh", "ftp", "smb"}:
        return rest.partition("/")[0] + "/"
    return ""


def _version_of(facts: Mapping[str, Any]) -> str | None:
    named = [str(facts[field]) for field in (*_VERSIONS, *_TIMES) if facts.get(field) is not None]
    if not named:
        return None
    return digest("files", str(facts.get("size")), *named)[:32]


def _read_time(facts: Mapping[str, Any]) -> datetime | None:
    for field in _TIMES:
        value = facts.get(field)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
    return None

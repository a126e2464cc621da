"""Git: ``git+https://host/owner/repo.git?ref=main&path=docs`` and ``git+file:///path/repo``.

A file's identity is its path in the repository at the named branch or tag; its version is the hash that git gives its
content. Of a repository elsewhere, the latest commit alone is kept, in the workspace; when that commit is known, a
listing costs one look at the repository's branches. A file that only moved keeps its document.
"""

from __future__ import annotations

import asyncio
import mimetypes
import stat
import threading
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from roma_core.connectors.base import Listing, ListingEnd, in_batches
from roma_core.connectors.git.remote import Remote, choose_commit, commit_of
from roma_core.connectors.local.ignore import NameRules
from roma_core.connectors.local.paths import Fence, real
from roma_core.connectors.net.guard import Netguard, Resolve, system_resolve
from roma_core.connectors.records import absent, is_below, outside
from roma_core.errors import (
    AccessError,
    AgentFailure,
    ConnectorError,
    ErrorCode,
    InputError,
    guarded,
    guarded_stream,
)
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source, digest
from roma_core.workspace import Workspace

AGENT: Final = "connector.git"
MIB: Final = 1024 * 1024
STATE: Final = "git"
TRUSTED_S: Final = 30.0
"""What a repository's branches were is asked again after this time."""
_WEB_HOSTS: Final = {"github.com": "blob", "gitlab.com": "-/blob", "codeberg.org": "src/commit"}


@dataclass(frozen=True)
class GitAddress:
    """What ``git+https://host/owner/repo.git?ref=main&path=docs`` names."""

    scheme: str
    place: str
    """Host and path of the repository; of a local one its absolute path."""
    ref: str = ""
    path: str = ""

    @classmethod
    def of(cls, uri: str) -> GitAddress:
        """Return what an address names. Raises ``InputError``."""
        parts = urlsplit(uri)
        wanted = parse_qs(parts.query)
        ref, path = wanted.pop("ref", [""])[-1], wanted.pop("path", [""])[-1].strip("/")
        is_local = parts.scheme == "git+file"
        place = str(Path(unquote(parts.path)).absolute()) if is_local else parts.netloc + parts.path.rstrip("/")
        if wanted or not parts.path.strip("/") or (is_local and parts.netloc) or ".." in path.split("/"):
            raise InputError("A repository is git+https://host/path.git or git+file:///path, with ?ref= and &path=.")
        return cls(parts.scheme, place, ref, path)

    @property
    def is_local(self) -> bool:
        return self.scheme == "git+file"

    @property
    def repository(self) -> str:
        """The address of the repository, as git knows it."""
        return f"{self.scheme.removeprefix('git+')}://{self.place}"

    @property
    def uri(self) -> str:
        return self._with({"ref": self.ref, "path": self.path})

    def uri_of(self, path: str) -> str:
        """Return the address of a file; the folder that a source is confined to is no part of it."""
        return f"{self._with({'ref': self.ref})}#{quote(path, errors='surrogateescape')}"

    def _with(self, parameters: Mapping[str, str]) -> str:
        query = urlencode({key: value for key, value in parameters.items() if value}, safe="/")
        return f"{self.scheme}://{quote(self.place, safe='/:@')}{'?' if query else ''}{query}"


@dataclass(frozen=True)
class Checkout:
    """A commit that is here: where its objects are, and its name."""

    folder: Path
    commit: bytes


class GitConnector:
    """Lists and reads files of repositories. ``Source.options``: ``ignore``, ``include``, ``secrets``, ``headers``."""

    kind = "git"

    def __init__(self, settings: Settings, *, resolve: Resolve = system_resolve) -> None:
        self._ignore = settings.local.ignore
        self._max_bytes = settings.parsing.max_mb * MIB
        self._workspace = settings.workspace
        self._mirrors = Workspace.of(settings).web_cache / "git"
        self._guard = Netguard(settings.web.allowed_private_hosts, resolve)
        self._timeout_s = settings.web.timeout_s
        self._known: dict[str, tuple[float, Checkout]] = {}
        self._turn = threading.Lock()

    def accepts(self, uri: str) -> bool:
        """Return whether the address is one of a repository."""
        return uri.lower().startswith(("git+https://", "git+http://", "git+file://"))

    def normalise_source(self, source: Source) -> Source:
        """Return the source in its one spelling. Raises ``InputError`` and ``AccessError``. Looks at the disk."""
        address = GitAddress.of(source.uri)
        uri = address.uri
        within = source.options.get("within")
        if within is not None and not any(is_below(uri, place) for place in within):
            self._demand_inside(address, within)
        return source.model_copy(update={"uri": uri})

    def list(self, source: Source) -> AsyncIterator[Listing | AgentFailure | ListingEnd]:
        """Yield every file of the commit that the branch or tag names now."""
        return guarded_stream(AGENT, self._list(source))

    async def fetch(self, source: Source, listing: Listing) -> RawDocument | AgentFailure:
        """Read one file."""
        return await guarded(AGENT, asyncio.to_thread(self._read, source, listing.uri))

    async def is_gone(self, source: Source, listing: Listing) -> bool | AgentFailure:
        """Look for the file in the latest commit."""
        return await guarded(AGENT, asyncio.to_thread(self._is_gone, source, listing.uri))

    async def close(self) -> None:
        """Forget which commits are the latest."""
        self._known.clear()

    async def _list(self, source: Source) -> AsyncGenerator[Listing | AgentFailure | ListingEnd, None]:
        source = await asyncio.to_thread(self.normalise_source, source)
        address = GitAddress.of(source.uri)
        checkout = await asyncio.to_thread(self._check_out, source, address, 0.0)
        before = _saved_files(source)
        now: dict[str, str] = {}
        async for path, mode, sha in in_batches(_files(checkout, address.path)):
            if stat.S_ISREG(mode):
                now[_decode_path(path)] = sha
        moves = _find_moves(before, now)
        async for path, mode, sha in in_batches(_files(checkout, address.path)):
            listing = self._listing(source, address, path, mode, sha)
            if listing is not None and _decode_path(path) in moves:
                before_move = moves[_decode_path(path)]
                listing = listing.model_copy(update={"previous_uri": address.uri_of(before_move)})
            if listing is not None:
                yield listing
        yield ListingEnd(state={STATE: {"commit": checkout.commit.decode(), "files": now}} if now != before else None)

    def _listing(self, source: Source, address: GitAddress, path: str, mode: int, sha: str) -> Listing | None:
        rules = NameRules(
            self._ignore + tuple(source.options.get("ignore", ())), source.options.get("secrets") != "include"
        )
        include = NameRules(tuple(source.options.get("include", ())), leaves_out_secrets=False)
        uri, title = address.uri_of(path), _decode_path(path.rpartition("/")[2])
        skip = rules.reason_of_path(path) or _unreadable_kind(mode)
        if skip is not None:
            return Listing(uri=uri, title=title, skip=skip)
        if include.patterns and include.reason(path, is_folder=False) is None:
            return None
        return Listing(uri=uri, title=title, version=sha)

    def _read(self, source: Source, uri: str) -> RawDocument:
        source = self.normalise_source(source)
        address = GitAddress.of(source.uri)
        path = _path_in(uri)
        checkout = self._check_out(source, address, TRUSTED_S)
        data = _content(checkout, path)
        if data is None:
            raise ConnectorError(
                f"The repository has no file {_decode_path(path)} any more.",
                ErrorCode.CONNECTOR_NOT_FOUND,
                details={"uri": uri},
            )
        if len(data) > self._max_bytes:
            raise ConnectorError(
                f"The file has {len(data) / MIB:.0f} MiB, more than ROMA_PARSER_MAX_MB allows "
                f"({self._max_bytes // MIB}).",
                ErrorCode.CONNECTOR_TOO_LARGE,
                details={"uri": uri, "size": len(data)},
            )
        title = _decode_path(path.rpartition("/")[2])
        facts = {"repository": address.repository, "commit": checkout.commit.decode(), "path": _decode_path(path)}
        page = _page_of(address, checkout, path)
        return RawDocument(
            uri=uri,
            data=data,
            media_type=mimetypes.guess_type(title)[0],
            title=title,
            metadata=facts | ({"url": page} if page else {}),
        )

    def _is_gone(self, source: Source, uri: str) -> bool:
        source = self.normalise_source(source)
        address = GitAddress.of(source.uri)
        checkout = self._check_out(source, address, TRUSTED_S)
        return _content(checkout, _path_in(uri)) is None

    def _check_out(self, source: Source, address: GitAddress, trusted_s: float) -> Checkout:
        """Return the latest commit of the source's branch, asking for it when the last look is too long ago."""
        with self._turn:
            known_at, known = self._known.get(address.uri, (0.0, None))
            if known is not None and time.monotonic() - known_at < trusted_s:
                return known
            if address.is_local:
                checkout = _local_checkout(address)
            else:
                folder = self._mirrors / f"{digest('git', address.repository, address.ref)[:24]}.git"
                remote = Remote(self._guard, address.repository, source.options, timeout_s=self._timeout_s)
                checkout = Checkout(folder, remote.bring(folder, address.ref))
            self._known[address.uri] = (time.monotonic(), checkout)
            return checkout

    def _demand_inside(self, address: GitAddress, within: tuple[str, ...]) -> None:
        if not address.is_local:
            raise outside()
        try:
            Fence.around(within, self._workspace).demand(real(Path(address.place)))
        except AccessError:
            raise outside() from None


def _local_checkout(address: GitAddress) -> Checkout:
    """Return the commit of a repository on this machine. Raises ``ConnectorError`` (not found)."""
    from dulwich.errors import NotGitRepository
    from dulwich.repo import Repo

    try:
        with Repo(address.place) as repo:
            refs = repo.get_refs()
            commit = choose_commit(refs, address.ref)
            return Checkout(Path(address.place), commit_of(repo, commit))
    except NotGitRepository:
        raise absent(address.uri, f"git repository at {address.place}") from None


def _files(checkout: Checkout, below: str) -> Iterator[tuple[str, int, str]]:
    """Yield path, mode and hash of each file of the commit, by path."""
    from dulwich.object_store import iter_tree_contents
    from dulwich.repo import Repo

    prefix = f"{below}/" if below else ""
    with Repo(str(checkout.folder)) as repo:
        commit: Any = repo[checkout.commit]
        for entry in iter_tree_contents(repo.object_store, commit.tree):
            path = (entry.path or b"").decode("utf-8", "surrogateescape")
            if path.startswith(prefix) or path == below:
                yield path, int(entry.mode or 0), (entry.sha or b"").decode()


def _content(checkout: Checkout, path: str) -> bytes | None:
    """Return the bytes of a file; None when the commit does not have it."""
    from dulwich.object_store import tree_lookup_path
    from dulwich.objects import Blob
    from dulwich.repo import Repo

    with Repo(str(checkout.folder)) as repo:
        commit: Any = repo[checkout.commit]
        try:
            mode, sha = tree_lookup_path(repo.__getitem__, commit.tree, path.encode("utf-8", "surrogateescape"))
        except (KeyError, NotADirectoryError, ValueError):
            return None
        if not stat.S_ISREG(mode):
            return None  # a link, or a commit of a submodule, which is an object of another repository
        blob = repo[sha]
        return bytes(blob.data) if isinstance(blob, Blob) else None


def _path_in(uri: str) -> str:
    """Return the path that the address of a file names; bytes that are no UTF-8 come through."""
    return unquote(uri.partition("#")[2], errors="surrogateescape")


def _decode_path(path: str) -> str:
    """Return a path as text, also when its bytes are not UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _unreadable_kind(mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return "a link"
    if stat.S_IFMT(mode) == 0o160000:
        return "a submodule; add it as a source of its own"
    return None


def _saved_files(source: Source) -> dict[str, str]:
    saved = source.options.get("state", {}).get(STATE, {})
    files = saved.get("files") if isinstance(saved, dict) else None
    return files if isinstance(files, dict) else {}


def _find_moves(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    """Return the old path of each file that only moved: its content is at one new path and was at one old one."""
    left = {path: sha for path, sha in before.items() if path not in now}
    came = {path: sha for path, sha in now.items() if path not in before}
    from_ = Counter(left.values())
    to = Counter(came.values())
    old_path = {sha: path for path, sha in left.items()}
    return {path: old_path[sha] for path, sha in came.items() if from_[sha] == 1 and to[sha] == 1}


def _page_of(address: GitAddress, checkout: Checkout, path: str) -> str:
    """Return the address at which people read the file, where the host is a known one."""
    host, _, name = address.place.partition("/")
    if address.is_local or host not in _WEB_HOSTS:
        return ""
    place = quote(path, errors="surrogateescape")
    return f"https://{host}/{name.removesuffix('.git')}/{_WEB_HOSTS[host]}/{checkout.commit.decode()}/{place}"

"""Repositories elsewhere: the latest commit of a branch is brought here, over connections that the netguard allows."""

from __future__ import annotations

import asyncio
import shutil
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import urllib3
from filelock import FileLock

from roma_core.connectors.net.egress import EgressProxies
from roma_core.connectors.net.guard import CONNECT_TIMEOUT_S, Netguard
from roma_core.connectors.web.access import load_access
from roma_core.errors import ConnectorError, ErrorCode
from roma_core.workspace import private_folder

MOST_BYTES: Final = 2 * 1024 * 1024 * 1024
"""All that one look at a repository may receive."""
MOST_PACKS: Final = 50
"""A mirror with more files of objects is made again: it holds commits that nobody asks for."""


class Remote:
    """A repository behind HTTP. ``options`` may hold ``headers`` to sign in with. Blocking: call it in a thread."""

    def __init__(self, guard: Netguard, repository: str, options: Mapping[str, Any], *, timeout_s: float) -> None:
        self._guard = guard
        self._repository = repository
        self._options = options
        self._timeout_s = timeout_s
        self._received = 0

    def bring(self, folder: Path, ref: str) -> bytes:
        """Bring the latest commit of a branch or tag into ``folder``; return its name.

        Raises ``ConnectorError``: NOT_FOUND, AUTH, TOO_LARGE, BLOCKED or UNAVAILABLE.
        """
        from dulwich.client import HTTPUnauthorized, Urllib3HttpGitClient
        from dulwich.errors import GitProtocolError, HangupException, NotGitRepository

        target = self._guard.check_url(self._repository)
        access = load_access({"headers": self._options.get("headers")}, target.host)
        client = Urllib3HttpGitClient(
            target.origin,
            pool_manager=guarded_pools(self._guard, access.headers, target.host),
            timeout=self._timeout_s,
            report_activity=self._count,
            quiet=True,
        )
        path = urlsplit(self._repository).path
        try:
            return self._bring(client, path, folder, ref)
        except NotGitRepository:
            raise self._error("does not exist", ErrorCode.CONNECTOR_NOT_FOUND) from None
        except HTTPUnauthorized:
            raise self._error("does not exist, or wants a sign-in", ErrorCode.CONNECTOR_AUTH) from None
        except (GitProtocolError, HangupException, urllib3.exceptions.HTTPError, OSError, EOFError) as error:
            words = f"cannot be read now ({type(error).__name__})"
            raise self._error(words, ErrorCode.CONNECTOR_UNAVAILABLE) from None
        except (ValueError, KeyError, AssertionError) as error:  # what dulwich makes of an answer that is no git
            words = f"gave an answer that cannot be read ({type(error).__name__})"
            raise self._error(words, ErrorCode.CONNECTOR_CORRUPT) from None

    def _bring(self, client: Any, path: str, folder: Path, ref: str) -> bytes:
        from dulwich.repo import Repo

        refs = client.get_refs(path.encode()).refs
        wanted = choose_commit(refs, ref)
        private_folder(folder.parent)
        with FileLock(str(folder.with_suffix(".lock"))):
            if folder.exists() and len(list((folder / "objects" / "pack").glob("*.pack"))) > MOST_PACKS:
                shutil.rmtree(folder)
            if not (folder / "config").exists():
                shutil.rmtree(folder, ignore_errors=True)
                Repo.init_bare(str(folder), mkdir=True).close()
            with Repo(str(folder)) as mirror:
                objects: Any = mirror.object_store
                if wanted not in objects:
                    client.fetch(path, mirror, determine_wants=lambda refs, depth=None: [wanted], depth=1)
                if wanted not in objects:
                    raise KeyError(wanted)
                return commit_of(mirror, wanted)

    def _count(self, number: int, direction: str) -> None:
        if direction == "read":
            self._received += number
            if self._received > MOST_BYTES:
                raise self._error("is larger than 2 GiB", ErrorCode.CONNECTOR_TOO_LARGE)

    def _error(self, words: str, code: ErrorCode) -> ConnectorError:
        return ConnectorError(f"The repository {self._repository} {words}.", code, details={"uri": self._repository})


def choose_commit(refs: Mapping[Any, Any], ref: str) -> bytes:
    """Return what a branch or a tag names, "" standing for the repository's own choice. Raises ``ConnectorError``."""
    names = [f"refs/heads/{ref}", f"refs/tags/{ref}", ref] if ref else ["HEAD"]
    for name in names:
        commit = refs.get(name.encode())
        if commit is not None:
            return bytes(commit)
    what = f"branch or tag {ref}" if ref else "commit"
    raise ConnectorError(f"The repository has no {what}.", ErrorCode.CONNECTOR_NOT_FOUND)


def commit_of(repo: Any, name: bytes) -> bytes:
    """Return the commit that a name leads to: an annotated tag is an object of its own."""
    from dulwich.objects import Tag

    thing: Any = repo[name]
    while isinstance(thing, Tag):
        thing = repo[thing.object[1]]
    return bytes(thing.id)


def guarded_pools(guard: Netguard, headers: Mapping[str, str], host: str) -> urllib3.PoolManager:
    """Return connection pools that connect where the guard allows, or through the environment's proxy.

    Every address is judged, those of redirects too. ``headers`` are sent to ``host`` alone.
    """
    proxies = EgressProxies.from_environment()
    connection = _make_guarded_class(urllib3.connection.HTTPConnection, guard)
    secure_connection = _make_guarded_class(urllib3.connection.HTTPSConnection, guard)

    class Http(urllib3.HTTPConnectionPool):
        ConnectionCls = connection

    class Https(urllib3.HTTPSConnectionPool):
        ConnectionCls = secure_connection

    class Pools(urllib3.PoolManager):
        def urlopen(self, method: str, url: str, redirect: bool = True, **options: Any) -> Any:  # type: ignore[override]
            target = guard.check_url(url)
            sent = dict(options.pop("headers", None) or {})
            if target.host == host:
                sent |= headers
            else:
                for name in headers:
                    sent.pop(name, None)
            proxy = None if guard.is_allowed(target.host, target.port) else proxies.proxy_for(target)
            if proxy is None:
                return super().urlopen(method, url, redirect, headers=sent, **options)
            asyncio.run(guard.check_resolvable(target.host, target.port))
            through = urllib3.ProxyManager(
                proxy.url, proxy_headers=proxy.headers, ssl_context=ssl.create_default_context()
            )
            answer = through.urlopen(method, url, False, headers=sent, **options)
            location = answer.get_redirect_location()
            if location and redirect:
                raise ConnectorError(
                    f"The repository has moved to {location}; name that address.", ErrorCode.CONNECTOR_NOT_FOUND
                )
            return answer

    pools = Pools(ssl_context=ssl.create_default_context())
    pools.pool_classes_by_scheme = {"http": Http, "https": Https}
    return pools


def _make_guarded_class(kind: type[Any], guard: Netguard) -> type[Any]:
    """Return a kind of connection that connects to the addresses which the guard has judged."""

    class Guarded(kind):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            addresses = asyncio.run(guard.addresses(self.host, self.port))
            for n, address in enumerate(addresses):
                try:
                    return socket.create_connection((address, self.port), CONNECT_TIMEOUT_S)
                except OSError as error:
                    if n == len(addresses) - 1:
                        raise urllib3.exceptions.NewConnectionError(self, type(error).__name__) from None
            raise AssertionError("unreachable: the guard returns at least one address")

    return Guarded

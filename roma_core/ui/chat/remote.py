"""The chat of a service that runs elsewhere: what ``ChatService`` answers itself is asked of its HTTP API."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final
from urllib.parse import quote

import httpx2

from roma_core.connectors.sources import redact_uri
from roma_core.errors import AgentFailure, ErrorCode, InputError, RomaError, guarded
from roma_core.transcripts import FileFormat, SavedFile
from roma_core.ui.chat.service import ChatQuestion, ChatRating
from roma_core.ui.chat.views import View

API: Final = "/console/api"
CONNECT_S: Final = 10.0
SILENT_S: Final = 60.0
"""Longest silence of the service: while it writes an answer it sends a sign every 15 s."""
_FILE_NAME = re.compile(r'filename="([^"]+)"')


class RemoteChatError(RomaError):
    """A service that cannot be reached, or that has refused, in its own words."""

    default_code = ErrorCode.WORKER_UNAVAILABLE


class RemoteChat:
    """The conversations of the person whose token it has, at the service with this address.

    >>> chat = RemoteChat("http://127.0.0.1:8000", token)  # doctest: +SKIP
    >>> state = await chat.state()  # doctest: +SKIP
    """

    def __init__(self, url: str, token: str = "") -> None:
        """Take the address of a service. Raises ``InputError`` for one that is none."""
        if not url.startswith(("http://", "https://")):
            raise InputError(f"{redact_uri(url)!r} is no address of a service; write http://HOST:PORT.")
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def state(self) -> View:
        """Return the workspace as a new conversation shows it. Files are brought in the service's own console."""
        return {**await self._ask("GET", "/state"), "may_ingest": False, "pages": []}

    async def conversations(self) -> list[View]:
        """Return the person's conversations."""
        found: list[View] = await self._ask("GET", "/conversations")
        return found

    async def conversation(self, conversation: str, most: int = 20) -> View:
        """Return the last turns of a conversation."""
        return dict(await self._ask("GET", f"/conversations/{quote(conversation)}", params={"most": most}))

    async def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title."""
        await self._ask("PATCH", f"/conversations/{quote(conversation)}", body={"title": title})

    async def delete(self, conversation: str) -> None:
        """Remove a conversation."""
        await self._ask("DELETE", f"/conversations/{quote(conversation)}")

    async def ask(self, conversation: str, question: ChatQuestion, key: str) -> View:
        """Begin an answer; the same key is the same answer."""
        path = f"/conversations/{quote(conversation)}/ask"
        return dict(await self._ask("POST", path, body=question.model_dump(), headers={"Idempotency-Key": key}))

    async def follow(self, record_id: str) -> AsyncGenerator[View]:
        """Yield what is shown of an answer from its beginning to its end."""
        path = f"{API}/answers/{quote(record_id)}/updates"
        try:
            async with self._open() as client, client.stream("GET", path) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise _read_refusal(response)
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except (httpx2.HTTPError, OSError) as error:
            raise self._describe_loss(error) from None

    async def stop(self, record_id: str) -> None:
        """Stop an answer that is being written."""
        await self._ask("POST", f"/answers/{quote(record_id)}/stop")

    async def compare(self, record_id: str, changes: Mapping[str, str]) -> View:
        """Return an answer beside what another model, prompt or reader makes of it."""
        return dict(await self._ask("POST", f"/answers/{quote(record_id)}/compare", body={"changes": dict(changes)}))

    async def rate(self, conversation: str, answer_id: str, rating: ChatRating) -> None:
        """Keep an opinion of an answer."""
        path = f"/conversations/{quote(conversation)}/ratings/{quote(answer_id)}"
        await self._ask("PUT", path, body=rating.model_dump())

    async def suggestions(self, text: str) -> list[str]:
        """Return questions with the typed words."""
        found: list[str] = await self._ask("GET", "/suggestions", params={"text": text[:200]})
        return found

    async def related(self, question: str) -> list[str]:
        """Return questions near to one that was asked."""
        found: list[str] = await self._ask("GET", "/related", params={"text": question[:2000]})
        return found

    async def source(self, document_id: str, start: int | None = None, end: int | None = None, offset: int = 0) -> View:
        """Return a document as it reads around a span, with the span marked."""
        span = {} if start is None else {"start": start, "end": end}
        return dict(await self._ask("GET", f"/documents/{quote(document_id)}", params={**span, "offset": offset}))

    async def page(self, document_id: str, number: int, start: int | None = None, end: int | None = None) -> View:
        """Return the boxes of the cited words on a page."""
        span = {} if start is None else {"start": start, "end": end}
        return dict(await self._ask("GET", f"/documents/{quote(document_id)}/pages/{int(number)}", params=span))

    async def page_image(self, document_id: str, number: int) -> bytes | AgentFailure:
        """Return the picture of a page."""
        found = await guarded("console", self._send("GET", f"/documents/{quote(document_id)}/pages/{int(number)}.png"))
        return found if isinstance(found, AgentFailure) else found.content

    async def export_answer(self, record_id: str, file_format: FileFormat) -> SavedFile:
        """Return an answer as a file with its proof."""
        return await self._fetch(f"/answers/{quote(record_id)}/export", file_format)

    async def export(self, conversation: str, file_format: FileFormat) -> SavedFile:
        """Return a conversation as a file with its proof."""
        return await self._fetch(f"/conversations/{quote(conversation)}/export", file_format)

    # --- the wire ---

    def _open(self) -> httpx2.AsyncClient:
        timeout = httpx2.Timeout(SILENT_S, connect=CONNECT_S)
        return httpx2.AsyncClient(base_url=self._url, headers=self._headers, timeout=timeout, trust_env=False)

    def _describe_loss(self, error: Exception) -> RemoteChatError:
        return RemoteChatError(
            f"The service at {redact_uri(self._url)} cannot be reached ({type(error).__name__}); is it running, and is "
            "ROMA_URL its address?"
        )

    async def _fetch(self, path: str, file_format: FileFormat) -> SavedFile:
        response = await self._send("GET", path, params={"format": file_format})
        named = _FILE_NAME.search(response.headers.get("content-disposition", ""))
        media_type = response.headers.get("content-type", "application/octet-stream").partition(";")[0]
        return SavedFile(named[1] if named else f"answer.{file_format}", media_type, response.content)

    async def _ask(self, method: str, path: str, **given: Any) -> Any:
        response = await self._send(method, path, **given)
        return response.json() if response.content else None

    async def _send(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx2.Response:
        """Return a response that is none of an error. Raises ``RemoteChatError``."""
        try:
            async with self._open() as client:
                response = await client.request(method, f"{API}{path}", json=body, params=params, headers=headers)
        except (httpx2.HTTPError, OSError) as error:
            raise self._describe_loss(error) from None
        if response.status_code >= 400:
            raise _read_refusal(response)
        return response


def _read_refusal(response: httpx2.Response) -> RemoteChatError:
    """Return the error that a service has answered with, in its words."""
    try:
        problem = response.json()
    except ValueError:
        problem = {}
    failure = problem.get("failure") if isinstance(problem, dict) else None
    failure = failure if isinstance(failure, dict) else {}
    words = failure.get("message") or (problem.get("detail") if isinstance(problem, dict) else "")
    known = {code.value: code for code in ErrorCode}
    return RemoteChatError(
        str(words or f"The service answered with status {response.status_code}."),
        known.get(str(failure.get("code")), ErrorCode.INTERNAL),
        retry_after_s=failure.get("retry_after_s"),
    )

"""The smoke test of a running service: health, ingest, ask, open a citation, and clean up, over HTTP alone.

It brings one small document with a made-up fact, asks for the fact, and opens the words that the answer cites. So a
service that answers from nothing, or cites words that are not in the source, fails.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from roma_core.errors import InputError, RomaError

POLL_S = 0.2


@dataclass(frozen=True)
class SmokeStep:
    """A step of the smoke test; ``reason`` says why it failed, and is empty where it did not."""

    name: str
    took_ms: float
    detail: str = ""
    reason: str = ""

    @property
    def has_passed(self) -> bool:
        return not self.reason


@dataclass(frozen=True)
class SmokeReport:
    """The steps that were taken, in order; those behind a failed one are not, but for cleaning up."""

    url: str
    steps: list[SmokeStep] = field(default_factory=list)

    @property
    def has_passed(self) -> bool:
        return all(step.has_passed for step in self.steps)


class SmokeError(RomaError):
    """A step found something else than it should. It never leaves this module."""


async def run_smoke(
    url: str, *, token: str | None = None, folder: Path | None = None, timeout_s: float = 60.0
) -> SmokeReport:
    """Return how a service at ``url`` did. Its document is written to ``folder``, which the service has to read.

    ``folder`` is a temporary one by default, for a service on this machine. ``token`` needs the scopes query and
    ingest. Raises ``InputError`` for an address that is none, and for a folder that is not there.

    >>> report = await run_smoke("http://127.0.0.1:8000")  # doctest: +SKIP
    """
    if not url.startswith(("http://", "https://")):
        raise InputError(f"{url!r} is no address of a service; write http://HOST:PORT.")
    if folder is not None and not await asyncio.to_thread(folder.is_dir):
        raise InputError(f"There is no folder {str(folder)!r}.")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with tempfile.TemporaryDirectory(dir=folder, prefix="roma-smoke-") as made:
        place = Path(made)
        await asyncio.to_thread(place.chmod, 0o755)  # the service may run as another user
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=timeout_s, trust_env=False) as client:
            return await _SmokeTest(client, place, timeout_s).run(url)


class _SmokeTest:
    """One smoke test with its document."""

    def __init__(self, client: httpx2.AsyncClient, folder: Path, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s
        self._name = f"Smoke{uuid.uuid4().hex[:10]}"
        self._year = str(1000 + uuid.uuid4().int % 900)
        self._path = folder / f"{self._name.lower()}.md"
        self._fact = f"The lighthouse of {self._name} was built in the year {self._year}."
        self._answer: dict[str, Any] = {}
        self._is_ingested = False

    async def run(self, url: str) -> SmokeReport:
        """Take the steps up to the first that fails, then clean up."""
        steps: list[SmokeStep] = []
        for name, act in (
            ("health", self._check_health),
            ("ingest", self._ingest),
            ("ask", self._ask),
            ("open a citation", self._open_citation),
        ):
            steps.append(await _time(name, act))
            if not steps[-1].has_passed:
                break
        if self._is_ingested:
            steps.append(await _time("clean up", self._clean_up))
        return SmokeReport(url, steps)

    async def _check_health(self) -> str:
        response = await self._client.get("/health")
        state = _read(response, (200,)).get("state", "")
        if state not in {"ok", "degraded"}:
            raise SmokeError(f"the service is {state or 'in an unknown state'}")
        return str(state)

    async def _ingest(self) -> str:
        text = f"# The lighthouse of {self._name}\n\n{self._fact} It is painted red.\n"
        await asyncio.to_thread(self._path.write_text, text, encoding="utf-8")
        await asyncio.to_thread(self._path.chmod, 0o644)
        self._is_ingested = True
        response = await self._client.post("/ingest", json={"sources": [str(self._path)]})
        job = _read(response, (202,))
        deadline = time.monotonic() + self._timeout_s
        while job.get("finished_at") is None:
            if time.monotonic() > deadline:
                raise SmokeError(f"the job was {job.get('state')!r} after {self._timeout_s:g} s")
            await asyncio.sleep(POLL_S)
            job = _read(await self._client.get(f"/ingest/{job['id']}"), (200,))
        report = job.get("report") or {}
        added = [item for item in report.get("items", []) if item.get("state") == "added"]
        if len(added) != 1:
            reasons = [str(item.get("reason")) for item in report.get("items", []) if item.get("reason")]
            reasons.append((job.get("failure") or {}).get("message", ""))
            why = "; ".join(dict.fromkeys(reason for reason in reasons if reason))
            raise SmokeError(f"the job ended as {job.get('state')!r} and added {len(added)} documents, not 1: {why}")
        return f"{added[0].get('chunks', 0)} passages"

    async def _ask(self) -> str:
        question = f"In which year was the lighthouse of {self._name} built?"
        response = await self._client.post("/query", json={"text": question})
        self._answer = _read(response, (200,))
        if self._year not in self._answer.get("answer", ""):
            raise SmokeError(f"the answer does not say {self._year}: {self._answer.get('answer', '')[:200]!r}")
        return str(self._answer.get("model", ""))

    async def _open_citation(self) -> str:
        ours = [
            citation
            for citation in self._answer.get("citations", [])
            if citation["quote"] and citation["quote"] in self._fact + " It is painted red."
        ]
        if not ours:
            raise SmokeError("no citation quotes the document that was ingested")
        citation = ours[0]
        span = {"start": citation["start"], "end": citation["end"], "context": 0}
        source = _read(await self._client.get(f"/sources/{citation['document_id']}", params=span), (200,))
        if source.get("text") != citation["quote"]:
            raise SmokeError(f"the source says {source.get('text', '')[:200]!r} at the place of the citation")
        return f"{citation['verdict']}: {citation['quote'][:60]}"

    async def _clean_up(self) -> str:
        await asyncio.to_thread(self._path.unlink, missing_ok=True)
        response = await self._client.delete("/ingest/sources", params={"source": str(self._path)})
        counts = _read(response, (200,)).get("counts", {})
        return f"{counts.get('deleted', 0)} document removed"


def _read(response: httpx2.Response, expected: tuple[int, ...]) -> dict[str, Any]:
    """Return the JSON of a response. Raises ``SmokeError`` for another status, in the words of the service."""
    try:
        value = response.json()
    except ValueError:
        value = {}
    fields: dict[str, Any] = value if isinstance(value, dict) else {}
    if response.status_code not in expected:
        said = fields.get("detail") or response.reason_phrase
        raise SmokeError(f"{response.request.method} {response.request.url.path}: {response.status_code}, {said}")
    return fields


async def _time(name: str, act: Callable[[], Awaitable[str]]) -> SmokeStep:
    began = time.perf_counter()
    detail = reason = ""
    try:
        detail = await act()
    except SmokeError as error:
        reason = error.message
    except (httpx2.HTTPError, OSError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    return SmokeStep(name, round((time.perf_counter() - began) * 1000, 1), detail, reason)

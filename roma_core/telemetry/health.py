"""One report over named probes: cached, time-boxed, free of charge.

``app`` composes it; ``Roma.health()``, ``GET /health`` and ``roma health`` show it::

    HealthMonitor({"store": probe, ...}, needed=("store", "embedder"), version=__version__)

A probe is an async function without arguments that returns a ``ComponentHealth`` (the report gives it its name), or
raises: then the component is down and the error's message is the reason. No probe may call a model: ask for
``/models``, look at a key or a breaker instead.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from roma_core.environment import find_wrong_proxy
from roma_core.errors import AgentFailure, guarded
from roma_core.perloop import PerLoop
from roma_core.telemetry import metrics
from roma_core.types import ComponentHealth, HealthReport, HealthState

PROBE_TIMEOUT_S = 2.0
COLD_TIMEOUT_S = 20.0
"""The first round of a process may take this long: libraries that are imported then need seconds, not the parts."""
TTL_S = 5.0
ANSWER_S = 1.5
"""Longest wait for a server's answer: less than a probe's, so that a part can still report what else works."""
GIVEN_UP_S = 10.0
"""Longest time that an unanswered request stays open; there is no second one beside it."""
NOT_IMPLEMENTED = 501


Probe = Callable[[], Awaitable[ComponentHealth]]


class HealthMonitor:
    """Report over ``probes``. A component in ``needed`` that is down makes the whole down; others only degrade it."""

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        needed: Collection[str],
        version: str,
        timeout_s: float | None = None,
        cold_timeout_s: float | None = None,
        ttl_s: float = TTL_S,
    ) -> None:
        self._probes = dict(probes)
        self._needed = frozenset(needed)
        self._version = version
        self._timeout_s = PROBE_TIMEOUT_S if timeout_s is None else timeout_s
        self._next_timeout_s = cold_timeout_s or self._timeout_s
        self._ttl_s = ttl_s
        self._last: HealthReport | None = None
        self._at = 0.0
        self._lock = PerLoop(asyncio.Lock)

    async def report(self) -> HealthReport:
        """Return the present state, at most ``ttl_s`` old; concurrent callers share one round of probes."""
        async with self._lock.get():
            if self._last is None or time.monotonic() - self._at > self._ttl_s:
                self._last = await self._probe_all()
                self._at = time.monotonic()
                metrics.set_health(self._last)
            return self._last

    async def _probe_all(self) -> HealthReport:
        limit_s, self._next_timeout_s = self._next_timeout_s, self._timeout_s
        parts = await asyncio.gather(*(self._probe(name, probe, limit_s) for name, probe in self._probes.items()))
        return HealthReport(state=combine_states(parts, self._needed), version=self._version, components=tuple(parts))

    async def _probe(self, name: str, probe: Probe, limit_s: float) -> ComponentHealth:
        start = time.perf_counter()
        health = await guarded(name, asyncio.wait_for(probe(), limit_s))
        latency_ms = round((time.perf_counter() - start) * 1000, 2)
        if isinstance(health, AgentFailure):
            is_late = latency_ms >= limit_s * 1000
            reason = f"no answer within {limit_s:g} s" if is_late else f"{health.code}: {health.message}"
            health = ComponentHealth(state="down", reason=reason)
        return health.model_copy(update={"name": name, "latency_ms": latency_ms})


def combine_states(parts: Collection[ComponentHealth], needed: Collection[str]) -> HealthState:
    """Return ``down`` when a needed component is down, else ``degraded`` when any is not ``ok``."""
    if any(p.state == "down" and p.name in needed for p in parts):
        return "down"
    return "ok" if all(p.state == "ok" for p in parts) else "degraded"


def disk(folder: Path, min_free_mb: int) -> Probe:
    """Return a probe of the free space below ``folder``, which need not exist yet.

    It reports down when the folder cannot be written and degraded when an ingest would stop.
    """

    def look() -> ComponentHealth:
        place = next(p for p in (folder.absolute(), *folder.absolute().parents) if p.exists())
        free_mb = shutil.disk_usage(place).free // 2**20
        details = {"free_mb": free_mb}
        if not os.access(place, os.W_OK):
            return ComponentHealth(state="down", reason=f"{place.name} cannot be written", details=details)
        if free_mb < 1:
            return ComponentHealth(state="degraded", reason="the disk is full; nothing can be written", details=details)
        if free_mb < min_free_mb:
            return ComponentHealth(
                state="degraded", reason=f"{free_mb} MB free; ingest stops below {min_free_mb} MB", details=details
            )
        return ComponentHealth(details=details)

    async def probe() -> ComponentHealth:
        return await asyncio.to_thread(look)  # a network file system may hang

    return probe


def make_model_server_probe(
    base_url: str,
    api_key: str | None = None,
    *,
    name: str = "the model server",
    headers: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    model: str = "",
    transport: Any = None,
) -> Probe:
    """Return a probe that asks ``base_url``/models for the list of models, which costs nothing.

    Any answer but a rejected key or a server error means that the server is up; ``details`` hold its status. The
    request takes the proxies of the environment and follows no redirect. There is one request at a time: a name that
    does not resolve holds a thread for as long as the system likes. With ``model`` the list is read, and a model that
    is not in it degrades the server.
    """
    sent = dict(headers or ({"Authorization": f"Bearer {api_key}"} if api_key else {}))
    asking: PerLoop[list[asyncio.Task[ComponentHealth]]] = PerLoop(list)

    async def ask() -> ComponentHealth:
        import httpx2

        try:
            async with (
                httpx2.AsyncClient(timeout=GIVEN_UP_S, transport=transport) as client,
                client.stream("GET", base_url.rstrip("/") + "/models", headers=sent, params=query) as answer,
            ):
                status = assess_status(name, answer.status_code)
                if model and answer.status_code == OK_STATUS:
                    return check_model(status, name, model, await _read_body(answer))
                return status
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            checked = find_wrong_proxy() or "check the network and the address"
            return ComponentHealth(state="down", reason=f"{name} cannot be reached ({type(error).__name__}); {checked}")

    async def probe() -> ComponentHealth:
        tasks = asking.get()
        tasks[:] = [task for task in tasks if not task.done()] or [asyncio.create_task(ask())]
        [task] = tasks
        done, _ = await asyncio.wait({task}, timeout=ANSWER_S)
        return (
            task.result()
            if done
            else ComponentHealth(state="down", reason=f"{name} does not answer within {ANSWER_S:g} s")
        )

    return probe


OK_STATUS = 200
MOST_LIST_BYTES = 4 << 20
"""A longer list of models is not read."""
NAMED_MODELS = 8
"""Models of a server's list that a message names."""


async def _read_body(answer: Any) -> bytes:
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_LIST_BYTES:
            return b""
    return body


def check_model(status: ComponentHealth, name: str, model: str, body: bytes) -> ComponentHealth:
    """Return ``status``, degraded when a server's complete list of models lacks ``model``.

    Lists of OpenAI's and Ollama's form are read. ``llama3`` stands for ``llama3:latest``, and a model's name for its
    dated versions.
    """
    listed = _listed_models(body)
    if not listed or any(_is_model(model, other) for other in listed):
        return status
    others = ", ".join(listed[:NAMED_MODELS]) + (", ..." if len(listed) > NAMED_MODELS else "")
    reason = f"{name} has no model {model} in its list; set LLM_MODEL to one that it has: {others}"
    return ComponentHealth(state="degraded", reason=reason, details={**status.details, "listed": False})


def _listed_models(body: bytes) -> list[str]:
    """Return the names in a list of models; empty for a partial list and for a server that accepts any name."""
    try:
        data = json.loads(body)
    except ValueError:
        return []
    if isinstance(data, dict):
        if data.get("has_more"):
            return []
        data = data.get("data") or data.get("models")
    entries = [entry for entry in data if isinstance(entry, dict)] if isinstance(data, list) else []
    if any(entry.get("owned_by") == "llamacpp" for entry in entries):
        return []
    names = [entry.get("id") or entry.get("name") for entry in entries]
    return [name.removeprefix("models/") for name in names if isinstance(name, str)]


_DATE = re.compile(r"-\d{4}-?\d{2}-?\d{2}|-latest|-\d{3,4}|:latest")


def _is_model(wanted: str, listed: str) -> bool:
    if wanted == listed or listed.endswith(f"/{wanted}") or wanted.endswith(f"/{listed}"):
        return True
    stem = wanted.removesuffix("-latest")
    rest = listed.removeprefix(stem)
    return listed.startswith(stem) and _DATE.fullmatch(rest) is not None


def assess_status(name: str, status: int) -> ComponentHealth:
    """Return the state of a server by the status of its list of models."""
    if status in {401, 403}:
        return ComponentHealth(state="down", reason=f"{name} refuses the key ({status})", details={"status": status})
    if status >= 500 and status != NOT_IMPLEMENTED:
        return ComponentHealth(state="down", reason=f"{name} answers {status}", details={"status": status})
    return ComponentHealth(details={"status": status})

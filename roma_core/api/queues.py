"""The queue of ingest jobs that the settings name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from roma_core.api.jobqueue import JobQueue
from roma_core.api.jobs import IngestQueue
from roma_core.settings import Settings
from roma_core.workspace import Workspace


def open_queue(settings: Settings) -> IngestQueue:
    """Return the queue of ingest jobs: in Redis, in PostgreSQL or in the workspace, the first that is named.

    Raises ``ConfigError`` for a wrong address.

    >>> open_queue(Settings()).counts()["queued"]
    0
    """
    url = settings.serving.queue_url
    if url is None:
        return JobQueue(settings.workspace, server_url=settings.storage.server_url)
    from roma_core.api.redisqueue import RedisJobQueue

    return RedisJobQueue(url)


@contextmanager
def borrow_queue(settings: Settings) -> Iterator[IngestQueue | None]:
    """Yield the queue and close it afterwards; None for a workspace that has none, in which nothing is made."""
    is_shared = settings.serving.queue_url is not None or settings.storage.server_url is not None
    if not is_shared and not Workspace(settings.workspace).service.exists():
        yield None
        return
    queue = open_queue(settings)
    try:
        yield queue
    finally:
        queue.close()

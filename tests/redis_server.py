"""A Redis server of one's own for tests, from Debian's package."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import find_port


@contextmanager
def running_redis(folder: Path) -> Iterator[str]:
    """Yield the address of a server that keeps its files in ``folder``; skip where there is none."""
    redis = pytest.importorskip("redis", reason="the extra 'cluster' brings it")
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on this machine (Debian: redis-server)")
    port = find_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--appendonly", "yes"]
    server = subprocess.Popen([*command, "--save", ""], stdout=subprocess.DEVNULL)
    url = f"redis://127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            for _ in range(1200):
                try:
                    client.ping()
                    break
                except redis.RedisError:
                    time.sleep(0.05)
        yield url
    finally:
        server.terminate()
        server.wait()

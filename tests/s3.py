"""An object store for tests: moto's server in this process, honest or with the conditions of writes left out."""

from __future__ import annotations

import threading
import urllib.request
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from roma_core.store.bucket import BucketFolder, LeaseTimes

CONDITIONS = ("HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH")
"""Headers of a write that stores of another kind ignore, as WSGI names them."""
SECRET = "zq-a-secret-of-the-bucket-zq"
PATIENT = LeaseTimes(poll_s=0.02)
"""Times of a lock that is never lost on a busy machine, and looked for often."""
_one_at_a_time = threading.Lock()
"""Moto looks at a condition and then writes: two writers at once would both be right, as at no store that keeps it."""
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@contextmanager
def run_s3(*, ignored: tuple[str, ...] = (), wrap: Callable[[Application], Application] | None = None) -> Iterator[str]:
    """Yield the address of a server that ignores some headers; it listens on loopback.

    ``wrap`` may put more between the client and the server. All servers of a process have the same buckets.
    """
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class QuietHandler(WSGIRequestHandler):
        def log(self, type: str, message: str, *args: Any) -> None:
            """Write nothing: requests are no output of a test."""

    moto: Application = DomainDispatcherApplication(create_backend_app)

    def answer(environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        for name in ignored:
            environ.pop(name, None)
        with _one_at_a_time:
            return moto(environ, start)

    application = answer if wrap is None else wrap(answer)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=QuietHandler)
    serving = threading.Thread(target=server.serve_forever, daemon=True)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        serving.join()
        server.server_close()


def make_bucket(endpoint: str) -> str:
    """Make a bucket of its own for a test, and return its name."""
    name = f"papers-{uuid.uuid4().hex[:12]}"
    request = urllib.request.Request(f"{endpoint}/{name}", method="PUT")
    urllib.request.urlopen(request).close()
    return name


def set_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the process keys, as a deployment has them in its environment."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "zq-key-zq")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


def open_bucket(endpoint: str, name: str = "", prefix: str = "roma", times: LeaseTimes = PATIENT) -> BucketFolder:
    """Return a folder in a bucket, by default in a new one."""
    return BucketFolder.open(f"s3://{name or make_bucket(endpoint)}/{prefix}", endpoint, times)

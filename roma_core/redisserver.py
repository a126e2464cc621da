"""The way to a Redis that replicas share: an address, its limits of time, and its errors as ROMA's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from roma_core.errors import ConfigError, StoreError
from roma_core.settings import mask_address

TIMEOUT_S: Final = 5.0


class RedisServer:
    """A Redis for one use. ``client`` is of the package ``redis``; connections are made at the first command."""

    def __init__(self, url: str, *, setting: str, use: str, decode_responses: bool) -> None:
        """``setting`` and ``use`` are what errors name. Raises ``ConfigError`` for what is no address."""
        import redis  # the error for a missing one names the extra

        self._use = use
        self._setting = setting
        self._place = mask_address(url)
        limits = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        try:
            self.client: Any = redis.Redis.from_url(url, decode_responses=decode_responses, **limits)
        except ValueError:
            raise ConfigError(f"{setting}: {self._place} is no address of Redis: redis://host:6379/0.") from None

    @contextmanager
    def translate_errors(self) -> Iterator[None]:
        """Raise ``StoreError`` where Redis does not answer."""
        from redis import RedisError

        try:
            yield
        except RedisError as error:
            raise StoreError(
                f"{self._use} at {self._place} does not answer ({type(error).__name__}); start it, or correct "
                f"{self._setting}."
            ) from error

    def close(self) -> None:
        """Close the connections; the next command opens them again."""
        self.client.close()

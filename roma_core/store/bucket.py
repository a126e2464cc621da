"""A store's folder on an object store: a prefix of an S3 bucket, or of a store that speaks its protocol.

An object store has neither links nor ``flock``, but it can refuse a write: ``If-None-Match: *`` writes what is not
there, ``If-Match`` what has not changed. A lock is an object that its holder renews, and the register and the
generation are exchanged for what was read. A store that ignores these conditions would lose rows without a word, so it
is tried before its first use, and refused.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple
from urllib.parse import urlsplit

from roma_core.errors import ConfigError, ErrorCode, RomaError, StoreError
from roma_core.settings import mask_address
from roma_core.store.folder import SmallFile, Stamp, VersionGate, stale_write
from roma_core.store.lease import refuse_lease
from roma_core.telemetry import logs

if TYPE_CHECKING:
    from obstore.store import S3Store

_log = logs.get("store")
MARK: Final = ".made.json"
"""Object that gives a table an identity: a table that was made again has another one."""
MOST_RETRIES: Final = 3
RETRY_TIMEOUT: Final = timedelta(seconds=30)
RACERS: Final = 4
"""Writers that try to make one object at the same time when a store is tried; one may succeed."""
OTHERS_READ_S: Final = 60.0
"""Longest time that a read by another process may take: none of them holds an older version after it."""
QUIET_LOOK_S: Final = 0.02
BLOCK_BYTES: Final = 1 << 20
_STATUS: Final = re.compile(r"status(?: code)?: (\d{3})")
_METADATA_SERVICE: Final = ("169.254.169.254", "169.254.170.2", "fd00:ec2::254")
"""Addresses where a cloud lends keys to its machines: they were looked for there, and not found."""
_UNREACHABLE: Final = ("error sending request", "kind: connect", "dns error", "timed out", "connection refused")


class LeaseTimes(NamedTuple):
    """Times of a lock on an object store, in seconds."""

    renew_s: float = 5.0
    lost_s: float = 30.0
    """Its holder stops when it could not renew it for so long."""
    taken_s: float = 45.0
    """Others take it when they have seen it unchanged for so long, by their own clock.

    The time between two looks counts up to ``renew_s``: a process that did not run meanwhile has seen nothing, and the
    holder may have stood still with it.
    """
    poll_s: float = 0.25


@dataclass(frozen=True)
class Bucket:
    """A bucket, and the address of the store that has it; empty for Amazon's."""

    name: str
    endpoint: str = ""

    def connect(self) -> S3Store:
        """Return the client of the bucket. Keys are those of the environment, or lent by the machine."""
        return _connect(self)

    @property
    def address(self) -> str:
        """The address as it may be shown."""
        return mask_address(self.endpoint) or "the address of its region (AWS_REGION)"

    @property
    def is_plain_http(self) -> bool:
        """Return whether the address is one without TLS, which must be allowed by name."""
        return self.endpoint.startswith("http://")


@functools.lru_cache(maxsize=16)
def _connect(bucket: Bucket) -> S3Store:
    from obstore.store import S3Store

    address: dict[str, Any] = {"endpoint": bucket.endpoint} if bucket.endpoint else {}
    return S3Store(
        bucket.name,
        client_options={"allow_http": bucket.is_plain_http},
        retry_config={"max_retries": MOST_RETRIES, "retry_timeout": RETRY_TIMEOUT},
        **address,
    )


class BucketFolder:
    """A prefix of a bucket. It is there as long as it holds an object."""

    is_remote: Final = True

    def __init__(self, bucket: Bucket, path: str, times: LeaseTimes | None = None) -> None:
        self.bucket = bucket
        self.path = path
        self._times = times or LeaseTimes()

    @classmethod
    def open(cls, url: str, endpoint: str | None = None, times: LeaseTimes | None = None) -> BucketFolder:
        """Return the folder of an address ``s3://bucket/prefix``, as the settings have checked it.

        >>> BucketFolder.open("s3://papers/roma").child("store").uri
        's3://papers/roma/store'
        """
        parts = urlsplit(url)
        return cls(Bucket(parts.netloc, endpoint or ""), parts.path.strip("/"), times)

    @property
    def name(self) -> str:
        """Last part of its address."""
        return PurePosixPath(self.path).name or self.bucket.name

    @property
    def place(self) -> str:
        """Its address."""
        return self.uri

    @property
    def uri(self) -> str:
        """Its address for LanceDB."""
        return f"s3://{self.bucket.name}/{self.path}".rstrip("/")

    @property
    def options(self) -> Mapping[str, str]:
        """LanceDB's ``storage_options``; keys are not among them, since LanceDB looks for them by itself."""
        if not self.bucket.endpoint:
            return {}
        return {"endpoint": self.bucket.endpoint, "allow_http": str(self.bucket.is_plain_http).lower()}

    def child(self, name: str) -> BucketFolder:
        """Return the folder ``name`` in this one."""
        return BucketFolder(self.bucket, self._key(name), self._times)

    def _key(self, name: str) -> str:
        return f"{self.path}/{name}".lstrip("/")

    def prepare(self) -> None:
        """Try once a process whether the store keeps the conditions of writes. Raises ``ConfigError``."""
        with _probing:
            if self.bucket not in _probed:
                self._probe()
                _probed.add(self.bucket)

    def _probe(self) -> None:
        name = f".probe-{uuid.uuid4().hex}"
        with self._translate_errors():
            try:
                self._race(name)
                stamp = self._put(name, "second", None if (held := self.read(name)) is None else held.stamp)
                for stale in ('"0123456789abcdef0123456789abcdef"', held.stamp if held else None):
                    if stamp is None or self._put(name, "third", stale) is not None:
                        raise self._refuse()
            finally:
                self._delete([self._key(name)])

    def _race(self, name: str) -> None:
        """Make one object by several writers at once. Raises ``ConfigError`` unless one of them has made it."""
        with ThreadPoolExecutor(RACERS, "roma-probe") as threads:
            made = list(threads.map(lambda number: self._put(name, f"first {number}", None), range(RACERS)))
        if sum(stamp is not None for stamp in made) != 1:
            raise self._refuse()

    def _refuse(self) -> ConfigError:
        return ConfigError(
            f"The object store of {self.uri} ignores the conditions of writes (If-None-Match, If-Match): two writers "
            "would lose rows. Use a store that keeps them, or a version of it that does, in ROMA_STORE_URL.",
            details={"store": self.uri, "endpoint": self.bucket.address},
        )

    def exists(self) -> bool:
        """Return whether there is an object in it."""
        return next(self._list(), None) is not None

    def list_folders(self) -> list[str]:
        """Return the names of the folders in it, see ``StoreFolder``."""
        import obstore

        with self._translate_errors():
            found = obstore.list_with_delimiter(self.bucket.connect(), self.path or None)
        return sorted(PurePosixPath(prefix).name for prefix in found["common_prefixes"])

    def mark(self) -> None:
        """Write the object by which this table is told from one that is made here later."""
        self.replace(MARK, json.dumps({"id": uuid.uuid4().hex}))

    def identify(self) -> Stamp | None:
        """Return what distinguishes it from another one, see ``StoreFolder``."""
        stamp = self.find_stamp(MARK)
        if stamp is None and self.exists():
            return "unmarked"
        return stamp

    def read(self, file: str) -> SmallFile | None:
        """Return a small file, see ``StoreFolder``."""
        import obstore

        with self._translate_errors():
            try:
                found = obstore.get(self.bucket.connect(), self._key(file))
                return SmallFile(bytes(found.bytes()).decode(), self._require_stamp(found.meta["e_tag"]))
            except FileNotFoundError as error:
                self._require_bucket(error)
                return None

    def find_stamp(self, file: str) -> Stamp | None:
        """Return the e-tag of a small file, see ``StoreFolder``."""
        import obstore

        with self._translate_errors():
            try:
                return self._require_stamp(obstore.head(self.bucket.connect(), self._key(file))["e_tag"])
            except FileNotFoundError as error:
                self._require_bucket(error)
                return None

    def replace(self, file: str, text: str) -> None:
        """Write a small file; an object is there as a whole or not at all."""
        import obstore

        with self._translate_errors():
            obstore.put(self.bucket.connect(), self._key(file), text.encode())

    def exchange(self, file: str, text: str, stamp: Stamp | None) -> Stamp:
        """Replace a file that still has ``stamp``, see ``StoreFolder``."""
        fresh = self.try_exchange(file, text, stamp)
        if fresh is None:
            raise stale_write(file)
        return fresh

    def try_exchange(self, file: str, text: str, stamp: Stamp | None) -> Stamp | None:
        """Return the new stamp of a file; None, and nothing was written, when it has another one than ``stamp``."""
        with self._translate_errors():
            return self._put(file, text, stamp)

    def _put(self, file: str, text: str, stamp: Stamp | None) -> Stamp | None:
        """Write an object on the condition that it has the e-tag ``stamp``, or is not there; None when it is not so."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Literal["create"] | dict[str, str] = "create" if stamp is None else {"e_tag": stamp}
        key = self._key(file)
        try:
            done = obstore.put(self.bucket.connect(), key, text.encode(), mode=mode, use_multipart=False)  # type: ignore[arg-type]
        except (AlreadyExistsError, PreconditionError) as error:
            self._require_bucket(error)
            held = self.read(file)  # the answer to a write that was done may be lost, and the write tried again
            return held.stamp if held is not None and held.text == text and stamp != held.stamp else None
        return self._require_stamp(done["e_tag"])

    def _require_stamp(self, stamp: str | None) -> Stamp:
        if stamp is None:
            raise self._refuse()
        return stamp

    def remove(self) -> None:
        """Remove all objects in it; what cannot be removed stays for the next time."""
        try:
            self._delete([key for key, _ in self._list()])
        except RomaError as error:
            _log.warning("store_remove_failed", store=self.uri, error=error.message)

    def _delete(self, keys: list[str]) -> None:
        import obstore

        with self._translate_errors():
            if keys:
                obstore.delete(self.bucket.connect(), keys)

    def list_files(self) -> dict[str, int]:
        """Return the bytes of all objects in it by their path, see ``StoreFolder``."""
        found = {key.removeprefix(f"{self.path}/"): size for key, size in self._list()}
        return {name: size for name, size in sorted(found.items()) if not PurePosixPath(name).name.startswith(".")}

    def fetch(self, file: str, target: Path) -> None:
        """Download an object, see ``StoreFolder``."""
        import obstore

        target.parent.mkdir(parents=True, exist_ok=True)
        with self._translate_errors():
            try:
                found = obstore.get(self.bucket.connect(), self._key(file))
            except FileNotFoundError as error:
                self._require_bucket(error)
                missing = error
            else:
                with target.open("wb") as stream:
                    for block in found.stream(min_chunk_size=BLOCK_BYTES):
                        stream.write(block)
                return
        raise FileNotFoundError(file) from missing

    def send(self, source: Path, file: str) -> None:
        """Upload ``source``, see ``StoreFolder``."""
        import obstore

        with self._translate_errors():
            obstore.put(self.bucket.connect(), self._key(file), source)

    def measure(self, *, in_blocks: bool = False) -> int:
        """Return the bytes of all objects in it."""
        return sum(size for _, size in self._list())

    def count_files(self, folder: str) -> int:
        """Return the number of objects below the folder ``folder`` of it."""
        return sum(1 for _ in self.child(folder)._list())

    def _list(self) -> Iterator[tuple[str, int]]:
        """Yield the keys of all objects in it, and their sizes in bytes."""
        import obstore

        with self._translate_errors():
            for block in obstore.list(self.bucket.connect(), self.path or None):
                for found in block:
                    yield found["path"], found["size"]

    def find_free_bytes(self) -> int | None:
        """Return None: a bucket has no bound."""
        return None

    def lock(self, name: str, timeout_s: float) -> AbstractAsyncContextManager[None]:
        """Return a lock whose holder renews it, see ``StoreFolder``."""
        return BucketLease(self, name, timeout_s, self._times)

    def make_gate(self) -> VersionGate:
        """Return a gate that sees the readers of this process."""
        return BucketGate()

    def explain(self, error: Exception) -> RomaError | None:
        """Return an error of the object store as one of ROMA's; None for one that says nothing of it."""
        text = str(error).lower()
        status = int(match[1]) if (match := _STATUS.search(text)) else 0
        kept = {"store": self.uri, "exception": type(error).__name__} | ({"status": status} if status else {})
        if "nosuchbucket" in text:
            return ConfigError(
                f"There is no bucket {self.bucket.name!r}: make it, or mend ROMA_STORE_URL.", details=kept
            )
        if any(sign in text for sign in _METADATA_SERVICE):
            return ConfigError(
                f"There are no keys for {self.uri}: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give this "
                "machine a role.",
                details=kept,
            )
        if status in {401, 403} or type(error).__name__ in {"PermissionDeniedError", "UnauthenticatedError"}:
            return ConfigError(
                f"The object store refuses the keys for {self.uri}: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
                "and that they may list, read, write and delete there.",
                details=kept,
            )
        if any(sign in text for sign in _UNREACHABLE):
            return StoreError(
                f"The object store of {self.uri} cannot be reached at {self.bucket.address}: check ROMA_STORE_ENDPOINT "
                "and the network, and ask again.",
                details=kept,
            )
        if status >= 500 or status == 429:
            return StoreError(
                f"The object store of {self.uri} answers with an error ({status}); ask again later.", details=kept
            )
        return None

    def _require_bucket(self, error: Exception) -> None:
        """Raise ``ConfigError`` for an object that is missing with its bucket."""
        if "nosuchbucket" in str(error).lower():
            raise error

    @contextmanager
    def _translate_errors(self) -> Iterator[None]:
        from obstore.exceptions import BaseError

        try:
            yield
        except RomaError:
            raise
        except (BaseError, OSError) as error:
            explained = self.explain(error)
            if explained is None:
                name = type(error).__name__
                explained = StoreError(
                    f"The object store of {self.uri} could not be read or written ({name}); ask again.",
                    details={"store": self.uri, "exception": name},
                )
            raise explained from error


_probed: set[Bucket] = set()
_probing = threading.Lock()


class BucketGate:
    """Readers of this process are counted; those of others have ended after ``OTHERS_READ_S``."""

    def __init__(self) -> None:
        self._readers = 0
        self._counting = threading.Lock()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Count as a reader inside the block."""
        with self._counting:
            self._readers += 1
        try:
            yield
        finally:
            with self._counting:
                self._readers -= 1

    def is_quiet(self) -> bool:
        """Return whether this process reads nothing at this moment."""
        return self._readers == 0

    async def wait_until_quiet(self, *, is_urgent: bool) -> bool:
        """Wait for the readers of other processes, where that is urgent; else their versions stay for a while."""
        if not is_urgent:
            return False
        ends_at = time.monotonic() + OTHERS_READ_S
        was_quiet = self.is_quiet()
        while time.monotonic() < ends_at:
            await asyncio.sleep(QUIET_LOOK_S)
            was_quiet = was_quiet or self.is_quiet()
        return was_quiet


def _read_holder(text: str) -> str:
    """Return who holds a lock; empty for one that is free. What cannot be read counts as held, until it is too old."""
    try:
        return str(json.loads(text)["holder"])
    except (ValueError, TypeError, KeyError):
        return "unknown"


class BucketLease:
    """Exclusive right to write on an object store: an object that names its holder, and is exchanged to renew it.

    A holder that could not renew it for ``lost_s`` is stopped inside the block, with ``StoreError`` (locked), before
    others take it. One that was killed keeps others waiting for ``taken_s``. No two clocks are compared.
    """

    def __init__(self, folder: BucketFolder, name: str, timeout_s: float, times: LeaseTimes) -> None:
        self._folder = folder
        self._name = name
        self._timeout_s = timeout_s
        self._times = times
        self._holder = uuid.uuid4().hex
        self._beat = 0
        self._stamp: Stamp = ""
        self._released = asyncio.Event()

    async def __aenter__(self) -> None:
        deadline = time.monotonic() + self._timeout_s
        seen: Stamp | None = None
        unchanged_s = 0.0
        looked_at = time.monotonic()
        while True:
            held = await asyncio.to_thread(self._folder.read, self._name)
            since_look_s, looked_at = time.monotonic() - looked_at, time.monotonic()
            if held is not None and held.stamp == seen:
                unchanged_s += min(since_look_s, self._times.renew_s)
            else:
                seen, unchanged_s = (None if held is None else held.stamp), 0.0
            if held is None or not _read_holder(held.text) or unchanged_s >= self._times.taken_s:
                stamp = await asyncio.to_thread(
                    self._folder.try_exchange, self._name, self._write(), None if held is None else held.stamp
                )
                if stamp is not None:
                    break
            if time.monotonic() >= deadline:
                raise refuse_lease(self._timeout_s)
            await asyncio.sleep(min(self._times.poll_s, self._timeout_s))
        self._stamp = stamp
        self._expiry = asyncio.timeout(self._times.lost_s)
        await self._expiry.__aenter__()
        self._heart = asyncio.create_task(self._renew())

    def _write(self) -> str:
        self._beat += 1
        return json.dumps({"holder": self._holder, "beat": self._beat})

    async def _renew(self) -> None:
        """Renew the lock until it is released, or until another has it."""
        loop = asyncio.get_running_loop()
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._released.wait(), self._times.renew_s)
            if self._released.is_set():
                return
            asked_at = loop.time()
            try:
                stamp = await asyncio.to_thread(self._folder.try_exchange, self._name, self._write(), self._stamp)
            except RomaError as error:
                _log.warning("lease_not_renewed", store=self._folder.uri, error=error.message)
                continue
            if self._expiry.expired():
                return
            if stamp is None:
                self._expiry.reschedule(loop.time())
                return
            self._stamp = stamp
            self._expiry.reschedule(asked_at + self._times.lost_s)

    async def __aexit__(self, *error: Any) -> None:
        self._released.set()
        await self._heart
        free = json.dumps({"holder": "", "beat": 0})
        try:
            await asyncio.to_thread(self._folder.try_exchange, self._name, free, self._stamp)
        except RomaError as failure:
            _log.warning("lease_not_released", store=self._folder.uri, error=failure.message)
        try:
            await self._expiry.__aexit__(*error)
        except TimeoutError as lost:
            raise StoreError(
                f"The right to write to {self._folder.uri} was lost, since the object store could not be reached for "
                f"{self._times.lost_s:g} s; run this again.",
                ErrorCode.STORAGE_LOCKED,
            ) from lost

"""What every test gets: no network but loopback, a quiet offline environment, a workspace of its own."""

from __future__ import annotations

import gc
import importlib
import os
import shutil
import ssl
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test must fail at once, not after a download's retries
os.environ.setdefault("MPLBACKEND", "agg")

import roma_core  # noqa: F401  (sets the quiet switches before anything else is imported)
from bench.small_model import find_missing, serve_small_model
from tests.fakes.certificate import write_authority
from tests.postgres import run_postgres
from tests.redis_server import running_redis
from tests.s3 import run_s3, set_keys
from tests.sizes import IS_WHOLE, examples

# A first example pays for imports; time is not tested. New examples are drawn in the soak alone: elsewhere a run that
# passed passes again.
hypothesis.settings.register_profile(
    "roma", deadline=None, max_examples=examples(25, whole=100), derandomize=not IS_WHOLE
)
hypothesis.settings.load_profile("roma")

MEMORY = Path("/dev/shm")
"""Pytest makes a folder of its own there, which its user alone can read."""
MEMORY_FREE_BYTES = 6 << 30


def find_memory_folder() -> Path | None:
    """Return a folder in memory that has room for the files of a run and may hold programs, or None."""
    if not MEMORY.is_dir() or not os.access(MEMORY, os.W_OK):
        return None
    if os.statvfs(MEMORY).f_flag & os.ST_NOEXEC:
        return None
    return MEMORY if shutil.disk_usage(MEMORY).free >= MEMORY_FREE_BYTES else None


if folder := find_memory_folder():
    # A workspace is half a dozen databases, and a commit waits for the disk: most of what a small test takes.
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(folder))

KEYS = ("LLM_", "ROMA_", "OPENAI_", "ANTHROPIC_", "GOOGLE_APPLICATION_", "AWS_")


def pytest_collection_finish() -> None:
    """Leave what was imported out of the garbage collector's rounds: it stays until the end."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    from pytest_socket import socket_allow_hosts

    socket_allow_hosts(["127.0.0.1", "localhost", "::1"], allow_unix_socket=True)


@pytest.fixture(scope="session", autouse=True)
def _shared_parser_processes() -> Iterator[None]:
    """Give every ROMA of the run the same parser processes; tests of the sandbox start their own."""
    from tests.fakes.sandbox import SharedSandbox, close_pools

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("roma_core.parsers.service.ProcessSandbox", SharedSandbox)
        yield
    close_pools()


@pytest.fixture(scope="session", autouse=True)
def _one_authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let clients trust one authority in place of the system's hundreds: each client reads them, and none meets one."""
    file = str(tmp_path_factory.mktemp("authority") / "authority.pem")
    write_authority(Path(file))
    paths = ssl.get_default_verify_paths()._replace(openssl_cafile=file, openssl_capath="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", file)
        patch.delenv("SSL_CERT_DIR", raising=False)
        patch.setattr("certifi.where", lambda: file)
        patch.setattr(ssl, "get_default_verify_paths", lambda: paths)
        yield


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[None]:
    """The developer's own settings and keys must not reach a test (integration tests read them on purpose)."""
    if "integration_keys" not in request.fixturenames:
        for name in [n for n in os.environ if n.startswith(KEYS) and n != "ROMA_SHARED"]:
            monkeypatch.delenv(name)
    yield


@pytest.fixture(autouse=True)
def _patient_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part is not down because a busy machine lets it answer late."""
    monkeypatch.setattr("roma_core.telemetry.health.COLD_TIMEOUT_S", 120.0)
    monkeypatch.setattr("roma_core.telemetry.health.PROBE_TIMEOUT_S", 60.0)
    monkeypatch.setattr("roma_core.telemetry.health.ANSWER_S", 30.0)


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty workspace; the working directory is its parent, so that no ``.env`` is read by chance."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / ".roma"


def shared_folder(name: str) -> Path:
    """A folder of third-party material beside the checkout, or skip. Read it in place, copy nothing."""
    root = Path(os.environ.get("ROMA_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    folder = root / name
    if not folder.is_dir():
        pytest.skip(f"third-party material {name!r} is not beside this checkout (ROMA_SHARED names another place)")
    return folder


@pytest.fixture(scope="session")
def shared_root() -> Path:
    """The folder of third-party material, or skip: for fixtures that are made once."""
    return shared_folder("data").parent


@pytest.fixture
def shared_dir() -> object:
    """``shared_dir("docs-dev")`` is the folder, or the test is skipped with a reason."""
    return shared_folder


@pytest.fixture
def install_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """``install_plugin(group, distribution, module, source, **entry_points)`` installs a package."""
    from roma_core.plugins import forget_specs
    from tests.fakes.packages import declare_package

    folder = tmp_path / "site-packages"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    modules: list[str] = []

    def write(group: str, distribution: str, module: str, source: str, **entry_points: str) -> None:
        (folder / f"{module}.py").write_text(source)
        declare_package(folder, distribution, "1.0", {group: entry_points})
        importlib.invalidate_caches()
        modules.append(module)
        forget_specs()

    yield write
    for module in modules:
        sys.modules.pop(module, None)
    forget_specs()


@pytest.fixture(scope="session")
def local_llm() -> Iterator[str]:
    """Root address of a llama.cpp server with SmolLM2-135M: a real model, whose words mean nothing."""
    if missing := find_missing():
        pytest.skip(f"not installed: {missing}; the extra 'dev' brings it")
    with serve_small_model() as address:
        yield address


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """Address of an object store that keeps the conditions of writes."""
    with run_s3() as endpoint:
        yield endpoint


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of an object store for which this process has keys."""
    set_keys(monkeypatch)
    return s3_server


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL; tests that need one are skipped where there is none."""
    with run_postgres() as url:
        yield url


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a Redis; tests that need one are skipped where there is none."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def postgres_url(postgres: str) -> Iterator[str]:
    """A schema of its own in PostgreSQL, which goes when the test ends."""
    if not postgres:
        pytest.skip("there is no PostgreSQL here, and ROMA_TEST_POSTGRES_URL names none")
    import sqlalchemy

    schema = f"roma_test_{uuid.uuid4().hex}"
    engine = sqlalchemy.create_engine(postgres)
    with engine.begin() as db:
        db.execute(sqlalchemy.text(f"CREATE SCHEMA {schema}"))
    yield f"{postgres}?options=-csearch_path%3D{schema}"
    with engine.begin() as db:
        db.execute(sqlalchemy.text(f"DROP SCHEMA {schema} CASCADE"))
    engine.dispose()


@pytest.fixture
def plain_url(postgres_url: str) -> Iterator[str]:
    """The address for a role without privileges, as a service has one: superusers are exempt from policies."""
    from sqlalchemy import create_engine, text

    role = f"roma_{uuid.uuid4().hex}"
    engine = create_engine(postgres_url)
    with engine.begin() as db:
        schema = db.execute(text("SELECT current_schema()")).scalar()
        db.execute(text(f"CREATE ROLE {role} LOGIN"))
        db.execute(text(f"GRANT CREATE, USAGE ON SCHEMA {schema} TO {role}"))
    yield engine.url.set(username=role).render_as_string(hide_password=False)
    with engine.begin() as db:
        db.execute(text(f"DROP OWNED BY {role}"))
        db.execute(text(f"DROP ROLE {role}"))
    engine.dispose()

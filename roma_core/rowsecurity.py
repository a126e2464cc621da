"""A database server that hosts share, and row-level security in it: PostgreSQL shows a transaction its tenant alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from roma_core.errors import ConfigError, ErrorCode

if TYPE_CHECKING:
    from alembic.operations import Operations
    from sqlalchemy import Connection

TENANT: Final = "roma.tenant"
EVERY_TENANT: Final = "roma.every_tenant"
"""Settings of a transaction in PostgreSQL: the tenant whose rows it sees, and ``on`` for work on all of them."""
MIGRATION_LOCK: Final = 0x726F6D61
"""Key of the lock under which PostgreSQL's tables are changed: any number that others are unlikely to use."""


def isolate_tenants(op: Operations, tables: Sequence[str]) -> None:
    """Let PostgreSQL itself show each transaction the rows of its own tenant alone, and take no others.

    A statement that forgets its condition then finds nothing of anybody else. Forced, so that the policy holds for the
    owner of the tables too; superusers are exempt from all policies.
    """
    db = op.get_bind()
    if db.dialect.name != "postgresql":
        return
    for table in tables:
        db.exec_driver_sql(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        db.exec_driver_sql(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        db.exec_driver_sql(
            f"CREATE POLICY roma_tenant ON {table} USING "
            f"(tenant = current_setting('{TENANT}', true) OR current_setting('{EVERY_TENANT}', true) = 'on')"
        )


def enter_tenant(connection: Connection, tenant: str | None) -> None:
    """Show the rest of a transaction the rows of ``tenant`` alone, where the database can see to that; None: all."""
    from sqlalchemy import func, select

    if connection.dialect.name != "postgresql":
        return
    setting = (EVERY_TENANT, "on") if tenant is None else (TENANT, tenant)
    connection.execute(select(func.set_config(*setting, True)))


def is_exempt_from_policies(connection: Connection) -> bool:
    """Return whether PostgreSQL applies no policy to the role of a connection: a superuser, or one that may pass by."""
    from sqlalchemy import text

    if connection.dialect.name != "postgresql":
        return False
    exempt = text("SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
    return bool(connection.execute(exempt).scalar())


def lock_migrations(connection: Connection) -> None:
    """Wait for others who change tables: PostgreSQL's ``IF NOT EXISTS`` fails when two make the same one."""
    from sqlalchemy import func, select

    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(MIGRATION_LOCK)))


@contextmanager
def translate_address_errors() -> Iterator[None]:
    """Raise ``ConfigError`` for an address that cannot be read, and for a driver that is not installed."""
    from sqlalchemy.exc import ArgumentError

    try:
        yield
    except ArgumentError:
        raise ConfigError("ROMA_DATABASE_URL is no SQLAlchemy URL like postgresql+psycopg://user@host/db.") from None
    except ModuleNotFoundError as missing:
        package = "roma-core[postgres]" if missing.name == "psycopg" else missing.name
        raise ConfigError(
            f"ROMA_DATABASE_URL needs a driver that is not installed: pip install '{package}'.",
            ErrorCode.DEPENDENCY_MISSING,
            details={"module": missing.name or ""},
        ) from None

"""Databases: tables, queries, whole tables, and what must never be said of them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from roma_core.connectors.base import Listing
from roma_core.connectors.sql import SqlConnector
from roma_core.errors import AgentFailure, ErrorCode
from roma_core.settings import Settings
from roma_core.types import RawDocument, Source


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE parts (maker TEXT, number INTEGER, name TEXT, notes TEXT, PRIMARY KEY (maker, number))"
        )
        db.execute("INSERT INTO parts VALUES ('a/b', 1, 'Bolt', 'first\nsecond'), ('c', 2, 'Nut', NULL)")
        db.execute("CREATE TABLE plain (x TEXT)")
    db.close()
    return path


@pytest.fixture
async def connector(database: Path, tmp_path: Path) -> AsyncIterator[SqlConnector]:
    urls = {"shop": f"sqlite:///{database}", "far": "postgresql+nodriver://u:s3cret@h/db", "odd": "no url"}
    made = SqlConnector(Settings(workspace=tmp_path / "ws", sql_urls=json.dumps(urls)))
    yield made
    await made.close()


async def look(connector: SqlConnector, uri: str, **options: Any) -> list[Any]:
    return [item async for item in connector.list(Source(uri=uri, kind="sql", options=options))]


async def test_rows_are_known_by_their_whole_key(connector: SqlConnector) -> None:
    items = await look(connector, "sql://shop/parts")
    assert [item.uri for item in items] == ["sql://shop/parts#a%2Fb/1", "sql://shop/parts#c/2"]
    raw = await connector.fetch(Source(uri="sql://shop/parts", kind="sql"), Listing(uri=items[0].uri))
    assert isinstance(raw, RawDocument)
    assert (
        raw.data.decode()
        == "# Bolt\n\n**maker**: a/b\n\n**number**: 1\n\n**name**: Bolt\n\n## notes\n\nfirst\nsecond\n"
    )
    assert raw.metadata["row"]["number"] == 1


async def test_a_query_gives_rows_by_their_first_column(connector: SqlConnector) -> None:
    query = "SELECT name, notes FROM parts WHERE maker <> ':x' ORDER BY number;"
    assert [item.uri for item in await look(connector, "sql://shop/all", query=query)] == [
        "sql://shop/all#Bolt",
        "sql://shop/all#Nut",
    ]
    (*_, failure) = await look(connector, "sql://shop/all", query="SELECT 1 AS a UNION ALL SELECT 1")
    assert isinstance(failure, AgentFailure) and "first column" in failure.message


async def test_a_whole_table_is_one_document(connector: SqlConnector) -> None:
    (item,) = await look(connector, "sql://shop/plain?as=table")
    raw = await connector.fetch(Source(uri="sql://shop/plain?as=table", kind="sql"), item)
    assert isinstance(raw, RawDocument) and raw.media_type == "text/csv; charset=utf-8"


@pytest.mark.parametrize(
    "query", ["DELETE FROM parts", "SELECT 1; DELETE FROM parts", "PRAGMA writable_schema=1", "  ; drop table parts"]
)
async def test_a_statement_that_does_not_read_is_refused(connector: SqlConnector, query: str) -> None:
    (failure,) = await look(connector, "sql://shop/x", query=query)
    assert isinstance(failure, AgentFailure) and failure.code is ErrorCode.INPUT_INVALID


@pytest.mark.parametrize(
    ("uri", "code"),
    [
        ("sql://shop/absent", ErrorCode.CONNECTOR_NOT_FOUND),
        ("sql://other/parts", ErrorCode.CONNECTOR_NOT_FOUND),
        ("sql://shop/plain", ErrorCode.CONNECTOR_UNSUPPORTED),
        ("sql://shop", ErrorCode.INPUT_INVALID),
        ("sql://shop/parts?as=list", ErrorCode.INPUT_INVALID),
        ("sql://far/parts", ErrorCode.CONFIG_INVALID),
        ("sql://odd/parts", ErrorCode.CONFIG_INVALID),
    ],
)
async def test_what_cannot_be_read_says_why_without_the_address_of_the_database(
    connector: SqlConnector, uri: str, code: ErrorCode
) -> None:
    (failure,) = await look(connector, uri)
    assert isinstance(failure, AgentFailure)
    assert failure.code is code
    assert "s3cret" not in failure.model_dump_json()

"""Listed = added + updated + unchanged + skipped + failed, whatever goes wrong, and a run without faults mends it."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from roma_core.errors import ConnectorError, EmbeddingError, ErrorCode, ParserError, RomaError, StoreError
from roma_core.ingestion import IngestionService
from roma_core.types import IngestionReport
from tests.fakes.ingest import FULL, FaultyStore, Shop, table
from tests.sizes import examples

SOURCE = "fake://s/"
GOOD = [f"Text {n} about harbours and ships. " * n for n in range(1, 5)]
content = st.one_of(
    st.sampled_from(GOOD),
    st.just("BAD"),
    st.just("NOVECTOR"),
    st.just("NOSTORE"),
    st.just(" "),
    st.sampled_from([ConnectorError("away"), ConnectorError("no", ErrorCode.CONNECTOR_PERMISSION), StoreError("x")]),
)
names = st.integers(0, 12).map(lambda n: f"{SOURCE}{n:02}")
corpus = st.dictionaries(names, content, min_size=1, max_size=13)
faults = st.lists(
    st.tuples(
        st.sampled_from(["put", "delete", "optimize", "embed", "record", "admit", "parse", "list"]), st.integers(1, 8)
    ),
    max_size=3,
)


def fail_nth(owner: Any, name: str, nth: int, error: Exception, *, sync: bool = False) -> None:
    """The ``nth`` call of a method raises once, the others go through."""
    original, calls = getattr(owner, name), 0

    def blow() -> None:
        nonlocal calls
        calls += 1
        if calls == nth:
            raise error

    async def later(*args: Any, **options: Any) -> Any:
        blow()
        return await original(*args, **options)

    def now(*args: Any, **options: Any) -> Any:
        blow()
        return original(*args, **options)

    setattr(owner, name, now if sync else later)


def inject(shop: Shop, service: IngestionService, faults: list[tuple[str, int]]) -> None:
    ledger = service.parts.ledger
    for where, nth in faults:
        error: RomaError = StoreError("broken") if nth % 2 else FULL
        if where in {"put", "delete", "optimize"}:
            fail_nth(shop.store, {"put": "put_many"}.get(where, where), nth, error)
        elif where == "embed":
            fail_nth(shop.embedder, "embed", nth, EmbeddingError("broken"))
        elif where == "parse":
            fail_nth(shop.parsers, "parse", nth, ParserError("broken", ErrorCode.PARSER_TIMEOUT))
        elif where == "list":
            shop.connector.list_error, shop.connector.list_error_after = ConnectorError("broken"), nth
        else:
            fail_nth(ledger, where, nth, error, sync=True)


async def ingest(shop: Shop, faults: list[tuple[str, int]] | None = None) -> IngestionReport:
    service = shop.service()
    inject(shop, service, faults or [])
    report = await service.ingest([SOURCE])
    await service.close()
    return report


def mend(shop: Shop) -> None:
    """Forget the wrappers of the last run's faults."""
    shop.connector.list_error = None
    for owner in (shop.store, shop.embedder, shop.parsers):
        for name in ("put_many", "delete", "optimize", "embed", "parse"):
            vars(owner).pop(name, None)


@pytest.mark.slow
@settings(max_examples=examples(12, whole=40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(corpus, st.sets(names, max_size=3), faults), min_size=1, max_size=3))
def test_every_listed_item_has_one_state_under_every_fault(steps: list[Any]) -> None:
    note(repr(steps))

    async def run(folder: Path) -> None:
        shop = Shop(folder)
        for items, skips, injected in steps:
            shop.connector.items = dict(items)
            shop.connector.skips = dict.fromkeys(skips, "not wanted")
            report = await ingest(shop, injected)
            counts = report.counts()
            note(repr(report))
            listed = {*items, *skips}
            if shop.connector.list_error is None:
                assert {i.uri for i in report.items if i.state != "deleted"} == listed
            assert len({i.uri for i in report.items}) == len(report.items) == sum(counts.values())
            assert not {i.uri for i in report.items if i.state == "deleted"} & listed
            assert all(i.reason and i.code for i in report.items if i.state == "failed")
            mend(shop)
        await settle(shop, folder)

    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder)))


async def settle(shop: Shop, folder: Path) -> None:
    """After all faults, one clean run gives the table of a run that never saw one."""
    shop.connector.items = {u: c for u, c in shop.connector.items.items() if c in GOOD} or {SOURCE: "a"}
    shop.connector.skips = {}
    await ingest(shop)
    clean = Shop(folder / "clean", connector=shop.connector, store=FaultyStore())
    await ingest(clean)
    assert await table(shop.store) == await table(clean.store)
    again = await ingest(shop)
    assert set(again.counts()) - {s for s, n in again.counts().items() if not n} <= {"unchanged", "failed"}


@pytest.mark.parametrize("where", ["put", "embed", "record", "admit", "parse"])
async def test_the_nth_call_fails_for_every_n(tmp_path: Path, where: str) -> None:
    """Until the run no longer meets the fault; each time, a second run ends as an undisturbed one."""
    shop = Shop(tmp_path / "clean")
    shop.connector.items = {f"{SOURCE}{n}": text for n, text in enumerate(GOOD)}
    await ingest(shop)
    expected = await table(shop.store)
    for nth in range(1, 9):
        hit = Shop(tmp_path / f"{where}{nth}", connector=shop.connector)
        report = await ingest(hit, [(where, nth)])
        assert sum(report.counts().values()) == len(GOOD)
        mend(hit)
        assert (await ingest(hit)).counts()["failed"] == 0
        assert await table(hit.store) == expected

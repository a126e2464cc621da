"""Versions of the table of passages, and the steps from one to the next.

The table says in the metadata of its key column which version it has, so that a version of the table that is restored
brings its number along. A new table is made at the version of today (``rows.schema``). An older one is brought up to
date when it is opened: under the writers' lease, after a tag that keeps its present state, one step after the other.

To change the columns, change ``rows.schema``, add a step here, and test it with a table of the version before. A
process may be killed before the version is noted, so the step is taken again then: ``add_columns`` below adds what is
missing and leaves the rest.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, cast

from roma_core import __version__
from roma_core.errors import ErrorCode, StoreError
from roma_core.facts import detect_passage_language, read_facts
from roma_core.store.lexical import JOINED, STOP_WORDS, TOKENIZER, make_search_text
from roma_core.telemetry import logs
from roma_core.types import DEFAULT_COLLECTION, Document, DocumentFacts

FIRST_VERSION = 1
"""Of tables that do not say which version they have."""
_KEY = "key"
_FIELD = "roma:schema"
_log = logs.get("store")

TableStep = Callable[[Any], Awaitable[None]]
"""A change of a LanceDB table."""


def text_index(tokenizer: str = TOKENIZER) -> Any:
    """Return LanceDB's configuration of the full-text index."""
    from lancedb.index import FTS

    return FTS(base_tokenizer=cast(Any, tokenizer), with_position=False, custom_stop_words=list(STOP_WORDS))


async def _cut_words_by_icu(table: Any) -> None:
    """Build the full-text index again: words of scripts without spaces were found nowhere.

    The new index keeps ``user_name`` whole, so its parts are added to the text that is searched.
    """
    joined = f"regexp_replace(search_text, '{JOINED}', '\\1', 'g')"
    parts = f"regexp_replace({joined}, '[._]+', ' ', 'g')"
    await table.update(updates_sql={"search_text": f"concat(search_text, ' ', {parts})"}, where=_HAS_JOINED)
    await table.create_index("search_text", config=text_index(), replace=True)


async def _add_facts(table: Any) -> None:
    """Add author, date, type, language, section, source and collection, read from the stored documents.

    Words by which passages of other languages than English are found are indexed with them. It takes several commits;
    taken again after a kill, it fills in every row again.
    """
    from roma_core.store.rows import DERIVED_FIELDS, FACT_FIELDS

    defaults = dict.fromkeys((*FACT_FIELDS, *DERIVED_FIELDS), "''") | {"collection": f"'{DEFAULT_COLLECTION}'"}
    await add_columns(table, defaults)
    ids = (await table.query().where("kind = 'document'").select(["key"]).to_arrow()).column("key").to_pylist()
    for at in range(0, len(ids), DOCUMENTS_AT_ONCE):
        await _fill_in_facts(table, ids[at : at + DOCUMENTS_AT_ONCE])
    await table.create_index("search_text", config=text_index(), replace=True)


async def _index_words_of_other_lists(table: Any) -> None:
    """Build the full-text index again: words that are stop words of some language were found nowhere."""
    await table.create_index("search_text", config=text_index(), replace=True)


async def _fill_in_facts(table: Any, keys: Sequence[str]) -> None:
    """Write the facts of some documents, given by their keys, and of their passages."""
    import pyarrow as pa
    from lancedb.expr import col, lit

    from roma_core.store import rows

    chosen = col("key").isin([lit(key) for key in keys])
    documents = await table.query().where(chosen).select(["key", "tenant", "payload"]).to_arrow()
    facts: dict[tuple[str, str], DocumentFacts] = {}
    updates: list[dict[str, str | None]] = []
    for row in documents.to_pylist():
        document = Document.model_validate_json(row["payload"])
        facts[row["tenant"], document.id] = own = read_facts(document)
        updates.append({"key": row["key"], "search_text": None, **rows.fact_columns(document.uri, own)})
    ids = sorted({document_id for _, document_id in facts})
    of_documents = (col("kind") == lit("chunk")) & col("document_id").isin([lit(id_) for id_ in ids])
    columns = ["key", "tenant", "document_id", "uri", "text", "context", "headings"]
    for row in (await table.query().where(of_documents).select(columns).to_arrow()).to_pylist():
        owner = facts.get((row["tenant"], row["document_id"]))
        if owner is None:  # the same document of another tenant, whose turn comes
            continue
        language = detect_passage_language(row["text"], owner.language)
        own = owner.model_copy(update={"language": language})
        indexed = f"{row['context']}\n{row['text']}" if row["context"] else row["text"]
        added = rows.fact_columns(row["uri"], own, row["headings"])
        updates.append({"key": row["key"], "search_text": make_search_text(indexed, language), **added})
    names = [name for name in updates[0] if name != "key"]
    layout = pa.schema([(await table.schema()).field(_KEY), *(pa.field(name, pa.string()) for name in names)])
    fresh = pa.Table.from_pylist(updates, schema=layout)
    await table.merge_insert(_KEY).when_matched_update_all().use_index(False).execute(fresh)


DOCUMENTS_AT_ONCE = 256
"""Documents whose texts are in memory at the same time."""
_HAS_JOINED = "kind = 'chunk' AND regexp_like(search_text, '[A-Za-z][._][A-Za-z]')"
STEPS: tuple[TableStep, ...] = (_cut_words_by_icu, _add_facts, _index_words_of_other_lists)
"""The step at index N leads to version N + 2."""


class TableVersion(NamedTuple):
    """The version of a table's columns, and the ROMA that made them."""

    number: int
    roma: str


def current_version() -> int:
    """Return the version that this ROMA makes and reads."""
    return FIRST_VERSION + len(STEPS)


def version_metadata(number: int | None = None) -> dict[str, str]:
    """Return the key column's metadata for version ``number``, by default the current one."""
    version = TableVersion(current_version() if number is None else number, __version__)
    return {_FIELD: json.dumps(version._asdict())}


async def read_version(table: Any) -> TableVersion:
    """Return the version of a table's columns."""
    metadata = (await table.schema()).field(_KEY).metadata or {}
    noted = metadata.get(_FIELD.encode())
    return TableVersion(**json.loads(noted)) if noted else TableVersion(FIRST_VERSION, "0.1.0")


async def is_current(table: Any) -> bool:
    """Return whether a table has the current version. Raises ``StoreError`` for a newer one."""
    stored = await read_version(table)
    if stored.number > current_version():
        raise StoreError(
            f"The store was changed by ROMA {stored.roma} (columns of version {stored.number}) and this is ROMA "
            f"{__version__}, which knows version {current_version()}: use ROMA {stored.roma} or newer.",
            ErrorCode.STORAGE_NEWER,
            details={"version": stored.number, "known_version": current_version(), "needs_roma": stored.roma},
        )
    return stored.number == current_version()


async def bring_up_to_date(table: Any) -> None:
    """Take the steps that a table lacks. The caller holds the writers' lease.

    The state of before is kept under the tag ``schema-<version>-at-<table version>``.
    """
    await table.checkout_latest()
    if await is_current(table):
        return
    stored = await read_version(table)
    state = await table.version()
    tag = f"schema-{stored.number}-at-{state}"
    await table.tags.create(tag, state)
    for number in range(stored.number + 1, current_version() + 1):
        await STEPS[number - FIRST_VERSION - 1](table)
        await table.update_field_metadata({"path": _KEY, "metadata": version_metadata(number)})
    _log.info("store_migrated", from_version=stored.number, to_version=current_version(), backup=tag)


async def add_columns(table: Any, columns: Mapping[str, str]) -> None:
    """Add the columns that a table lacks; each is given as an SQL expression of its value.

    Example::

        await add_columns(table, {"language": "'en'"})
    """
    present: Sequence[str] = (await table.schema()).names
    missing = {name: value for name, value in columns.items() if name not in present}
    if missing:
        await table.add_columns(missing)

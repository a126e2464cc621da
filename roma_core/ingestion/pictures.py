"""Pictures of documents as a model sees them: their vectors and labels, found by what is looked for.

The pictures are taken out and drawn in the sandbox; the model runs in ROMA's own process. What it makes of a picture is
kept by the picture's hash. A picture that cannot be read is a line in the document's ``left_out``, never a failure. The
model is part of what items are made with, so that another one sees the pictures of all of them again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol
from urllib.parse import unquote

from roma_core.cache import Cache
from roma_core.database import Database, Schema
from roma_core.embeddings.images import ImageEmbedder, PictureFeatures
from roma_core.errors import AgentFailure, ErrorCode, guarded
from roma_core.parsers import media
from roma_core.parsers.base import ParseOptions
from roma_core.parsers.builder import DocumentBuilder
from roma_core.parsers.figures import Figure
from roma_core.types import Document, LeftOut, RawDocument, digest

if TYPE_CHECKING:
    from roma_core.types import Vector

AGENT: Final = "pictures"
IMAGE_PARSER: Final = "image/"
"""Begin of the identity of the parser of pictures."""
BATCH: Final = 16
MADE_BY: Final = "Machine-made labels: "
LEAST_NAMED: Final = 0.1
"""Share from which a label is named in the text of a picture that has no words of its own."""
IMAGE_TYPES: Final = (media.PNG, media.JPEG, media.TIFF, media.WEBP)
PICTURES: Final = Schema(
    "pictures",
    "What a model sees in pictures",
    (
        """
        CREATE TABLE IF NOT EXISTS pictures (
            tenant TEXT NOT NULL, document_id TEXT NOT NULL, name TEXT NOT NULL, fingerprint TEXT NOT NULL,
            content_sha256 TEXT NOT NULL, labels TEXT NOT NULL, vector BLOB NOT NULL,
            PRIMARY KEY (tenant, document_id, name)) WITHOUT ROWID;
        """,
    ),
)


class PictureSource(Protocol):
    """The part of ``DolphinParserService`` that takes pictures out of files."""

    async def pictures_with_unreadable(
        self, raw: RawDocument, options: ParseOptions | None = None
    ) -> tuple[Figure, ...] | AgentFailure: ...

    async def page_image(self, raw: RawDocument, number: int) -> bytes | AgentFailure: ...


class SeenPicture(NamedTuple):
    """A picture that is like what was looked for: its document, its name there, how alike, and its labels."""

    document_id: str
    name: str
    content_sha256: str
    likeness: float
    """Cosine of the two vectors."""
    labels: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class PictureIndex:
    """Vectors and labels of the pictures of all documents, in a database of the workspace."""

    embedder: ImageEmbedder
    parsers: PictureSource
    cache: Cache
    database: Database

    @classmethod
    def at(cls, path: Path, embedder: ImageEmbedder, parsers: PictureSource, cache: Cache) -> PictureIndex:
        """Return the index in the file ``path``, which is made at the first use."""
        return cls(embedder, parsers, cache, Database(path, PICTURES))

    @property
    def tag(self) -> str:
        """Part of what items are made with. Raises ``EmbeddingError`` without the model."""
        return digest("pictures", "1", self.embedder.fingerprint)

    async def add(self, document: Document, raw: RawDocument, document_id: str, tenant: str) -> Document:
        """Return the document, its pictures seen; one that cannot be read is named in ``left_out``."""
        if not has_pictures(document):
            return document
        taken = await self._take_out(document, raw, tenant)
        if isinstance(taken, AgentFailure):
            return _warn(document, f"its pictures could not be taken out: {taken.message}")
        seen = await guarded(AGENT, self._see([figure.data for figure in taken]))
        if isinstance(seen, AgentFailure):
            return _warn(document, f"its pictures were not seen: {seen.message}")
        kept = {figure.name: features for figure, features in zip(taken, seen, strict=True) if features is not None}
        sha256 = await asyncio.to_thread(lambda: raw.sha256)
        await asyncio.to_thread(self._keep, tenant, document_id, sha256, kept)
        broken = [figure for figure, features in zip(taken, seen, strict=True) if features is None]
        lines = [
            LeftOut(text=figure.name, place=f"page {figure.page}" if figure.page else "", why="unreadable_picture")
            for figure in broken
        ]
        return document.model_copy(update={"left_out": (*document.left_out, *lines)})

    async def describe(self, raw: RawDocument, parser: str, tenant: str) -> Document | AgentFailure:
        """Return a document for a picture without words, whose text is the picture and what is recognised in it."""
        drawn = await self.parsers.page_image(raw, 1)
        if isinstance(drawn, AgentFailure):
            return drawn
        seen = await guarded(AGENT, self._see([drawn]))
        if isinstance(seen, AgentFailure):
            return seen
        if seen[0] is None:
            return AgentFailure(
                agent=AGENT, code=ErrorCode.PARSER_MALFORMED, message="The picture is damaged.", recoverable=False
            )
        named = [label for label, share in seen[0].labels if share >= LEAST_NAMED]
        kind = await asyncio.to_thread(media.detect, raw)
        name = raw.title or PurePosixPath(unquote(raw.uri)).name
        builder = DocumentBuilder(raw, ParseOptions(tenant=tenant), "image", kind)
        builder.page(1)
        builder.figure(MADE_BY + ", ".join(named) if named else "", raw.uri)
        update = {"parser": parser, "media_type": kind, "title": name}
        return builder.build().model_copy(update=update)

    async def find(self, text: str, tenant: str, *, limit: int) -> list[SeenPicture]:
        """Return the pictures that are most like ``text``, best first, ties by document and name."""
        rows = await asyncio.to_thread(self._read_rows, tenant)
        if not rows:
            return []
        wanted = await self.embedder.embed_words(text)
        return await asyncio.to_thread(_rank_rows, rows, wanted, limit)

    def forget(self, tenant: str, document_ids: Collection[str]) -> None:
        """Remove the pictures of documents."""
        with self.database.transaction() as db:
            db.executemany(
                "DELETE FROM pictures WHERE tenant = ? AND document_id = ?", [(tenant, id_) for id_ in document_ids]
            )

    def sweep(self, tenant: str, contents: Collection[str]) -> None:
        """Remove the pictures of documents that are not in ``contents``."""
        with self.database.snapshot() as db:
            known = db.execute("SELECT DISTINCT document_id FROM pictures WHERE tenant = ?", (tenant,)).fetchall()
        self.forget(tenant, [row[0] for row in known if row[0] not in contents])

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    async def _take_out(self, document: Document, raw: RawDocument, tenant: str) -> tuple[Figure, ...] | AgentFailure:
        """Return the pictures of a file, small, as PNG."""
        if document.media_type not in IMAGE_TYPES:
            return await self.parsers.pictures_with_unreadable(raw, ParseOptions(tenant=tenant))
        drawn = await self.parsers.page_image(raw, 1)
        if isinstance(drawn, AgentFailure):
            return drawn
        return (Figure(name=picture_name(document), data=drawn, page=1),)

    async def _see(self, pictures: Sequence[bytes]) -> list[PictureFeatures | None]:
        """Return the features of pictures; those of one that was seen before come from the cache."""
        fingerprint = await asyncio.to_thread(lambda: self.embedder.fingerprint)
        keys = [digest("picture", fingerprint, hashlib.sha256(data).hexdigest()) for data in pictures]
        held = await asyncio.to_thread(lambda: [self.cache.get("picture", key) for key in keys])
        seen = [_unpack(data) if data is not None else None for data in held]
        missing = [place for place, data in enumerate(held) if data is None and pictures[place]]
        for at in range(0, len(missing), BATCH):
            places = missing[at : at + BATCH]
            for place, features in zip(
                places, await self.embedder.embed_pictures([pictures[place] for place in places]), strict=True
            ):
                seen[place] = features
                if features is not None:
                    await asyncio.to_thread(self.cache.put, "picture", keys[place], _pack(features))
        return seen

    def _keep(self, tenant: str, document_id: str, sha256: str, seen: dict[str, PictureFeatures]) -> None:
        fingerprint = self.embedder.fingerprint
        rows = [
            (tenant, document_id, name, fingerprint, sha256, json.dumps(features.labels), _as_bytes(features.vector))
            for name, features in seen.items()
        ]
        with self.database.transaction() as db:
            db.execute("DELETE FROM pictures WHERE tenant = ? AND document_id = ?", (tenant, document_id))
            db.executemany("INSERT INTO pictures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _read_rows(self, tenant: str) -> list[tuple[str, str, str, str, bytes]]:
        with self.database.snapshot() as db:
            return [
                tuple(row)
                for row in db.execute(
                    "SELECT document_id, name, content_sha256, labels, vector FROM pictures"
                    " WHERE tenant = ? AND fingerprint = ? ORDER BY document_id, name",
                    (tenant, self.embedder.fingerprint),
                )
            ]


def has_pictures(document: Document) -> bool:
    """Return whether a document is a picture, or holds figures that a model could see."""
    return document.media_type in IMAGE_TYPES or any(block.kind == "figure" for block in document.blocks)


def picture_name(document: Document) -> str:
    """Return the name by which a file that is a picture stands in its own text."""
    return document.uri.rsplit("/", 1)[-1].replace(" ", "_")


def _rank_rows(rows: Sequence[tuple[str, str, str, str, bytes]], wanted: Vector, limit: int) -> list[SeenPicture]:
    import numpy as np

    vectors = np.stack([np.frombuffer(row[4], dtype="<f4") for row in rows])
    likeness = vectors @ np.asarray(wanted, dtype=np.float32)
    best = np.argsort(-likeness, kind="stable")[:limit]
    return [
        SeenPicture(
            rows[i][0], rows[i][1], rows[i][2], float(likeness[i]), tuple((n, s) for n, s in json.loads(rows[i][3]))
        )
        for i in map(int, best)
    ]


def _as_bytes(vector: Vector) -> bytes:
    return vector.astype("<f4").tobytes()


def _pack(features: PictureFeatures) -> bytes:
    return json.dumps({"labels": features.labels, "vector": _as_bytes(features.vector).hex()}).encode()


def _unpack(data: bytes) -> PictureFeatures:
    import numpy as np

    values = json.loads(data)
    vector = np.frombuffer(bytes.fromhex(values["vector"]), dtype="<f4")
    return PictureFeatures(vector, tuple((name, float(share)) for name, share in values["labels"]))


def _warn(document: Document, message: str) -> Document:
    return document.model_copy(update={"warnings": (*document.warnings, message)})

"""The nouns. Frozen values without I/O; one meaning each.

Offsets everywhere are half-open code-point offsets into ``Document.text``: ``text[start:end]``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily
from roma_core.types.answer import (
    CITATION_COLUMNS,
    PROVEN,
    VERDICT_WORDS,
    Answered,
    Citation,
    CitationPolicy,
    CitationVerdict,
    CompleteEvent,
    ErrorEvent,
    ModelRoute,
    RouteChoice,
    SavedWork,
    StageEvent,
    Statement,
    StreamEvent,
    TailorOutput,
    TokenEvent,
    Usage,
)
from roma_core.types.base import Noun, digest, frame
from roma_core.types.document import (
    DEFAULT_COLLECTION,
    Block,
    BlockKind,
    Box,
    Chunk,
    Document,
    DocumentFacts,
    LeftOut,
    Link,
    Page,
    RawDocument,
    ScoredChunk,
    Section,
    SectionKind,
    Source,
    Span,
    WhyLeftOut,
    place_of,
)
from roma_core.types.health import ComponentHealth, HealthReport, HealthState
from roma_core.types.principal import (
    EVERYTHING,
    LOCAL_USER,
    NOTHING,
    PERMISSIONS,
    ROLE_PERMISSIONS,
    ROLES,
    Permission,
    Principal,
    ReadScope,
    Role,
    SignIn,
)
from roma_core.types.query import Exchange, Persona, Query
from roma_core.types.report import ITEM_COLUMNS, MOST_WARNINGS, IngestionReport, IngestItem, ItemState, ReindexReport
from roma_core.types.source import (
    ErasedPlace,
    ErasureCertificate,
    ForgetReport,
    PlannedItem,
    SourceOptions,
    SourcePlan,
    SourceRecord,
    SyncPlan,
)
from roma_core.workspace import DEFAULT_TENANT

if TYPE_CHECKING:
    from roma_core.types.vectors import Vector as Vector
    from roma_core.types.vectors import Vectors as Vectors
else:
    __getattr__, _ = export_lazily(__name__, {"vectors": ("Vector", "Vectors")})
from roma_core.types.search import SearchHit, SearchLeg, SearchReport

__all__ = [
    "CITATION_COLUMNS",
    "DEFAULT_COLLECTION",
    "DEFAULT_TENANT",
    "EVERYTHING",
    "ITEM_COLUMNS",
    "LOCAL_USER",
    "MOST_WARNINGS",
    "NOTHING",
    "PERMISSIONS",
    "PROVEN",
    "ROLES",
    "ROLE_PERMISSIONS",
    "VERDICT_WORDS",
    "Answered",
    "Block",
    "BlockKind",
    "Box",
    "Chunk",
    "Citation",
    "CitationPolicy",
    "CitationVerdict",
    "CompleteEvent",
    "ComponentHealth",
    "Document",
    "DocumentFacts",
    "ErasedPlace",
    "ErasureCertificate",
    "ErrorEvent",
    "Exchange",
    "ForgetReport",
    "HealthReport",
    "HealthState",
    "IngestItem",
    "IngestionReport",
    "ItemState",
    "LeftOut",
    "Link",
    "ModelRoute",
    "Noun",
    "Page",
    "Permission",
    "Persona",
    "PlannedItem",
    "Principal",
    "Query",
    "RawDocument",
    "ReadScope",
    "ReindexReport",
    "Role",
    "RouteChoice",
    "SavedWork",
    "ScoredChunk",
    "SearchHit",
    "SearchLeg",
    "SearchReport",
    "Section",
    "SectionKind",
    "SignIn",
    "Source",
    "SourceOptions",
    "SourcePlan",
    "SourceRecord",
    "Span",
    "StageEvent",
    "Statement",
    "StreamEvent",
    "SyncPlan",
    "TailorOutput",
    "TokenEvent",
    "Usage",
    "Vector",
    "Vectors",
    "WhyLeftOut",
    "digest",
    "frame",
    "place_of",
]

"""From sources to the store, with a ledger in which every listed item is in exactly one state."""

from roma_core.ingestion.ledger import Ledger
from roma_core.ingestion.progress import IngestProgress, OnProgress
from roma_core.ingestion.service import IngestionService, build_ingestion

__all__ = ["IngestProgress", "IngestionService", "Ledger", "OnProgress", "build_ingestion"]

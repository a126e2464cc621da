"""From sources to the store, with a ledger in which every listed item is in exactly one state."""

from roma_core.ingestion.ledger import Ledger as Ledger
from roma_core.ingestion.run import IngestProgress as IngestProgress
from roma_core.ingestion.run import OnProgress as OnProgress
from roma_core.ingestion.service import IngestionService as IngestionService
from roma_core.ingestion.service import build_ingestion as build_ingestion

"""All settings, read once from the environment and ``.env`` and passed in. The documentation lists them (tested).

``LLM_*`` variables keep the names that the outside world uses; every other one begins with ``ROMA_``. The vendors' own
variables (``OPENAI_API_KEY``, ``ANTHROPIC_API_KEY``, ``OPENAI_BASE_URL``, ``ANTHROPIC_BASE_URL``) are fallbacks::

    settings = Settings.load(workspace="w", lexical_weight=0.0)
    settings.retrieval.lexical_weight
"""

from roma_core.settings.access import Access, choose_vendor, find_embedding_access, find_model_access
from roma_core.settings.answering import AnsweringSettings, RuleMode
from roma_core.settings.base import Setting, SettingsSection, setting
from roma_core.settings.budgets import BudgetSettings
from roma_core.settings.chunking import ChunkingSettings
from roma_core.settings.connectors import (
    DatabaseSettings,
    GDriveSettings,
    LibrarySettings,
    LocalSettings,
    WebSettings,
)
from roma_core.settings.llm import AnthropicSettings, AzureSettings, LLMSettings, OpenAISettings, ProviderSettings
from roma_core.settings.masking import mask_address, mask_value
from roma_core.settings.model import Settings, all_settings, dump_settings, env_name, own_settings, plugin_settings
from roma_core.settings.parsing import BACKEND_FORMATS, OWN_PARSER, FigureSettings, ParsingSettings, TrackedChanges
from roma_core.settings.privacy import PrivacyRule, PrivacySettings
from roma_core.settings.retention import RecordKind, RetentionRule, RetentionSettings
from roma_core.settings.retrieval import RetrievalSettings
from roma_core.settings.routing import RoutingSettings
from roma_core.settings.serving import ServingSettings
from roma_core.settings.signin import OIDCSettings, ProviderSignInSettings, SAMLSettings
from roma_core.settings.sources import SourceSettings
from roma_core.settings.storage import CacheMode, StorageSettings
from roma_core.settings.telemetry import TelemetrySettings

__all__ = [
    "BACKEND_FORMATS",
    "OWN_PARSER",
    "Access",
    "AnsweringSettings",
    "AnthropicSettings",
    "AzureSettings",
    "BudgetSettings",
    "CacheMode",
    "ChunkingSettings",
    "DatabaseSettings",
    "FigureSettings",
    "GDriveSettings",
    "LLMSettings",
    "LibrarySettings",
    "LocalSettings",
    "OIDCSettings",
    "OpenAISettings",
    "ParsingSettings",
    "PrivacyRule",
    "PrivacySettings",
    "ProviderSettings",
    "ProviderSignInSettings",
    "RecordKind",
    "RetentionRule",
    "RetentionSettings",
    "RetrievalSettings",
    "RoutingSettings",
    "RuleMode",
    "SAMLSettings",
    "ServingSettings",
    "Setting",
    "Settings",
    "SettingsSection",
    "SourceSettings",
    "StorageSettings",
    "TelemetrySettings",
    "TrackedChanges",
    "WebSettings",
    "all_settings",
    "choose_vendor",
    "dump_settings",
    "env_name",
    "find_embedding_access",
    "find_model_access",
    "mask_address",
    "mask_value",
    "own_settings",
    "plugin_settings",
    "setting",
]

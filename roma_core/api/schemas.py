"""Bodies of requests and responses beside ROMA's own nouns."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from roma_core.api.jobs import JobPriority
from roma_core.connectors.registry import describe_sources
from roma_core.errors import ErrorCode
from roma_core.store.filters import FILTERS, LONGEST_VALUE, MOST_VALUES
from roma_core.types import Persona, Principal, Query

IDENTIFIER = r"^[A-Za-z0-9_.:-]{1,64}$"
Identifier = Annotated[str, Path(pattern=IDENTIFIER)]
Value = Annotated[str, Field(max_length=LONGEST_VALUE)]
Filter = Value | Annotated[list[Value], Field(max_length=MOST_VALUES)]
FilterName = Literal[
    "document_id",
    "uri",
    "uri_prefix",
    "author",
    "after",
    "before",
    "type",
    "language",
    "source",
    "section",
    "collection",
]


MOST_FIELDS = 100


def _limit_fields(data: Any, most: int) -> Any:
    if isinstance(data, dict) and len(data) > most:
        raise ValueError(f"at most {most} fields are allowed")
    return data


class Body(BaseModel):
    """Base of request bodies: an unknown field is an error."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _few_fields(cls, data: Any) -> Any:
        """Limit the number of fields: 400 000 unknown ones, an error each, took 2 s and half a gigabyte."""
        return _limit_fields(data, MOST_FIELDS)


class QueryBody(Body):
    """A question."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"text": "What does tenacity do?"},
                {"text": "And in DeepEval?", "persona": "executive", "session_id": "demo", "stream": True},
            ]
        }
    )

    text: str = Field(description="The question.", max_length=100_000)
    persona: Persona = "general"
    top_k: int = Field(default=5, ge=1, le=50, description="Passages that the answer may use.")
    filters: dict[FilterName, Filter] = Field(
        default_factory=dict,
        description="Which documents may be used: " + "; ".join(f"`{name}`: {what}" for name, what in FILTERS.items()),
    )
    session_id: str | None = Field(default=None, pattern=IDENTIFIER, description="A conversation to go on with.")
    stream: bool = Field(default=False, description="Server-sent events instead of one JSON document.")
    show_thinking: bool = Field(
        default=False, description="Send a thinking model's thoughts in the `thinking` events of a stream."
    )
    linger_s: float = Field(
        default=0.5,
        ge=0,
        le=60,
        description="Seconds that a streamed answer is written on after its connection is lost, for a client that will "
        "resume it with `Last-Event-ID`. After that the model is stopped.",
    )

    @field_validator("filters", mode="before")
    @classmethod
    def _few_filters(cls, filters: Any) -> Any:
        return _limit_fields(filters, len(get_args(FilterName)))

    def query(self, who: Principal) -> Query:
        """Return the body as a ``Query`` of ``who``."""
        return Query(
            text=self.text,
            persona=self.persona,
            top_k=self.top_k,
            filters={str(name): value for name, value in self.filters.items()},
            session_id=self.session_id,
            principal=who,
            show_thinking=self.show_thinking,
        )


class IngestBody(Body):
    """Sources to ingest."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"sources": ["https://example.org/handbook?depth=1"]}]})

    sources: list[Annotated[str, Field(min_length=1, max_length=4096)]] = Field(
        min_length=1, max_length=100, description=f"What to read on the server: {describe_sources()}."
    )
    retry_failed: bool = Field(default=False, description="Only what failed the last time.")
    priority: JobPriority = Field(default="normal", description="Its place among the tenant's own jobs.")
    collection: str | None = Field(
        default=None,
        pattern=r"^\w[\w.-]{0,63}$",
        description="Part of the corpus that the sources belong to from now on.",
    )

    @field_validator("sources")
    @classmethod
    def _no_controls(cls, sources: list[str]) -> list[str]:
        if any(ord(c) < 32 for source in sources for c in source):
            raise ValueError("a source holds no control characters")
        return sources


class RenameBody(Body):
    """A new title of a conversation."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title": "Telemetry switches"}]})

    title: str = Field(min_length=1, max_length=200)

    @field_validator("title")
    @classmethod
    def _can_be_seen(cls, title: str) -> str:
        if not any(c.isprintable() and not c.isspace() for c in title):
            raise ValueError("a title has at least one character that can be seen")
        return title


def list_error_codes() -> str:
    """Return all codes, for the description of the error schema."""
    return ", ".join(f"`{code}`" for code in ErrorCode)

"""Shapes of what the chat's page gets, as the console's OpenAPI document names them.

The page's types are generated from them (``tests/web``), and tests hold what the service returns against them.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from roma_core.answers.record import AnswerState
from roma_core.sessions.service import Rating
from roma_core.types import Answered, CitationVerdict


class WireModel(BaseModel):
    """Base of the shapes: a name more or less is an error."""

    model_config = ConfigDict(extra="forbid", json_schema_serialization_defaults_required=True)


class FailureView(WireModel):
    """A failure in the words of a person; ``code`` and ``request_id`` are for support."""

    message: str
    code: str
    can_retry: bool
    retry_after_s: float | None
    request_id: str
    is_access: bool


class CitationView(WireModel):
    """A citation: its place, its words, its verdict and the statement that it stands for."""

    marker: int
    document: str
    title: str
    place: str
    start: int
    end: int
    quote: str
    verdict: CitationVerdict
    verdict_words: str
    claim: str
    decided_by: list[str]
    by_roma: bool
    address: str


class PlaceView(WireModel):
    """A place in a cited document; ``citations`` are indices of the answer's citations."""

    marker: int
    place: str
    verdict: CitationVerdict
    words: str
    quote: str
    citations: list[int]


class SourceView(WireModel):
    """A cited document with the places in it."""

    document: str
    title: str
    places: list[PlaceView]


class ConflictView(WireModel):
    """Two citations that contradict each other, and the words of each that differ."""

    kind: str
    citations: list[int]
    words: list[list[str]]


class RemovedView(WireModel):
    """A statement that was taken out."""

    text: str
    verdict: CitationVerdict
    verdict_words: str


class PassageView(WireModel):
    """A passage that comes near to a question without an answer."""

    document: str
    title: str
    start: int
    end: int
    html: str
    address: str


class AnswerView(WireModel):
    """An answer with its proof."""

    blocks: list[str]
    markdown: str
    answer_id: str
    answered: Answered
    proof: str
    verdicts: dict[CitationVerdict, int]
    citations: list[CitationView]
    sources: list[SourceView]
    conflicts: list[ConflictView]
    removed: list[RemovedView]
    follow_ups: list[str]
    nearest: list[PassageView]
    notice: str
    notice_details: list[str]
    footnote: str
    details: str


class TurnHead(WireModel):
    """A question and how far its answer is."""

    id: str
    state: AnswerState
    question: str
    filters: dict[str, list[str] | str]
    created_at: str
    seconds: float | None
    rating: Rating | None
    comment: str


class AnsweredTurn(TurnHead, AnswerView):
    """A question with its answer; ``restored`` from a conversation whose record is gone."""

    restored: bool = False


class UnansweredTurn(TurnHead):
    """A question without a whole answer: the words so far, and what to do."""

    blocks: list[str]
    advice: str = ""
    failure: FailureView | None = None


class ConversationView(WireModel):
    """The last turns of a conversation; ``earlier`` is the number of those before."""

    id: str
    turns: list[AnsweredTurn | UnansweredTurn]
    earlier: int


class ConversationItem(WireModel):
    """A conversation in the list."""

    id: str
    title: str
    updated_at: str
    state: AnswerState


class CollectionItem(WireModel):
    """A collection with the number of its documents."""

    name: str
    documents: int


class UserView(WireModel):
    """The person, and whether there is a sign-in to end."""

    name: str
    may_sign_out: bool


class UnwellPart(WireModel):
    """A part of ROMA that is limited or down."""

    name: str
    state: str
    reason: str


class PageLink(WireModel):
    """Another page of the service that the caller may open."""

    path: str
    name: str


class StateView(WireModel):
    """The workspace as an empty conversation shows it."""

    workspace: str
    version: str
    personas: list[str]
    user: UserView
    choices: dict[str, list[str]]
    may_ingest: bool
    may_audit: bool
    health: str
    unwell: list[UnwellPart]
    documents: int
    collections: list[CollectionItem]
    questions: list[str]
    pages: list[PageLink] = []
    failure: FailureView | None = None


class StartedAnswer(WireModel):
    """The id of an answer that has begun."""

    id: str


class ComparisonView(WireModel):
    """An answer beside another one."""

    notes: list[str]
    before: AnswerView | None
    after: AnswerView | None
    failure: FailureView | None = None


class UploadView(WireModel):
    """How far an upload is; ``is_good`` is None until it has ended."""

    id: str
    state: str
    words: str
    document: str | None
    is_good: bool | None
    ledger: list[str] = []


class PartView(WireModel):
    """A part of a document as HTML; ``exact`` where the very words are marked."""

    start: int
    end: int
    html: str
    exact: bool


class PageView(WireModel):
    """A page of a document; ``ratio`` is its width divided by its height."""

    number: int
    label: str
    ratio: float


class DocumentView(WireModel):
    """A document around cited words."""

    document: str
    title: str
    place: str
    media_type: str
    collection: str
    length: int
    web: str
    part: PartView
    quote: str
    pages: list[PageView]
    page: int | None


class MarksView(WireModel):
    """The boxes of the cited words on a page, as shares of it; ``exact`` where they are those of the very words."""

    number: int
    boxes: list[tuple[float, float, float, float]]
    exact: bool


class StageUpdate(WireModel):
    """A stage of an answer that has begun."""

    type: Literal["stage"]
    stage: str
    says: str
    at_ms: int
    titles: list[str]
    """Of the documents that are read for the answer."""


class WordsUpdate(WireModel):
    """Words of an answer: finished blocks, and text of the open one, which begins anew where ``over`` is true."""

    type: Literal["words"]
    text: str
    blocks: list[str] | None = None
    over: bool = False


class EndUpdate(WireModel):
    """The end of an answer with its turn."""

    type: Literal["end"]
    turn: AnsweredTurn | UnansweredTurn

"""``DocumentScreen``: looks through a document for personal data and does with it what the policy says.

Numbers and keys are found by the detectors of ``redaction`` and by national numbers' check digits, names by a
``NameFinder``. All kinds of numbers are looked for whatever the policy says, so that an IBAN of which nothing is wanted
is not taken for a phone number.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote, urlsplit

from roma_core.facts import STATED_KEYS
from roma_core.languages import detect_language
from roma_core.privacy.masking import list_fields, mask_document, mask_text
from roma_core.privacy.names import NameFinder, PresidioNames, cut_pieces, require_presidio
from roma_core.privacy.national import find_national_numbers
from roma_core.privacy.policy import PrivacyPolicy
from roma_core.redaction.plain import normalise_text
from roma_core.redaction.rules import find, redact
from roma_core.settings import PrivacySettings
from roma_core.types import Document, digest
from roma_core.types.privacy import (
    FINDINGS,
    KIND_GROUPS,
    PERSONAL_KINDS,
    PersonalFinding,
    PersonalKind,
    PrivacyMode,
)

VERSION: Final = "1"
"""Version of the detectors: another one looks through all documents again."""
PERSON_KEYS: Final = frozenset(
    {*STATED_KEYS["author"], "to", "cc", "bcc", "sender", "replyto", "recipients", "manager", "owner", "contributor"}
)
"""Keys of metadata, in small letters without marks, whose value names people."""
LEAST_VALUE_CHARS: Final = 5
"""Shorter values are not looked for in titles and metadata: they may be part of any word."""
MOST_PLACES: Final = 5
"""Places that a sentence about findings names."""
_GAP: Final = "\n\n"
_PRECEDENCE: Final = {kind: rank for rank, kind in enumerate(PERSONAL_KINDS)}
PersonalSpan = tuple[PersonalKind, int, int]


class ScreenedDocument(NamedTuple):
    """A document that was looked through. ``refusal`` says why it is to be left out; empty when it may be taken."""

    document: Document
    findings: tuple[PersonalFinding, ...] = ()
    refusal: str = ""

    @property
    def is_masked(self) -> bool:
        """Return whether something of the document was masked."""
        return any(finding.mode == "mask" for finding in self.findings)


class DocumentScreen:
    """Looks through documents by a policy. Blocking; threads may share one.

    >>> screen = DocumentScreen(PrivacyPolicy(PrivacySettings(policy="email=mask").rules))
    >>> text = "Write to anna@example.org."
    >>> document = Document(id="1", uri="a", title="A", text=text, content_sha256="", parser="text/1")
    >>> screen.screen(document, "default").document.text
    'Write to ████████████████.'
    """

    def __init__(self, policy: PrivacyPolicy, names: NameFinder | None = None) -> None:
        self.policy = policy
        self._names = names

    def identify(self, tenant: str, collection: str) -> str:
        """Return the hash of what decides the masks in a collection; empty where nothing is looked for."""
        modes = self.policy.find_modes(tenant, collection)
        if not modes:
            return ""
        names = self._names.fingerprint if self._names is not None and modes.keys() & KIND_GROUPS["names"] else ""
        return digest("privacy", VERSION, json.dumps(modes), names)[:32]

    def protects(self, tenant: str, collection: str) -> bool:
        """Return whether the policy hides something there, so that the unmasked text may not be cached."""
        return bool({"mask", "refuse"} & set(self.policy.find_modes(tenant, collection).values()))

    def screen(self, document: Document, tenant: str) -> ScreenedDocument:
        """Return the document with its findings listed in its metadata, and masked where the policy masks."""
        modes = self.policy.find_modes(tenant, document.collection)
        if not modes:
            return ScreenedDocument(document)
        spans, unread = self._find(document.text, modes)
        refusal = _refuse_unread(unread, modes)
        values = {document.text[start:end]: kind for kind, start, end in spans}
        fields = list_fields(document)
        in_fields = self._find_in_fields(fields, values, modes)
        unnamed = _mask(document, spans, in_fields, dict.fromkeys(modes, "mask"))  # a place may be a heading
        findings = [
            PersonalFinding(kind=kind, mode=modes[kind], start=start, end=end, place=unnamed.place(start))
            for kind, start, end in spans
        ]
        for name, words in dict.fromkeys(fields):
            kinds = Counter(kind for kind, _, _ in in_fields[name, words])
            findings += [PersonalFinding(kind=kind, mode=modes[kind], field=redact(name)) for kind in kinds.elements()]
        findings += _find_in_address(document.uri, modes)
        refusal = refusal or _refuse_found(findings)
        masked = _mask(document, spans, in_fields, modes)
        metadata = {**masked.metadata, FINDINGS: [finding.model_dump(mode="json") for finding in findings]}
        warnings = [*masked.warnings, *describe_findings(findings), *_warn_unread(unread)]
        if not findings:
            metadata.pop(FINDINGS)
        screened = masked.model_copy(update={"metadata": metadata, "warnings": tuple(warnings)})
        return ScreenedDocument(screened, tuple(findings), refusal)

    def _find(self, text: str, modes: Mapping[PersonalKind, PrivacyMode]) -> tuple[list[PersonalSpan], set[str]]:
        """Return what is found in ``text`` of the kinds in ``modes``, and the languages that no model reads."""
        spans = find_numbers(text)
        unread: set[str] = set()
        if modes.keys() & KIND_GROUPS["names"] and self._names is not None:
            for start, end in cut_pieces(text):
                language = detect_language(text[start:end])
                if self._names.can_read(language):
                    names = self._names.find(text[start:end], language)
                    spans += [(kind, start + first, start + last) for kind, first, last in names]
                else:
                    unread.add(language)
            spans += _find_again(text, spans)
        wanted = [span for span in resolve_overlaps(spans) if span[0] in modes]
        return wanted, unread

    def _find_in_fields(
        self,
        fields: Sequence[tuple[str, str]],
        values: Mapping[str, PersonalKind],
        modes: Mapping[PersonalKind, PrivacyMode],
    ) -> dict[tuple[str, str], list[PersonalSpan]]:
        """Return what is found in each field; all fields are read as one text, which a model reads quicker."""
        distinct = list(dict.fromkeys(words for _, words in fields))
        joined = _GAP.join(distinct)
        found, _ = self._find(joined, modes)
        known = _find_values(joined, values)
        merged = resolve_overlaps([*found, *known])
        by_words: dict[str, list[PersonalSpan]] = {}
        at = 0
        for words in distinct:
            end = at + len(words)
            inside = [
                (kind, max(start, at) - at, min(stop, end) - at)
                for kind, start, stop in merged
                if start < end and at < stop
            ]
            by_words[words] = inside
            at = end + len(_GAP)
        return {(name, words): _add_people(name, words, by_words[words], modes) for name, words in fields}


def make_screen(settings: PrivacySettings) -> DocumentScreen | None:
    """Return what looks through documents; None when the policy looks for nothing.

    Raises ``ConfigError`` where names are looked for and Presidio is not installed.
    """
    policy = PrivacyPolicy(settings.rules)
    if policy.is_off:
        return None
    if not policy.needs_names:
        return DocumentScreen(policy)
    require_presidio()
    return DocumentScreen(policy, PresidioNames(settings.models_by_language))


def find_numbers(text: str) -> list[PersonalSpan]:
    """Return the numbers and keys in ``text`` with their kinds, by place; none overlaps another.

    >>> find_numbers("mail ada@example.org")
    [('email', 5, 20)]
    """
    spans: list[PersonalSpan] = [(span.kind, span.start, span.end) for span in find(text)]
    read, offsets = normalise_text(text)
    for start, end in find_national_numbers(read):
        first, last = (start, end) if offsets is None else (offsets[start], offsets[end - 1] + 1)
        spans.append(("national_id", first, last))
    return resolve_overlaps(spans)


def resolve_overlaps(spans: Iterable[PersonalSpan]) -> list[PersonalSpan]:
    """Return the spans by place; of two that overlap the kind that is listed first stays, then the longer one."""
    candidates = sorted(set(spans), key=lambda span: (_PRECEDENCE[span[0]], span[1] - span[2], span[1]))
    covered = bytearray(max((end for _, _, end in candidates), default=0))
    chosen: list[PersonalSpan] = []
    for kind, start, end in candidates:
        if not any(covered[start:end]):
            covered[start:end] = b"\1" * (end - start)
            chosen.append((kind, start, end))
    return sorted(chosen, key=lambda span: span[1])


def describe_findings(findings: Iterable[PersonalFinding]) -> list[str]:
    """Return a sentence for each mode with the counts by kind and the first places, never a value.

    >>> describe_findings([PersonalFinding(kind="email", mode="mask", place="page 2")])
    ['personal data masked: 1 email (page 2)']
    """
    words = {"flag": "found", "mask": "masked", "refuse": "refused"}
    listed_findings = list(findings)
    sentences: list[str] = []
    for mode, done in words.items():
        kinds: dict[PersonalKind, list[PersonalFinding]] = {}
        for finding in listed_findings:
            if finding.mode == mode:
                kinds.setdefault(finding.kind, []).append(finding)
        if kinds:
            listed = [f"{len(group)} {kind}{_name_places(group)}" for kind, group in kinds.items()]
            sentences.append(f"personal data {done}: {', '.join(listed)}")
    return sentences


def _name_places(group: Sequence[PersonalFinding]) -> str:
    places = list(dict.fromkeys(finding.place if finding.field == "text" else finding.field for finding in group))
    named = [place for place in places if place]
    more = f" and {len(named) - MOST_PLACES} more" if len(named) > MOST_PLACES else ""
    return f" ({', '.join(named[:MOST_PLACES])}{more})" if named else ""


def _find_again(text: str, spans: Iterable[PersonalSpan]) -> list[PersonalSpan]:
    """Return the other places of whole names of people: a model that sees one of them may miss the next."""
    people = {text[start:end] for kind, start, end in spans if kind == "person"}
    return _find_values(text, {name: "person" for name in people if " " in name})


def _find_values(text: str, values: Mapping[str, PersonalKind]) -> list[PersonalSpan]:
    """Return the places of known values, as whole words."""
    wanted = sorted((value for value in values if len(value) >= LEAST_VALUE_CHARS), key=len, reverse=True)
    spans: list[PersonalSpan] = []
    for value in wanted:
        at = text.find(value)
        while at >= 0:
            end = at + len(value)
            if _is_whole(text, at, end):
                spans.append((values[value], at, end))
            at = text.find(value, end)
    return spans


def _is_whole(text: str, start: int, end: int) -> bool:
    return not (text[max(0, start - 1) : start].isalnum() or text[end : end + 1].isalnum())


def _add_people(
    name: str, words: str, spans: list[PersonalSpan], modes: Mapping[PersonalKind, PrivacyMode]
) -> list[PersonalSpan]:
    """Return the spans of a field and, where it names people, the rest of its words as names."""
    keys = {re.sub(r"[^a-z]", "", part.lower()) for part in name.split(".")[1:]}
    if not name.startswith("metadata.") or not keys & PERSON_KEYS or "person" not in modes:
        return spans
    rest: list[PersonalSpan] = []
    at = 0
    for start, end in [*((start, end) for _, start, end in spans), (len(words), len(words))]:
        if any(map(str.isalpha, words[at:start])):
            rest.append(("person", at, start))
        at = end
    return resolve_overlaps([*spans, *rest])


def _find_in_address(uri: str, modes: Mapping[PersonalKind, PrivacyMode]) -> list[PersonalFinding]:
    """Return findings in an address, which cannot be masked: it is how the document is found again."""
    parts = urlsplit(uri)
    shown = unquote(" ".join((parts.path, parts.query, parts.fragment)))
    kinds = [kind for kind, _, _ in find_numbers(shown) if kind in modes]
    return [
        PersonalFinding(kind=kind, mode="refuse" if modes[kind] == "refuse" else "flag", field="address")
        for kind in kinds
    ]


def _mask(
    document: Document,
    spans: Sequence[PersonalSpan],
    in_fields: Mapping[tuple[str, str], Sequence[PersonalSpan]],
    modes: Mapping[PersonalKind, PrivacyMode],
) -> Document:
    def mask_words(name: str, words: str) -> str:
        hidden = [(start, end) for kind, start, end in in_fields.get((name, words), ()) if modes[kind] == "mask"]
        return mask_text(words, hidden)

    hidden = [(start, end) for kind, start, end in spans if modes[kind] == "mask"]
    return mask_document(document, hidden, mask_words)


def _refuse_found(findings: Sequence[PersonalFinding]) -> str:
    refused = describe_findings(finding for finding in findings if finding.mode == "refuse")
    if not refused:
        return ""
    return (
        f"{refused[0].replace('personal data refused', 'it holds personal data')}; take that out, or change the policy"
    )


def _refuse_unread(languages: set[str], modes: Mapping[PersonalKind, PrivacyMode]) -> str:
    is_refusing = any(modes.get(kind) == "refuse" for kind in KIND_GROUPS["names"])
    return f"{_warn_unread(languages)[0]}, and the policy refuses names" if languages and is_refusing else ""


def _warn_unread(languages: set[str]) -> list[str]:
    if not languages:
        return []
    return [f"names were not looked for in its parts in {', '.join(sorted(languages))}: ROMA_PII_MODELS has no model"]

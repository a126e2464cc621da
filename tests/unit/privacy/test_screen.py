"""What looking through a document lists, masks and refuses."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from roma_core.errors import ConfigError
from roma_core.privacy import MASK, DocumentScreen, PrivacyPolicy, make_screen
from roma_core.privacy.names import NameSpan
from roma_core.privacy.screen import describe_findings
from roma_core.settings import PrivacySettings
from roma_core.types import Document, Page
from roma_core.types.privacy import PersonalFinding, is_masked, read_findings


class ListedNames:
    """A finder that knows some names, in English alone."""

    fingerprint = "listed"

    def __init__(self, names: Mapping[str, str]) -> None:
        self._names = names

    def can_read(self, language: str) -> bool:
        return language in {"", "en"}

    def find(self, text: str, language: str) -> list[NameSpan]:
        found = [(kind, text.find(name), text.find(name) + len(name)) for name, kind in self._names.items()]
        return sorted((entry for entry in found if entry[1] >= 0), key=lambda entry: entry[1])  # type: ignore[return-value]


def screen(*rules: str, names: Mapping[str, str] | None = None) -> DocumentScreen:
    policy = PrivacyPolicy(PrivacySettings(policy=rules).rules)
    return DocumentScreen(policy, None if names is None else ListedNames(names))


def document(text: str, **fields: object) -> Document:
    given = {"id": "d", "uri": "file:///d.md", "title": "", "content_sha256": "0", "parser": "text/1", **fields}
    return Document.model_validate({**given, "text": text})


def test_without_a_policy_a_document_is_as_it_was() -> None:
    made = document("ada@example.org")
    assert screen().screen(made, "default").document == made


def test_a_finding_has_kind_and_place_and_never_the_value() -> None:
    text = "First page.\n\nWrite to ada@example.org."
    made = document(text, pages=(Page(number=1, start=0, end=13), Page(number=2, start=13, end=len(text))))
    found = screen("email=flag").screen(made, "default")
    assert found.findings == (PersonalFinding(kind="email", mode="flag", start=22, end=37, place="page 2"),)
    assert found.document.text == text
    assert found.document.warnings == ("personal data found: 1 email (page 2)",)
    listed = found.document.model_copy(update={"text": ""}).model_dump_json()
    assert "ada@" not in listed


def test_findings_are_read_back_from_the_stored_document() -> None:
    found = screen("email=mask").screen(document("Write to ada@example.org."), "default")
    assert read_findings(found.document) == found.findings
    assert is_masked(found.document)
    assert not is_masked(document("ada@example.org"))


def test_what_is_not_in_the_policy_stays() -> None:
    found = screen("email=mask").screen(document("ada@example.org, 4111 1111 1111 1111"), "default")
    assert found.document.text == f"{MASK * 15}, 4111 1111 1111 1111"


def test_a_number_of_another_kind_is_not_taken_for_one_of_the_policy() -> None:
    found = screen("phone=mask").screen(document("Pay to DE89 3704 0044 0532 0130 00."), "default")
    assert found.findings == ()


def test_a_document_with_a_refused_kind_is_refused_with_kind_and_place() -> None:
    found = screen("card=refuse").screen(document("Paid with 4111 1111 1111 1111."), "default")
    assert found.refusal.startswith("it holds personal data: 1 card")
    assert "4111" not in found.refusal


def test_the_collection_decides() -> None:
    looked = screen("hr/email=mask")
    assert looked.screen(document("ada@example.org"), "default").findings == ()
    assert looked.screen(document("ada@example.org", collection="hr"), "default").is_masked


def test_a_name_that_was_seen_once_is_masked_at_its_other_places_and_in_the_title() -> None:
    made = document("Ada Lovelace wrote it. ADA LOVELACE signed; so did Ada Lovelace.", title="By Ada Lovelace")
    masked = screen("person=mask", names={"Ada Lovelace": "person"}).screen(made, "default").document
    assert masked.text.count("Ada Lovelace") == 0
    assert masked.title == "By " + MASK * 12


def test_fields_that_name_people_are_masked_whole() -> None:
    made = document("Words.", metadata={"author": "Zebediah Quux <z@example.org>", "to": ["Ann"], "subject": "Words"})
    masked = screen("person=mask", "email=mask", names={}).screen(made, "default").document
    assert masked.metadata["subject"] == "Words"
    assert "Zebediah" not in str(masked.metadata) and "z@example.org" not in str(masked.metadata)
    assert masked.metadata["to"] == [MASK * 3]
    assert len(masked.metadata["author"]) == len("Zebediah Quux <z@example.org>")


def test_a_language_without_a_model_is_said_and_refused_where_names_are_refused() -> None:
    german = document("Die Pumpe wird jedes Quartal geprüft, und die Ergebnisse liegen beim Wartungsplan. " * 3)
    masking = screen("person=mask", names={}).screen(german, "default")
    assert any("de" in warning and "ROMA_PII_MODELS" in warning for warning in masking.document.warnings)
    assert masking.refusal == ""
    assert "ROMA_PII_MODELS" in screen("person=refuse", names={}).screen(german, "default").refusal


def test_an_address_is_listed_but_stays() -> None:
    made = document("Words.", uri="file:///cv/ada%40example.org.md")
    found = screen("email=mask").screen(made, "default")
    assert [(entry.field, entry.mode) for entry in found.findings] == [("address", "flag")]
    assert found.document.uri == made.uri


def test_a_policy_or_a_model_that_changes_is_another_identity() -> None:
    made = {
        screen().identify("default", "main"),
        screen("email=flag").identify("default", "main"),
        screen("email=mask").identify("default", "main"),
        screen("email=mask", "person=mask", names={}).identify("default", "main"),
        screen("email=mask", "person=mask").identify("default", "main"),
    }
    assert len(made) == 5
    assert screen("hr/email=mask").identify("default", "main") == ""


def test_without_a_rule_there_is_no_screen() -> None:
    assert make_screen(PrivacySettings()) is None
    assert make_screen(PrivacySettings(policy=("email=off",))) is None


def test_names_without_presidio_are_refused_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ConfigError, match=r"roma-core\[pii\].*names=off"):
        make_screen(PrivacySettings(policy=("*=mask",)))


def test_places_beyond_the_first_are_counted() -> None:
    findings = [PersonalFinding(kind="email", mode="mask", place=f"page {number}") for number in range(1, 9)]
    assert describe_findings(findings) == [
        "personal data masked: 8 email (page 1, page 2, page 3, page 4, page 5 and 3 more)"
    ]

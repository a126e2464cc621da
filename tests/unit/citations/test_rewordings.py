"""Denials in claims that follow no sentence: what each governs, and what is named."""

from __future__ import annotations

import pytest

from roma_core.citations import verify_claim
from roma_core.citations.reasons import Reason


def test_a_denied_predicate_contradicts_and_is_named() -> None:
    passage = "The weir was not mended by the town before the flood of 1950."
    found = verify_claim("The town saw to the mended weir before the 1950 flood.", passage)
    assert (found.verdict, found.reasons) == ("contradicted", (Reason("negation", source="not"),))


@pytest.mark.parametrize(
    ("passage", "claim"),
    [
        (
            "The siren of the mill was switched off in May and was never switched on again. The crew renews the "
            "certificates from June.",
            "The crew got new certificates for the mill's siren in June.",
        ),
        (
            "Parrots have to be registered at the town hall in spring; cats and dogs do not.",
            "At the town hall, cats do not need any registration in spring.",
        ),
    ],
    ids=["another sentence", "said before"],
)
def test_what_a_denial_does_not_govern_contradicts_nothing(passage: str, claim: str) -> None:
    assert verify_claim(claim, passage).verdict in {"partial", "unsupported"}


def test_a_claim_of_what_was_denied_is_not_supported() -> None:
    passage = (
        "Recall was higher after the nap. Reaction time did not differ between the groups. A short nap helps recall."
    )
    found = verify_claim("The authors conclude that a short nap improves reaction time between groups.", passage)
    assert found.verdict in {"partial", "contradicted", "unsupported"}

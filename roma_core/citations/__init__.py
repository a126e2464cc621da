"""Citations: does a passage prove a claim, and which of its words do.

>>> from roma_core.citations import verify_claim
>>> verify_claim("The mill grinds rye.", "The mill grinds rye. It has two wheels.").verdict
'verbatim'
"""

from roma_core.citations.resolve import (
    REFUSED,
    Cited,
    OpenClaim,
    cite,
    count_verdicts,
    find_open_claims,
    is_statement,
    weigh_statements,
)
from roma_core.citations.verdict import Reason, Support, verify_claim
from roma_core.citations.words import ClaimWord, read_words

__all__ = [
    "REFUSED",
    "Cited",
    "ClaimWord",
    "OpenClaim",
    "Reason",
    "Support",
    "cite",
    "count_verdicts",
    "find_open_claims",
    "is_statement",
    "read_words",
    "verify_claim",
    "weigh_statements",
]

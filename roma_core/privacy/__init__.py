"""Personal data in documents: looked for at ingest, listed, masked at its length, or a reason to leave a document out.

``DocumentScreen`` looks through a document by the policy of its tenant and collection; ``Originals`` keeps what was
masked, apart from every index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from roma_core._lazy import export_lazily

if TYPE_CHECKING:
    from roma_core.privacy.holds import RetentionLedger as RetentionLedger
    from roma_core.privacy.masking import MASK as MASK
    from roma_core.privacy.masking import mask_text as mask_text
    from roma_core.privacy.originals import Originals as Originals
    from roma_core.privacy.policy import PrivacyPolicy as PrivacyPolicy
    from roma_core.privacy.screen import DocumentScreen as DocumentScreen
    from roma_core.privacy.screen import ScreenedDocument as ScreenedDocument
    from roma_core.privacy.screen import make_screen as make_screen
else:
    __getattr__, __dir__ = export_lazily(
        __name__,
        {
            "holds": ("RetentionLedger",),
            "masking": ("MASK", "mask_text"),
            "originals": ("Originals",),
            "policy": ("PrivacyPolicy",),
            "screen": ("DocumentScreen", "ScreenedDocument", "make_screen"),
        },
    )

__all__ = [
    "MASK",
    "DocumentScreen",
    "Originals",
    "PrivacyPolicy",
    "RetentionLedger",
    "ScreenedDocument",
    "make_screen",
    "mask_text",
]

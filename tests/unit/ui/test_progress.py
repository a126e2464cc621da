"""Bars show what was done, and nothing when they are switched off."""

import io
from contextlib import redirect_stderr

from roma_core.ingestion import IngestProgress
from roma_core.ui.progress import eval_bar, ingest_bar


def test_the_ingest_bar_knows_its_end_when_listing_has_ended() -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), ingest_bar() as progress:
        assert progress is not None
        progress(IngestProgress(listed=1, listing=True, counts={"added": 1}, per_s=2.0))
        progress(IngestProgress(listed=3, listing=False, counts={"added": 2, "failed": 1}, per_s=2.0))
    assert "3/3" in shown.getvalue() and "added=2" in shown.getvalue() and "failed=1" in shown.getvalue()


def test_the_eval_bar_counts_questions() -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), eval_bar() as progress:
        assert progress is not None
        progress(2, 5)
        progress(5, 5)
    assert "5/5" in shown.getvalue()


def test_switched_off_bars_are_silent() -> None:
    shown = io.StringIO()
    with redirect_stderr(shown), ingest_bar(False) as one, eval_bar(False) as two:
        assert one is None and two is None
    assert shown.getvalue() == ""

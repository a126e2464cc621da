"""A short stretch of the soak of parsers: hostile and damaged old office files end as texts or as failures."""

from __future__ import annotations

import pytest

from bench import soak_parse


@pytest.mark.slow
async def test_hostile_and_damaged_old_office_files_end_as_a_text_or_a_typed_failure() -> None:
    facts = await soak_parse.soak(70, 11, ("doc", "ppt", "rtf"))
    assert facts["left to the last guard"] == 0
    assert "ERR_PARSER_TIMEOUT" not in facts
    assert "ERR_PARSER_MEMORY" not in facts

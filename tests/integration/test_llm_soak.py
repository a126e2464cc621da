"""A short stretch of the soak: whatever the server does, answers are whole or typed failures, and budgets hold."""

import pytest

from bench import soak_llm


@pytest.mark.slow
async def test_two_hundred_requests_through_every_fault() -> None:
    (row,) = await soak_llm.soak(200)
    must_be_zero = list(row)[5:]
    assert len(must_be_zero) == 9
    assert {name: row[name] for name in must_be_zero} == dict.fromkeys(must_be_zero, 0)
    assert row["whole answers"]
    assert row["of them for the budget"] > 10

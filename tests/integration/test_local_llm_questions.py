"""Twenty questions to a real small model: no answer without a proven citation looks like one with."""

import pytest

from bench import local_llm as bench


@pytest.mark.local_llm
@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_no_answer_of_a_real_model_poses_as_proven(local_llm: str) -> None:
    rows = await bench.ask_all(local_llm)
    bench.write_table(rows)
    assert len(rows) == len(bench.QUESTIONS) >= 20
    assert [row["question"] for row in rows if row["poses"]] == []
    assert sum("statements" in row for row in rows) >= 10, "the model answers at least half of them"

"""Scripted models through the whole pipeline: true statements are proven, false ones are not, nothing poses."""

from __future__ import annotations

import pytest

from bench import llm_scripted
from tests.scripted import MANNERS

CORPUS = {
    "Quellfeld bridge": (
        "The rope bridge of Quellfeld was built in 1902 by the engineer Ada Kern. It spans 48 metres over the "
        "river Elm and carries at most twelve people. In March 1950 a flood took two of its four pillars. The "
        "town council rebuilt the pillars in stone before the next winter. Since 1987 the bridge has not been "
        "open to horses."
    ),
    "River Elm": (
        "The river Elm rises in the Barrow hills and flows 212 kilometres to the northern sea. Its largest "
        "flood was measured in March 1950 at the gauge of Quellfeld. Salmon returned to the Elm after the "
        "mill of Oster closed in 1974. The water supplies about 340,000 people in three districts. Barges may "
        "not pass the locks of Oster at night."
    ),
    "Ada Kern": (
        "Ada Kern studied engineering in Basel between 1890 and 1894. She designed eleven bridges, of which "
        "seven still stand today. Her notebooks are kept in the city archive of Basel. The rope bridge of "
        "Quellfeld was her third work and the first that she signed. Kern never accepted a commission from "
        "the railway company."
    ),
    "Oster mill": (
        "The mill of Oster was founded in 1811 and ground rye for the garrison. Its wheel was 6.5 metres high "
        "and made of oak. The owners replaced the wheel with a turbine in 1923. The mill closed in 1974 "
        "because the locks were no longer maintained. Volunteers have restored the main building for "
        "visitors."
    ),
    "Tides of the northern sea": (
        "The tides of the northern sea follow the moon and rise about 3.2 metres. Spring tides come shortly "
        "after the full moon and the new moon. Storms from the west can raise the water by another metre. The "
        "harbour of Lund closes its gates when the water stands above 5 metres. Fishing boats leave the "
        "harbour with the ebb."
    ),
}
QUESTIONS = (
    "When was the rope bridge of Quellfeld built?",
    "What did the flood of the river Elm in 1950 take?",
    "What bridges did the engineer Ada Kern design?",
    "Why did the mill of Oster close?",
    "How do the tides of the northern sea rise?",
)


DOCUMENTS = [llm_scripted.make_document(title, title, text) for title, text in CORPUS.items()]


@pytest.mark.parametrize("name", MANNERS)
async def test_nothing_false_is_called_proven_and_nothing_uncited_looks_like_an_answer(
    name: str,
) -> None:
    counts = await llm_scripted.count_answers(name, DOCUMENTS, QUESTIONS)
    assert counts.true + counts.false >= 3 * len(QUESTIONS)
    assert counts.proven_citations > 0
    assert (counts.false_citations, counts.false_proven, counts.posing) == (0, 0, 0)


async def test_what_an_obedient_model_writes_is_proven() -> None:
    counts = await llm_scripted.count_answers("obedient", DOCUMENTS, QUESTIONS)
    assert counts.proven == counts.true

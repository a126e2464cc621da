"""Every measure that claims to see a mutation falls on every set; a dump of the sources is never better."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from roma_core.agents.citations import cite
from roma_core.errors import AgentFailure
from roma_core.evals import CaseOutcome, Decision, EvalReport, Golden, GoldenCase, compare, evaluate, measure
from roma_core.evals.measures import default_measures
from roma_core.evals.measures.mutations import MUTATIONS, find_blind_measures, mean_score, mutate
from roma_core.types import Chunk, Citation, Document, Query, ScoredChunk, TailorOutput

SETS = {
    "machines": """
Boiler Anna | At what pressure does the boiler Anna run? | The operating pressure of Anna is 1,250 kPa. | 1250 kPa
Boiler Berta | When was the boiler Berta built? | The boiler Berta was built on 5 March 1962. | 1962-03-05
Line 4 | How often does line 4 run? | Line 4 runs every 12 minutes on weekdays. | 12 minutes
Ferry | How many cars does the ferry carry? | The ferry carries up to 48 cars on one trip. | 48
Library | How many books may a reader borrow? | A reader may borrow up to 8 books for 30 days. | eight; 30 days
Market | What does a stall at the market cost? | A stall at the market costs 25 euros for a day. | 25 euros
Bridge | How long is the bridge? | The bridge spans 212 metres and was opened in 1931. | 212 metres; 1931
School | How many pupils does the school have? | The school has 640 pupils in 24 classes. | 640; 24 classes
Museum | When is the museum open? | The museum is open from 9 to 17 except on Mondays. | 9; 17
Water | How warm is the spring? | The water of the spring is 38 °C warm all year. | 38 °C
""",
    "software": """
Tool Aster | Which licence has Aster? | Aster is released under the MIT licence since version 2.4. | MIT; 2.4
Tool Birch | Which language is Birch written in? | Birch is written in Rust and has 14 contributors. | Rust; 14
Tool Cedar | Which Python does Cedar need? | Cedar needs Python 3.11 or newer to run. | 3.11
Tool Dogwood | What is the default port of Dogwood? | Dogwood listens on port 8765 by default. | 8765
Tool Elm | How long does Elm keep its logs? | Elm keeps its logs for 90 days and then deletes them. | 90 days
Tool Fir | What is the limit of an upload to Fir? | An upload to Fir may have at most 250 megabytes. | 250 megabytes
Tool Gorse | Who maintains Gorse? | Gorse is maintained by Ines Kolb in Bergen since 2019. | Ines Kolb; 2019
Tool Hazel | How fast is Hazel? | Hazel reads 3,400 files in a second on one core. | 3400 files
""",
    "german": """
Rathaus | Wie hoch ist das Rathaus? | Das Rathaus ist 43,5 Meter hoch und steht am Markt. | 43.5
Brücke | Wann wurde die Brücke gebaut? | Die Brücke wurde am 5. März 1931 eröffnet. | 1931-03-05
Bad | Wie warm ist das Bad? | Das Wasser im Bad ist 28 °C warm. | 28 °C
Schule | Wie viele Kinder gehen in die Schule? | In die Schule gehen 1.240 Kinder aus dem Ort. | 1240
Bahn | Wie oft fährt die Bahn? | Die Bahn fährt alle 15 Minuten nach Süden. | 15
Turm | Wer baute den Turm? | Den Turm baute Ada Kern im Jahr 1902. | Ada Kern; 1902
""",
    "rules": """
Lease | Is heating included in the rent? | Heating is not included in the rent of the boathouse. | not included
Motor | May motor boats be refuelled in the hall? | Motor boats may not be refuelled in the hall. | not be refuelled
Vote | Who voted against the insurance? | Luis Vega voted against the insurance that Ada Brandt proposed. | Luis Vega
Sale | Who sold the Heron to whom? | Ruth Adler sold the Heron to Karl Weiss in 1998. | Ruth Adler; Karl Weiss
Cable | How thick is the cable? | The cable is 14 mm thick and weighs 3 kg per metre. | 14 mm; 3 kg
Jetty | How long is the jetty? | The jetty is 85 metres long and costs 7,400 euros a year. | 85 metres; 7400 euros
Door | May visitors use the back door? | Visitors may never use the back door of the archive. | never
Pool | How warm is the pool? | The pool is heated to 26 °C and is 3 metres deep. | 26 °C; 3 metres
""",
    "lists": """
Kit | What does the kit hold? | The kit holds a rope, a torch, a map and a whistle. | rope; torch; map; whistle
Team | Who is in the team? | The team is made of Ada Kern, Luis Vega and Ines Kolb. | Ada Kern; Luis Vega; Ines Kolb
Stops | Where does the tram stop? | The tram stops at Harbour, Market, School and Mill. | Harbour; Market; School; Mill
Days | When is the market? | The market is on Tuesday, Thursday and Saturday. | Tuesday; Thursday; Saturday
Fuel | Which fuels are sold? | The pump sells diesel, petrol and hydrogen. | diesel; petrol; hydrogen
Farben | Welche Farben gibt es? | Es gibt die Farben Rot, Blau, Grün und Gelb. | Rot; Blau; Grün; Gelb
""",
    "exceptions": """
Museum | When is the museum open? | The museum is open daily except on Mondays. | except on Mondays
Fee | Who pays the fee? | All members pay 40 euros, except students, who pay 15 euros. | 40 euros; 15 euros
Dogs | Are dogs allowed? | Dogs are allowed on the jetty unless the flag is red. | unless the flag is red
Leave | When does leave expire? | Leave expires on 31 March unless Ada agrees. | 31 March; unless Ada agrees
Refund | When is money refunded? | Refunds take 14 days, but not for used tickets. | 14 days; not for used tickets
""",
}


def make_set(text: str) -> tuple[list[GoldenCase], list[CaseOutcome], dict[str, Document]]:
    """Cases with a good answer each, which quotes its own document among others."""
    lines = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    documents = {title: make_document(title, fact) for title, _, fact, _ in lines}
    passages = {title: make_passage(document) for title, document in documents.items()}
    cases, outcomes = [], []
    for index, (title, question, fact, nuggets) in enumerate(lines):
        ranked = [passages[title], *(passages[lines[(index + step) % len(lines)][0]] for step in range(1, 5))]
        shown = tuple(p.model_copy(update={"rank": rank}) for rank, p in enumerate(ranked, start=1))
        cases.append(
            GoldenCase.model_validate(
                {
                    "id": title, "question": question, "kind": "single", "evidence": [{"uri": f"{title}.md"}],
                    "nuggets": [{"fact": part.strip()} for part in nuggets.split(";")],
                }
            )
        )  # fmt: skip
        answer, citations = cite_again(f"{fact} [1]", shown, documents)
        output = TailorOutput(answer=answer, citations=citations, passages=shown)
        outcomes.append(CaseOutcome(output=output, proofs=(True,) * len(citations)))
    return cases, outcomes, documents


def make_document(title: str, fact: str) -> Document:
    filler = " ".join(
        f"It was looked at by the inspector of {place}." for place in ("Bergen", "Riga", "Ghent", "Turku")
    )
    uri = f"file:///x/{title}.md"
    return Document(
        id=Document.id_for(uri), uri=uri, title=title, text=f"{fact} {filler}", content_sha256=title, parser="t/1"
    )


def make_passage(document: Document) -> ScoredChunk:
    chunk = Chunk(
        id=document.id, document_id=document.id, uri=document.uri, title=document.title, text=document.text, start=0,
        end=len(document.text),
    )  # fmt: skip
    return ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="t")


def cite_again(
    answer: str, passages: Sequence[ScoredChunk], documents: dict[str, Document]
) -> tuple[str, tuple[Citation, ...]]:
    by_id = {document.id: document for document in documents.values()}
    proven = {n: by_id[p.chunk.document_id] for n, p in enumerate(passages, start=1)}
    cited = cite(answer, passages, proven)
    return cited.answer, cited.citations


@pytest.mark.parametrize("name", SETS)
async def test_good_answers_score_well(name: str) -> None:
    cases, outcomes, _ = make_set(SETS[name])
    means = {m.name: await mean_score(m, cases, outcomes) for m in default_measures(5) if m.higher}
    assert min(means[n] for n in ("nugget_recall", "nugget_f", "support", "cited", "citation_coverage")) > 0.9


@pytest.mark.parametrize("name", SETS)
async def test_each_measure_falls_under_every_mutation_that_it_claims_to_see(name: str) -> None:
    cases, outcomes, documents = make_set(SETS[name])

    async def verify(answer: str, passages: Sequence[ScoredChunk]) -> tuple[str, Sequence[Citation]]:
        return cite_again(answer, passages, documents)

    assert await find_blind_measures(cases, outcomes, default_measures(5), verify) == []


def test_every_mutation_is_seen_by_some_measure() -> None:
    seen = {name for m in default_measures(5) for name in m.sees}
    assert seen == set(MUTATIONS)


@pytest.mark.parametrize("name", sorted(MUTATIONS))
async def test_every_mutation_changes_answers_of_some_set(name: str) -> None:
    changed = 0
    for text in SETS.values():
        cases, outcomes, _ = make_set(text)
        outputs = [outcome.output for outcome in outcomes if outcome.output is not None]
        changed += sum(MUTATIONS[name](case, o, outputs) != o.answer for case, o in zip(cases, outputs, strict=True))
    assert changed


async def test_a_measure_that_claims_too_much_is_found_out() -> None:
    cases, outcomes, documents = make_set(SETS["machines"])

    @measure(source="says something", sees=("negate", "repeat"))
    def talkative(case: GoldenCase, outcome: CaseOutcome) -> bool:
        return bool(outcome.answer)

    async def verify(answer: str, passages: Sequence[ScoredChunk]) -> tuple[str, Sequence[Citation]]:
        return cite_again(answer, passages, documents)

    blind = await find_blind_measures(cases, outcomes, [talkative], verify)
    assert [(spot.measure, spot.mutation) for spot in blind] == [("talkative", "negate"), ("talkative", "repeat")]


async def report_of(cases: list[GoldenCase], outcomes: list[CaseOutcome]) -> EvalReport:
    by_question = {case.question: outcome for case, outcome in zip(cases, outcomes, strict=True)}

    async def task(query: Query) -> TailorOutput | AgentFailure:
        output = by_question[query.text].output
        assert output is not None
        return output

    return await evaluate(Golden(name="g", cases=tuple(cases)), task)


@pytest.mark.parametrize("name", SETS)
async def test_a_dump_of_the_sources_is_better_in_nothing(name: str) -> None:
    cases, outcomes, documents = make_set(SETS[name])

    async def verify(answer: str, passages: Sequence[ScoredChunk]) -> tuple[str, Sequence[Citation]]:
        return cite_again(answer, passages, documents)

    half = [outcome if i % 2 else blank(outcome) for i, outcome in enumerate(outcomes)]
    dumped = await mutate("dump", cases, outcomes, verify)
    for good in (outcomes, half):
        comparison = compare(await report_of(cases, good), await report_of(cases, dumped))
        assert Decision.BETTER not in {m.decision for m in comparison.measures}
    assert comparison.of("nugget_f").difference.mean < 0 or good is half


def blank(outcome: CaseOutcome) -> CaseOutcome:
    """The same answer without its numbers: the dump holds more facts than this."""
    output = outcome.output
    assert output is not None
    text = re.sub(r"\d+(?![\]])", "some", output.answer)
    return outcome.model_copy(update={"output": output.model_copy(update={"answer": text})})

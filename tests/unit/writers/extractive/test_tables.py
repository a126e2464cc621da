"""Tables: rows by name, extremes, filters, counts and sums, with the cells that they stand on."""

from __future__ import annotations

from decimal import Decimal

import pytest

from roma_core.markup import Frame
from roma_core.markup.questions import read_question
from roma_core.markup.tables import read_tables
from roma_core.types import Chunk, Document, ScoredChunk, Section
from roma_core.writers import ExtractiveWriter
from roma_core.writers.extractive.numerals import read_value
from roma_core.writers.extractive.recipes import look_up_table, quote_units
from roma_core.writers.extractive.sources import CitedSources
from roma_core.writers.extractive.tables import (
    MOST_ROWS,
    MOST_UNSURE,
    TableAnswer,
    answer_from_tables,
    find_missing_thing,
    render_rows,
)
from roma_core.writers.extractive.units import quotable_units

TOOLS = """# Tool shed

Table 2: Tools for hire

| Tool | Maker | Price a day | Weight (kg) | Bought |
|---|---|---|---|---|
| chain saw | Oakley | 24.50 € | 5.1 | 3 May 2021 |
| hedge trimmer | Brandt | 12.00 € | 3.4 | 2019-11-20 |
| hammer drill | Oakley | 18.00 € | 4.4 | 2 February 2023 |
| wet saw | Mullins | 31.00 € | 22 | 2018-07-01 |
"""


def document(text: str = TOOLS, title: str = "Tool shed") -> Document:
    sections = (Section(start=0, end=len(text), title=title, level=1),)
    return Document(
        id="d", uri="file:///tools.md", title=title, text=text, content_sha256="", parser="x", sections=sections
    )


def answer(question: str, text: str = TOOLS, title: str = "Tool shed") -> TableAnswer | None:
    return answer_from_tables(read_question(question), read_tables(document(text, title)))


def first_cells(found: TableAnswer | None) -> list[str]:
    return [row.cells[0] for row in found.rows] if found is not None else []


def test_a_table_is_read_with_its_caption_at_exact_offsets() -> None:
    [table] = read_tables(document())
    assert table.caption == "Table 2: Tools for hire"
    assert TOOLS[slice(*table.find_span(()))].startswith("Table 2")
    assert [TOOLS[row.start : row.end].split("|")[1].strip() for row in table.rows] == [
        "chain saw", "hedge trimmer", "hammer drill", "wet saw",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the price of the hammer drill?", ["hammer drill"]),
        ("How much does the wet saw weigh?", ["wet saw"]),
        ("Which tool is the cheapest?", ["hedge trimmer"]),
        ("Which tool is the most expensive?", ["wet saw"]),
        ("Which tool is the heaviest?", ["wet saw"]),
        ("Which tool was bought last of all, the newest?", ["hammer drill"]),
        ("Which is the oldest tool?", ["wet saw"]),
        ("Which tools weigh more than 5 kg?", ["chain saw", "wet saw"]),
        ("Which tools cost less than 20 €?", ["hedge trimmer", "hammer drill"]),
        ("Which tools cost between 15 and 25 €?", ["chain saw", "hammer drill"]),
        ("Which tools were bought after 2020?", ["chain saw", "hammer drill"]),
        ("Which tools are from Oakley?", ["chain saw", "hammer drill"]),
        ("List all tools for hire.", ["chain saw", "hedge trimmer", "hammer drill", "wet saw"]),
    ],
)
def test_rows_answer_by_name_extreme_and_filter(question: str, rows: list[str]) -> None:
    assert first_cells(answer(question)) == rows


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("What is the total weight of the tools?", "Sum of “Weight (kg)” over 4 rows = 34.9"),
        ("What is the average price of the tools?", "Average of “Price a day” over 4 rows = 21.38 EUR"),
        ("How many tools are from Oakley?", "2 of 4 rows"),
        ("Which tools weigh more than 5 kg?", "2 of 4 rows with “Weight (kg)” more than 5 kg"),
    ],
)
def test_what_is_computed_is_shown_with_its_rows(question: str, lead: str) -> None:
    found = answer(question)
    assert found is not None
    assert found.lead.startswith(lead)
    assert found.rows


PUMPS = """# Pumps

| Property | P-10 | P-20 | P-30 |
|---|---|---|---|
| Flow rate (l/min) | 120 | 145 | 90 |
| Weight (kg) | 18.5 | 19.2 | 27 |
| Noise (dB) | 48 | 51 | 57 |
| Colour | red | grey | red |
"""
ALLOWANCES = """# Allowances

| Country | Full day | Half day |
|---|---|---|
| Peru | 28 | 14 |
| Chile | 53 | 36 |
| Cuba | 30 | 11 |
"""


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        ("Which pump is the heaviest?", "Highest “Weight (kg)” of 3: P-30"),
        ("Which pump has the highest flow rate?", "Highest “Flow rate (l/min)” of 3: P-20"),
        ("Which pump is the quietest?", "Lowest “Noise (dB)” of 3: P-10"),
    ],
)
def test_things_may_stand_side_by_side(question: str, lead: str) -> None:
    found = answer(question, PUMPS, "Pumps")
    assert found is not None
    assert found.lead == lead


def test_columns_that_agree_on_a_row_need_not_be_told_apart() -> None:
    found = answer("Which country has the highest allowances?", ALLOWANCES, "Allowances")
    assert first_cells(found) == ["Chile"]
    assert found is not None and found.lead == "Highest “Full day” and “Half day” of 3 rows"
    assert answer("Which country has the lowest allowances?", ALLOWANCES, "Allowances") is None
    assert answer("Which country has the highest room limit?", ALLOWANCES, "Allowances") is None


def test_the_number_of_a_thing_is_no_measure_of_it() -> None:
    text = "# Orders\n\n| order | item | euros |\n|---|---|---|\n| 1001 | desk | 90 |\n| 1002 | lamp | 20 |\n"
    assert first_cells(answer("Which order was the largest?", text, "Orders")) == ["1001"]


def test_a_row_of_totals_is_no_row_to_compute_with() -> None:
    text = "| Site | Cost |\n|---|---|\n| North | 10 |\n| South | 30 |\n| Total | 40 |\n"
    assert first_cells(answer("Which site has the highest cost?", text, "Sites")) == ["South"]
    assert first_cells(answer("What is the total cost of all sites?", text, "Sites")) == ["Total"]


@pytest.mark.parametrize(
    "question",
    ["What is the price of the lawn mower?", "Who founded the company?", "Which planet is the largest?"],
)
def test_a_table_of_something_else_does_not_answer(question: str) -> None:
    assert answer(question) is None


COUNTS = """| species | pairs | first heard |
|---|---|---|
| Curlew | 4 | 2025-03-20 |
| Redshank | 7 | 2025-04-02 |
"""
CATCHES = """| date | boat | boxes |
|---|---|---|
| 2024-05-01 | Alma | 31 |
| 2024-05-02 | Brage | 12 |
"""
STEWARDS = """| post | name | joined |
|---|---|---|
| treasurer | Ida Holm | 2019-03-01 |
| secretary | Per Moe | 2021-06-15 |
"""


@pytest.mark.parametrize(
    ("question", "text", "title", "rows"),
    [
        ("How many pairs of curlew were there in 2023?", COUNTS, "birds-2025.csv", []),
        ("How many pairs of curlew were there in 2025?", COUNTS, "birds-2025.csv", ["Curlew"]),
        ("How many pairs of curlew were there?", COUNTS, "birds-2025.csv", ["Curlew"]),
        ("How many pairs of curlew were there in 2023?", COUNTS, "Birds", ["Curlew"]),
        ("Which species had the most pairs in 2021?", COUNTS, "Birds of 2025", []),
        ("Which species had the most pairs since 2021?", COUNTS, "Birds of 2025", ["Redshank"]),
        ("How many boxes did the Alma land in 2022?", CATCHES, "Landings", []),
        ("How many boxes did the Alma land in May 2024?", CATCHES, "Landings", ["2024-05-01"]),
        ("Who was treasurer of the sailing club in 2024?", STEWARDS, "Posts of the sailing club", ["treasurer"]),
    ],
)
def test_rows_of_another_year_do_not_answer(question: str, text: str, title: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text, title)) == rows


def test_units_that_do_not_fit_together_are_not_added() -> None:
    text = "| Item | Amount |\n|---|---|\n| flour | 2 kg |\n| milk | 3 litres |\n"
    assert answer("What is the total amount of the items?", text, "Items") is None


def test_rows_are_written_under_their_header_with_markers() -> None:
    found = answer("What is the price of the hammer drill?")
    assert found is not None
    assert render_rows(found, 3).splitlines() == [
        "| Tool | Maker | Price a day | Weight (kg) | Bought [3] |",
        "| --- | --- | --- | --- | --- |",
        "| hammer drill | Oakley | 18.00 € | 4.4 | 2 February 2023 [3] |",
    ]


def test_markers_that_stand_in_a_cell_are_no_citations() -> None:
    found = answer("What is the price of the hammer drill?", TOOLS.replace("18.00 €", "18.00 € [7]"))
    assert found is not None
    assert render_rows(found, 3).splitlines()[-1] == (
        "| hammer drill | Oakley | 18.00 € \\[7] | 4.4 | 2 February 2023 [3] |"
    )


def test_more_rows_than_are_shown_are_counted() -> None:
    rows = "\n".join(f"| tool {number} | {number} € |" for number in range(40))
    found = answer("What is the total price of the tools?", f"| Tool | Price |\n|---|---|\n{rows}\n")
    assert found is not None
    assert len(found.rows) == MOST_ROWS
    assert found.lead.startswith("Sum of “Price” over 40 rows = 780 EUR")
    assert found.lead.endswith("30 of these 40 rows are shown")


def test_names_with_numbers_are_no_values() -> None:
    text = "| Pump | Flow |\n|---|---|\n| pump 3 | 40 |\n| pump 12 | 25 |\n"
    found = answer("Which pump is the largest?", text, "Pumps")
    assert found is None or found.lead.startswith("Highest “Flow”")
    total = answer("What is the total flow of the pumps?", text, "Pumps")
    assert total is not None
    assert total.lead.startswith("Sum of “Flow” over 2 rows = 65")


@pytest.mark.parametrize(
    ("question", "lead"),
    [
        (
            "What is the total weight of the tools?",
            "Sum of “Weight (kg)” over 4 rows = 34.9, computed from these cells",
        ),
        ("Which tool is the heaviest?", "Highest “Weight (kg)” of 4 rows"),
        ("Which tools weigh more than 5 kg?", "2 of 4 rows with “Weight (kg)” more than 5 kg"),
    ],
)
def test_a_row_without_a_value_is_named_as_left_out(question: str, lead: str) -> None:
    found = answer(question, f"{TOOLS}| ladder | Brandt | 9.00 € | unknown | 2015-01-01 |\n")
    assert found is not None
    assert found.lead == f"{lead}; 1 row has no single value there"


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.234,50 €", (Decimal("1234.50"), "EUR")),
        ("(120)", (Decimal(-120), "")),
        ("12 May 2024", (Decimal(20240512), "date")),
        ("Room 12", (Decimal(12), "")),
        ("B-2", None),
        ("three or 4 of 5", None),
        ("", None),
    ],
)
def test_values_of_cells_are_single_numbers_and_dates(cell: str, value: object) -> None:
    assert read_value(cell) == value


CATCH = "| Species | Tonnes 2022 | Tonnes 2023 |\n|---|---|---|\n| Scallop | 47.6 | 52 |\n| Herring | 310 | 335 |\n"


@pytest.mark.parametrize(
    ("question", "lacking"),
    [
        ("How many tonnes of salmon were landed in 2023?", "salmon"),
        ("How many tonnes of herring were landed in 2023?", ""),
        ("How many tonnes of catch were there in 2023?", ""),
        ("How many boats were there in 2023?", ""),
    ],
)
def test_rows_of_other_things_do_not_answer_for_the_thing_that_is_measured(question: str, lacking: str) -> None:
    [table] = read_tables(document(CATCH, "Catch"))
    assert find_missing_thing(read_question(question), TableAnswer(table, table.rows, "", 1.0)) == lacking


def test_who_does_something_is_in_the_column_of_the_doer() -> None:
    text = "| Key | Opens | Holder |\n|---|---|---|\n| K4 | tower | F. Stewart |\n| K5 | cellar | M. Ferris |\n"
    found = answer("Who holds key K4?", text, "Keys")
    assert first_cells(found) == ["K4"]
    assert found is not None
    assert found.coverage == 1.0


def test_a_number_far_behind_a_comparison_is_no_limit() -> None:
    text = "| Item | EUR |\n|---|---|\n| Staff | 312 000 |\n| Masts | 27 400 |\n"
    assert first_cells(answer("How many people of the staff fell ill after a tick bite in 2024?", text, "Staff")) == []


SHIFTS = """| Name | Mon | Tue | Wed |
|---|---|---|---|
| Ola | early | night | off |
| Rhys | night | off | early |
| Una | off | early | night |
"""
BERTHS = """| Berth | Quay | Boats | Mains power | Fee (EUR) |
|---|---|---|---|---|
| B-1 | north quay | 4 | yes | 30 |
| B-2 | north quay | 7 | no | 20 |
| B-3 | south quay | 2 | yes | none |
"""
OUTINGS = """| Date | Guide | Kind | Amount EUR |
|---|---|---|---|
| 2026-05-03 | Moss | boat | 40.00 |
| 2026-06-04 | Moss | coach | 25.50 |
| 2026-06-20 | Reed | boat | 60.00 |
"""
LAMP = """| Property | Value |
|---|---|
| Maximum range | 9 m |
| Noise level | 41 dB |
| Charging time | 50 min |
"""


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("Who works nights on Tuesday?", SHIFTS, ["Ola"]),
        ("Who is off on Monday?", SHIFTS, ["Una"]),
        ("Which shift has Rhys on Wednesday?", SHIFTS, ["Rhys"]),
        ("Which berths have mains power?", BERTHS, ["B-1", "B-3"]),
        ("Which berths do not have mains power?", BERTHS, ["B-2"]),
        ("Does B-2 have mains power?", BERTHS, ["B-2"]),
        ("Which berth has no fee?", BERTHS, ["B-3"]),
        ("Which outings were in June?", OUTINGS, ["2026-06-04", "2026-06-20"]),
        ("How much did Reed spend on the boat?", OUTINGS, ["2026-06-20"]),
        ("What is the maximum range?", LAMP, ["Maximum range"]),
        ("How loud is it?", LAMP, ["Noise level"]),
        ("How long does charging take?", LAMP, ["Charging time"]),
        ("How long is the cable?", LAMP, []),
        ("How wide is it?", LAMP, []),
    ],
)  # fmt: skip
def test_rows_are_those_that_cross_what_is_asked(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text, title="Outings")) == rows


@pytest.mark.parametrize(
    ("question", "text", "lead"),
    [
        ("How many boats lie at the north quay?", BERTHS, "Sum of “Boats” over 2 rows = 11"),
        ("What is the average fee at the north quay?", BERTHS, "Average of “Fee (EUR)” over 2 rows = 25"),
        ("How much did Moss spend in total?", OUTINGS, "Sum of “Amount EUR” over 2 rows = 65.5"),
        ("What was spent on the boat?", OUTINGS, "Sum of “Amount EUR” over 2 rows = 100"),
    ],
)
def test_what_is_computed_is_computed_over_the_rows_that_are_meant(question: str, text: str, lead: str) -> None:
    found = answer(question, text, title="Harbour")
    assert found is not None
    assert found.lead.startswith(lead)


def test_a_column_that_is_called_lowest_is_looked_up() -> None:
    text = "| Group | Minimum order |\n|---|---|\n| Retail | 5 |\n| Key account | 90 |\n"
    assert first_cells(answer("What is the minimum order of a key account?", text)) == ["Key account"]


def test_who_came_before_the_one_of_a_row_is_not_in_the_row() -> None:
    text = "| Team | Head |\n|---|---|\n| Sails | Ada Lund |\n| Ropes | Kit Moe |\n"
    assert answer("Who was the head of Sails before Lund?", text) is None


def keyword_sources(text: str) -> tuple[Document, ScoredChunk]:
    held = document(text, title="Outings")
    chunk = Chunk(id="c", document_id=held.id, uri=held.uri, title=held.title, text=text, start=0, end=len(text))
    return held, ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")


@pytest.mark.parametrize(
    ("keywords", "said", "unsaid"),
    [
        ("outings in June", "2 of 3 rows", "2026-05-03"),
        ("total amount of the outings", "= 125.5", "Best passages"),
        ("outings", "Best passages", "3 of 3"),
        ("outings -June", "Best passages", "2 of 3 rows"),
        ("boat repairs", "Best passages", "2 of 3 rows"),
    ],
)
async def test_keywords_get_the_rows_that_they_name_in_full(keywords: str, said: str, unsaid: str) -> None:
    held, passage = keyword_sources(OUTINGS)
    answer = "".join((await ExtractiveWriter().answer(keywords, [passage], [held])).pieces)
    assert said in answer
    assert unsaid not in answer


@pytest.mark.parametrize(
    ("named", "count"),
    [(("05-03",), None), (("05-03", "06-04"), "2 of 3 rows"), (("05-03", "06-04", "06-20"), "3 of 3 rows")],
    ids=["one", "two", "all"],
)
def test_rows_that_were_found_one_by_one_are_counted_too(named: tuple[str, ...], count: str | None) -> None:
    held, passage = keyword_sources(OUTINGS)
    rows = [unit for unit in quotable_units([passage]) if unit.is_row and any(day in unit.quote for day in named)]
    assert len(rows) == len(named)
    quoted = quote_units(rows, CitedSources([passage], [held]))
    assert [str(piece) for piece in quoted if "rows" in piece] == ([f"{count}:\n\n"] if count else [])
    assert all(isinstance(piece, Frame) for piece in quoted if "rows" in piece), "it is no statement of a source"


def test_rows_that_are_looked_up_are_counted_too() -> None:
    held, passage = keyword_sources(TOOLS)
    found = look_up_table(read_question("What do the chain saw and the wet saw cost?"), CitedSources([passage], [held]))
    assert found is not None
    assert "2 of 4 rows:" in "".join(found.pieces)


@pytest.mark.parametrize(
    ("keywords", "said"),
    [("tools for the kite", "2 of 2"), ("glue for the kite", "Best passages"), ("kite tools string", "Best passages")],
)
async def test_keywords_get_the_list_that_they_name_in_full(keywords: str, said: str) -> None:
    text = "# The kite\n\n## Tools\n\n- a knife and glue\n- a ruler of steel\n"
    sections = (
        Section(start=0, end=len(text), title="The kite", level=1),
        Section(start=12, end=len(text), title="Tools", level=2),
    )
    held = document(text, title="The kite").model_copy(update={"sections": sections})
    chunk = Chunk(id="c", document_id=held.id, uri=held.uri, title=held.title, text=text, start=0, end=len(text))
    passage = ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")
    assert said in "".join((await ExtractiveWriter().answer(keywords, [passage], [held])).pieces)


async def test_the_articles_of_a_price_list_are_no_documents() -> None:
    text = "| Article | Price |\n|---|---|\n| rope | 3 |\n| sail | 9 |\n"
    held = document(text, title="Price list")
    chunk = Chunk(id="c", document_id=held.id, uri=held.uri, title=held.title, text=text, start=0, end=len(text))
    passage = ScoredChunk(chunk=chunk, score=1.0, rank=1, retriever="test")
    answer = await ExtractiveWriter().answer("How many articles are on the price list?", [passage], [held])
    assert "2 of 2 rows" in "".join(answer.pieces)


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("What is the difference between the chain saw and the wet saw?", ["chain saw", "wet saw"]),
        ("Which is cheaper, the chain saw or the wet saw?", ["chain saw", "wet saw"]),
        ("Compare the chain saw and the band saw.", []),
    ],
)
def test_two_rows_are_compared(question: str, rows: list[str]) -> None:
    assert first_cells(answer(question)) == rows


STOCK = """| Asset | Type | User | Price EUR |
|---|---|---|---|
| A-1 | Laptop | Ines | 900 |
| A-2 | Laptop | Karl | 950 |
| A-3 | Printer | Ines | 650 |
"""
EFFECTS = """| Frequency | Side effect |
|---|---|
| Common | headache, dizziness |
| Rare | cough, rash |
| Unknown | fever |
"""
TRAINS = """| Station | Train 21 | Train 23 |
|---|---|---|
| Ashby | 06:12 | 09:12 |
| Easton | 07:05 | 10:02 |
"""


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("How many laptops are there?", STOCK, ["A-1", "A-2"]),
        ("How many keyboards are there?", STOCK, []),
        ("What did the printer cost?", STOCK, ["A-3"]),
        ("How common is a rash as a side effect?", EFFECTS, ["Common", "Rare"]),
        ("Is a rash a common side effect?", EFFECTS, ["Common", "Rare"]),
        ("When does the first train leave Ashby?", TRAINS, ["Ashby"]),
        ("When does train 23 arrive in Easton?", TRAINS, ["Easton"]),
    ],
)
def test_rows_are_named_by_their_cells(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text, title="Harbour")) == rows


def test_several_rows_that_lack_a_word_are_not_sure() -> None:
    text = "| id | owner | height_m |\n|---|---|---|\n| N3 | Moor | 371 |\n| N4 | Moor | 412 |\n| N5 | Dale | 9 |\n"
    found = answer("At what height are the fluxes of the owner Moor?", text, title="Stations")
    assert found is not None
    assert found.coverage == MOST_UNSURE


def test_what_things_come_to_together_is_added_up() -> None:
    table = "| Service | Monthly cost |\n| --- | --- |\n| broker | 18 |\n| planner | 27 |\n"
    found = answer("What do all services cost together?", table, "Services")
    assert found is not None and "= 45" in found.lead


def test_a_kind_with_a_hyphen_is_counted() -> None:
    text = "| boat | type |\n| --- | --- |\n| Tern | e-boat |\n| Gull | sail |\n| Skua | e-boat |\n"
    found = answer("How many e-boats do we have?", text, "boats.csv")
    assert found is not None and found.lead == "2 of 3 rows" and first_cells(found) == ["Tern", "Skua"]


PATIENTS = """| Bed | Patient | Age | Diet | Allergies |
|---|---|---|---|---|
| 1 | Mr Whitlock | 81 | soft | nuts, milk |
| 2 | Mrs Adeyemi | 67 | normal |  |
| 4 | Mr Ito | 54 | normal | milk |
| 5 | Mrs Trent | 73 | low salt | no nuts |
"""
ROTA = """| Date | Shift | Nurse | Assistant |
|---|---|---|---|
| 2026-10-12 | Day | Benedict Shaw | Tomas Varga |
| 2026-10-12 | Night | Adaeze Obi | Grace Mbeki |
| 2026-10-13 | Day | Benedict Shaw | Tomas Varga |
| 2026-10-13 | Night | Adaeze Obi | Tomas Varga |
"""
STOCK = """| Item | In stock | Minimum | Price (£) | Checked | Status |
|---|---|---|---|---|---|
| Gauze | 36 | 60 | 0.11 | 2026-01-04 | working |
| Pens | 9 | 12 | 6.40 | 2026-02-03 | battery fault |
| Tape | 200 | 50 | 0.02 | 2026-02-09 | not working |
| Pads | 40 | 40 | 0.30 | 2026-03-01 | working |
"""


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("How many patients are older than 70?", ["1", "5"]),
        ("Which patients are younger than 70?", ["2", "4"]),
    ],
)
def test_who_is_older_has_a_higher_age(question: str, rows: list[str]) -> None:
    assert first_cells(answer(question, PATIENTS, "Ward")) == rows


@pytest.mark.parametrize(
    ("question", "rows", "lead"),
    [
        ("Which items are below the minimum?", ["Gauze", "Pens"], "2 of 4 rows with “In stock” below “Minimum”"),
        ("Which items are above their minimum?", ["Tape"], "1 of 4 rows with “In stock” above “Minimum”"),
        ("How many items exceed the minimum?", ["Tape"], "1 of 4 rows with “In stock” exceed “Minimum”"),
        ("Which items have a price below the stock?", ["Gauze", "Pens", "Tape", "Pads"],
         "4 of 4 rows with “Price (£)” below “In stock”"),
    ],
)  # fmt: skip
def test_columns_are_compared_with_each_other(question: str, rows: list[str], lead: str) -> None:
    found = answer(question, STOCK, "Stock")
    assert first_cells(found) == rows
    assert found is not None
    assert found.lead == lead


def test_a_limit_that_no_column_holds_compares_nothing() -> None:
    assert first_cells(answer("Which item has the lowest minimum?", STOCK, "Stock")) == ["Pens"]
    assert first_cells(answer("Which items are below the shelf?", STOCK, "Stock")) == []
    assert first_cells(answer("Which items have a price over the minimum?", STOCK, "Stock")) == []


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("Which items are not working?", STOCK, ["Pens", "Tape"]),
        (
            "Which rooms have no own bath?",
            "| Room | Bath | Free |\n|---|---|---|\n| A | own | no |\n| B | shared | yes |\n",
            ["B"],
        ),
        ("How many items aren't working?", STOCK, ["Pens", "Tape"]),
        ("Which patients do not have a soft diet?", PATIENTS, ["2", "4", "5"]),
        ("Which patients are not allergic to milk or nuts?", PATIENTS, ["2", "5"]),
        ("Which patients are not in a room of their own?", PATIENTS, []),
        ("Who does not work with Tomas Varga?", ROTA, []),
    ],
)
def test_rows_without_a_state_answer_what_denies_it(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text, "Ward stock: items and patients who have a diet or are allergic")) == rows


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("Which items cost under 10 euros?", ["Cup", "Uniform"]),
        ("Which items do not cost more than 10 euros?", []),
        ("Which items of the union cost more than 10 euros?", ["Bowl"]),
        ("Which items are unsold?", ["Cup", "Bowl"]),
        ("How many units of the cup are there until May?", []),
    ],
)
def test_words_that_begin_like_a_denial_deny_nothing(question: str, rows: list[str]) -> None:
    table = (
        "The shop of the union:\n\n| Item | Price | State |\n|---|---|---|\n| Cup | 4 euros | new |\n"
        "| Bowl | 12 euros | new |\n| Uniform | 9 euros | sold |\n"
    )
    assert first_cells(answer(question, table)) == rows


PAYROLL = """# Payroll

| Name | Department | Salary | Start | Status |
|---|---|---|---|---|
| Ana Ruiz | Sales | 3,200 EUR | 2021-03-01 | active |
| Ben Cole | IT | 4,100 EUR | 2019-09-15 | on leave |
| Cy Dorn | Sales | 2,900 EUR | 2024-01-08 | active |
"""
HOSTEL = """# Hostel

| Room | Beds | Floor |
|---|---|---|
| Oak | 4 | 1 |
| Elm | 2 | 2 |
| Ash | 6 | 3 |
| Fir | 2 | 3 |
"""
SERVICE = """# Equipment

| Asset | Last serviced | Ward |
|---|---|---|
| Pump | 2025-11-02 | 4 |
| ECG | 2026-08-14 | 3 |
"""


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("How many people work in Sales?", PAYROLL, ["Ana Ruiz", "Cy Dorn"]),
        ("How many employees are active?", PAYROLL, ["Ana Ruiz", "Cy Dorn"]),
        ("Who is on leave?", PAYROLL, ["Ben Cole"]),
        ("Which employees earn more than 3000 euros?", PAYROLL, ["Ana Ruiz", "Ben Cole"]),
        ("Who joined most recently?", PAYROLL, ["Cy Dorn"]),
        ("How many people work in Marketing?", PAYROLL, []),
        ("How many women work in Sales?", PAYROLL, []),
        ("How many employees are active or on leave?", PAYROLL, ["Ana Ruiz", "Ben Cole", "Cy Dorn"]),
        ("Which departments have more than one person?", PAYROLL, []),
        ("How many colleagues does Ana Ruiz have?", PAYROLL, []),
        ("Who is the oldest employee?", PAYROLL, []),
        ("Who is the boss of Ana Ruiz?", PAYROLL, []),
        (
            "How many people work on the ferries?",
            "| Name | Cars |\n|---|---|\n| Great Tern | 4 |\n| Big Auk | 9 |\n",
            [],
        ),
        ("Which rooms are on floor 3?", HOSTEL, ["Ash", "Fir"]),
        ("Which rooms are on the third floor?", HOSTEL, ["Ash", "Fir"]),
        ("Which rooms are above floor 1?", HOSTEL, ["Elm", "Ash", "Fir"]),
        ("How many rooms have two beds?", HOSTEL, ["Elm", "Fir"]),
        ("How many rooms have five beds?", HOSTEL, []),
        ("Which assets were last serviced before 2026?", SERVICE, ["Pump"]),
        ("Which assets were last serviced before May 2026?", SERVICE, ["Pump"]),
    ],
)
def test_rows_are_told_by_what_a_table_lists_and_by_its_columns(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text)) == rows


BILLS = """# Invoices

| No. | Customer | Amount | Paid |
|---|---|---|---|
| 1001 | Alder | 1,200 EUR | 2026-02-01 |
| 1002 | Birch | 340 EUR | - |
| 1003 | Cedar | 2,050 EUR | |
| 1004 | Alder | 90 EUR | 2026-02-20 |
"""
BUSES = """# Buses

| Line | Departs | Arrives | Platform |
|---|---|---|---|
| 7 | 06:15 | 06:50 | 2 |
| 9 | 08:15 | 08:50 | 2 |
| 12 | 07:05 | 08:20 | 1 |
"""


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("Which invoices are unpaid?", BILLS, ["1002", "1003"]),
        ("Which invoices are not paid?", BILLS, ["1002", "1003"]),
        ("Which invoices are over 1000 euros?", BILLS, ["1001", "1003"]),
        ("Which is the largest invoice?", BILLS, ["1003"]),
        ("Which buses leave before 08:00?", BUSES, ["7", "12"]),
        ("Which buses arrive after 08:30?", BUSES, ["9"]),
        ("Which buses leave before 05:00?", BUSES, []),
        ("List all invoices over 1000 euros.", BILLS, ["1001", "1003"]),
    ],
)
def test_amounts_times_and_empty_cells_tell_rows(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text)) == rows


def test_a_time_is_compared_with_no_number() -> None:
    assert answer("Which boats leave before 08:00?", "| Boat | Berth |\n|---|---|\n| Tern | 2 |\n| Auk | 9 |\n") is None


def test_a_raised_digit_is_no_number_of_a_column() -> None:
    floors = "| Room | Floor |\n|---|---|\n| Oak | ² |\n| Elm | 2 |\n| Ash | 3 |\n"
    assert first_cells(answer("Which rooms are on floor 2?", floors)) == ["Elm"]


def test_a_sum_leaves_out_the_column_that_says_which_rows_are_meant() -> None:
    found = answer("How many beds are on the third floor?", HOSTEL)
    assert found is not None and "“Beds” over 2 rows = 8" in found.lead


def test_a_column_that_is_no_limit_is_compared_with_none_that_is_not_named() -> None:
    rooms = "| Room | Beds | Floor |\n|---|---|---|\n| A | 2 | 1 |\n| B | 1 | 3 |\n"
    found = answer("Which rooms are above the ground floor?", rooms)
    assert found is None or "Beds" not in found.lead


def test_a_cell_that_denies_is_what_is_asked() -> None:
    table = "| Bill | State |\n|---|---|\n| 1 | paid |\n| 2 | unpaid |\n| 3 | not paid |\n"
    assert first_cells(answer("Which bills are unpaid?", table)) == ["2", "3"]


def test_what_all_rows_have_is_denied_of_none() -> None:
    assert (
        first_cells(answer("Which bins are not grey?", "| Bin | Colour |\n|---|---|\n| A | grey |\n| B | grey |\n"))
        == []
    )


@pytest.mark.parametrize(
    ("question", "text", "rows"),
    [
        ("How many night shifts does Grace Mbeki have?", ROTA, ["2026-10-12"]),
        ("How many day shifts does Grace Mbeki have?", ROTA, []),
        ("Is Ola off on Tuesday?", SHIFTS, ["Ola"]),
    ],
)
def test_rows_that_cross_and_are_named_come_alone(question: str, text: str, rows: list[str]) -> None:
    assert first_cells(answer(question, text, "Shifts")) == rows


ORDERS = """| Order | Customer | Article | Quantity | Amount (€) | Status |
|---|---|---|---|---|---|
| A-1 | Hotel Lake | T-204 | 12 | 6480 | delivered |
| A-2 | Law firm | R-610 | 6 | 4140 | delivered |
| A-3 | Hotel Lake | B-402 | 10 | 12800 | in work |
"""


def test_the_total_of_orders_is_that_of_their_only_money() -> None:
    found = answer("What is the total of all orders from Hotel Lake?", ORDERS, "Orders")
    assert found is not None
    assert found.lead == "Sum of “Amount (€)” over 2 rows = 19,280, computed from these cells"
    totals = ORDERS.replace("Quantity", "Sum")
    found = answer("What is the total of all orders from Hotel Lake?", totals, "Orders")
    assert found is not None
    assert found.lead.startswith("Sum of “Sum” over 2 rows = 22")


def test_a_filter_of_things_that_a_table_does_not_speak_of_finds_none() -> None:
    assert first_cells(answer("Which tools cost less than 20 €?")) == ["hedge trimmer", "hammer drill"]
    assert first_cells(answer("Which items cost less than 20 €?")) == ["hedge trimmer", "hammer drill"]
    assert first_cells(answer("Which furniture costs less than 20 €?")) == []


def test_a_code_is_looked_up_where_it_names_the_row() -> None:
    articles = "| Article | Model | Price |\n|---|---|---|\n| T-204 | Lund | 540 € |\n| B-402 | Mika | 1280 € |\n"
    tables = [*read_tables(document(ORDERS, "Orders")), *read_tables(document(articles, "Prices"))]
    found = answer_from_tables(read_question("What is T-204?"), tables)
    assert found is not None
    assert first_cells(found) == ["T-204"]


def test_orders_in_total_are_counted_where_no_column_says_how_many() -> None:
    found = answer("How many orders are there in total?", ORDERS, "Orders")
    assert found is not None
    assert found.lead == "3 of 3 rows"


def test_the_highest_total_is_that_of_the_column_of_totals() -> None:
    totals = ORDERS.replace("Amount (€)", "Total (€)")
    assert first_cells(answer("Which order has the highest total?", totals, "Orders")) == ["A-3"]


def test_a_cell_that_is_a_name_with_a_number_names_its_row() -> None:
    text = "| Boat | Owner | Place |\n|---|---|---|\n| Teal | Fiona | rack 5 |\n| Dunlin | Isla | rack 2 |\n"
    assert first_cells(answer("Which owner has rack 5?", text, "Boats")) == ["Teal"]

"""Answers of their own kinds: facts and lists of documents, summaries, lists and tables, each whole and cited. Pure.

A recipe returns pieces of text whose markers name passages of ``CitedSources``, with the share of the question's words
that it accounts for; or None where it has nothing to say.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from roma_core.facts import FactName, state_fact
from roma_core.markup import Frame, escape_markers, join_piece
from roma_core.markup.questions import (
    Question,
    content_words,
    find_codes,
    holds_all_codes,
    is_search_syntax,
    read_question,
)
from roma_core.markup.sentences import Sentence, split_part, split_sentences
from roma_core.markup.tables import read_tables, split_cells
from roma_core.types import Chunk, Document
from roma_core.writers.extractive.editions import find_changes
from roma_core.writers.extractive.events import find_events
from roma_core.writers.extractive.facts import (
    asks_author,
    asks_date,
    asks_documents,
    count_other_words,
    file_name,
    find_documents_noun,
    match_title,
    read_newest_date,
    subject_words,
    title_span,
)
from roma_core.writers.extractive.foreign_questions import read_foreign_question
from roma_core.writers.extractive.lists import (
    MOST_ITEM_CHARS,
    MOST_ITEMS,
    ListAnswer,
    add_up_items,
    answer_from_lists,
    find_amount,
    read_lists,
)
from roma_core.writers.extractive.references import answer_from_reference
from roma_core.writers.extractive.scopes import have_opposites
from roma_core.writers.extractive.sections import answer_from_sections
from roma_core.writers.extractive.selection import render_quotes
from roma_core.writers.extractive.sources import CitedSources
from roma_core.writers.extractive.tables import (
    TableAnswer,
    answer_from_tables,
    count_shown,
    find_contrary_rows,
    find_missing_thing,
    is_called_by_code,
    render_rows,
    write_table,
)
from roma_core.writers.extractive.units import QuotableUnit
from roma_core.writers.extractive.wording import describe_disagreement, describe_source

MOST_HEADINGS = 10
MOST_CHANGES = 12
MOST_KEY_SENTENCES = 3
MOST_ABSTRACT_SENTENCES = 4
LEAST_OPENING_WORDS = 15
MOST_SECTION_WORDS = 60
_ABSTRACT = frozenset(
    "abstract summary overview introduction purpose tl;dr tldr about synopsis zusammenfassung".split()
)
_AUTHOR: Final[tuple[tuple[str, tuple[FactName, ...]], ...]] = (("Author", ("author",)),)
_DATES: Final[tuple[tuple[str, tuple[FactName, ...]], ...]] = (
    ("Published", ("published", "created")),
    ("Modified", ("modified",)),
)
_ASKS_SECTION = re.compile(
    r"\b(?:which|what) (?:\w+ )?(?:versions?|releases?|editions?|sections?|chapters?|articles?|paragraphs?|clauses?)\b",
    re.IGNORECASE,
)
"""What only the heading says of a sentence below it: "Which version added single sign-on?"."""
_SAME_TITLE = 0.6
"""Share of the words of a subject that a document's title has, from which on it is meant."""


@dataclass(frozen=True)
class RecipeAnswer:
    """An answer of its own kind; ``coverage`` is the share of the question that it accounts for (0..1)."""

    pieces: tuple[str, ...]
    coverage: float
    is_whole: bool = False
    """True when it answers all that was asked, so that no sentence can say more."""
    table: TableAnswer | None = None
    """The rows that it shows, where it is looked up in a table."""


def find_subject(words: set[str], documents: Sequence[Document]) -> Document | None:
    """Return the document whose title has most of ``words`` and least beside them; None where none has enough."""
    best = max(documents, key=lambda d: (match_title(words, d), -count_other_words(words, d)), default=None)
    if best is None or match_title(words, best) < _SAME_TITLE:
        return None
    return best


# Facts


def state_facts(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return who wrote a document, when it was written or changed, or which documents there are about something."""
    if asks_documents(question) and not asks_author(question):
        return _list_documents(question, sources)
    if asks_author(question):
        wanted = _AUTHOR
    elif asks_date(question):
        wanted = _DATES[::-1] if _wants_change(question) else _DATES
    else:
        return None
    words = subject_words(question)
    document = find_subject(words, sources.documents) if words else _only(sources.documents)
    if document is None:
        return None
    stated = ((label, state_fact(document.metadata, names)) for label, names in wanted)
    label, value = next((fact for fact in stated if fact[1]), ("", ""))
    if not value:
        return None
    at = document.text.find(value)
    span = _line_of(document, at) if at >= 0 else title_span(document) or _first_line(document)
    number = sources.cite(document, *span)
    said = document.text[slice(*span)] if at >= 0 else f"{label} of “{document.title}”: {value}"
    return RecipeAnswer((f"{escape_markers(said)} [{number}]",), 1.0, is_whole=True)


def _wants_change(question: Question) -> bool:
    return (
        bool(content_words("updated modified changed revised revision last") & question.words)
        or "last" in question.text
    )


def _only(documents: Sequence[Document]) -> Document | None:
    return documents[0] if len(documents) == 1 else None


def _line_of(document: Document, at: int) -> tuple[int, int]:
    start = document.text.rfind("\n", 0, at) + 1
    end = document.text.find("\n", at)
    end = len(document.text) if end < 0 else end
    if end - start > 200:
        return at, min(end, at + 200)
    return start, end


def _first_line(document: Document) -> tuple[int, int]:
    units = split_sentences(document.text[:5000])
    return (units[0].start, units[0].end) if units else (0, min(80, len(document.text)))


def _list_documents(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    words = subject_words(question)
    if not words or _asks_rows(question, sources):
        return None
    chosen = [d for d in sources.documents if _is_about(words, d)]
    if not chosen:
        return None
    pieces: list[str] = [Frame(f"{len(chosen)} of the {len(sources.documents)} documents that were found speak of it:")]
    for position, document in enumerate(chosen):
        span = title_span(document) or _first_line(document)
        number = sources.cite(document, *span)
        glue = "\n\n- " if position == 0 else "\n- "
        pieces.append(f"{glue}{escape_markers(document.text[slice(*span)])} [{number}]")
    return RecipeAnswer(tuple(pieces), 1.0, is_whole=True)


def _asks_rows(question: Question, sources: CitedSources) -> bool:
    """Return whether what is counted or listed are rows of a table: the articles of a price list are no documents."""
    noun = content_words(find_documents_noun(question))
    tables = (table for document in sources.documents for table in read_tables(document))
    return any(noun & content_words(table.header.cells[0]) for table in tables)


def _is_about(words: set[str], document: Document) -> bool:
    if match_title(words, document) >= 0.5 or words <= content_words(state_fact(document.metadata, ("author",))):
        return True
    counted = Counter(word for word in _all_words(document.text) if word in words)
    return len(counted) == len(words) and sum(counted.values()) >= 2 * len(words)


def _all_words(text: str) -> Iterable[str]:
    for sentence in split_sentences(text[:100_000]):
        yield from content_words(sentence.of(text))


# Summaries


def summarise(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return the abstract of the document that is meant, else its key sentences, and its headings."""
    words = content_words(question.subject)
    first = sources.documents[0] if sources.documents else None
    document = find_subject(words, sources.documents) if words else first
    if document is None:
        return None
    units = split_sentences(document.text)
    sentences = _abstract(document, units) or _opening(document, units) or _key_sentences(document, units)
    headings = _top_headings(document)
    if not sentences and not headings:
        return None
    pieces: list[str] = [Frame(f"“{escape_markers(document.title)}” in its own words:")]
    for position, sentence in enumerate(sentences):
        number = sources.cite(document, sentence.start, sentence.end)
        glue = "\n\n" if position == 0 else " "
        pieces.append(f"{glue}{escape_markers(sentence.of(document.text))} [{number}]")
    if len(headings) > 1:
        pieces.append(Frame(f"\n\nIts sections, {min(len(headings), MOST_HEADINGS)} of {len(headings)}:\n"))
        for start, end in headings[:MOST_HEADINGS]:
            pieces.append(f"\n- {escape_markers(document.text[start:end])} [{sources.cite(document, start, end)}]")
    return RecipeAnswer(tuple(pieces), 1.0, is_whole=True)


def _prose(units: Sequence[Sentence], text: str) -> list[Sentence]:
    return [
        unit
        for unit in units
        if unit.kind in {"paragraph", "quote"}
        and len(unit.of(text).split()) >= 5
        and unit.of(text).rstrip()[-1:] in '.!。！"”)'
    ]


def _abstract(document: Document, units: Sequence[Sentence]) -> list[Sentence]:
    """Return the first sentences of the section that is an abstract by its title."""
    section = next(
        (
            s
            for s in document.sections
            if set(s.title.casefold().strip(" .:").split()) & _ABSTRACT and len(s.title) < 40
        ),
        None,
    )
    if section is None:
        return []
    inside = [unit for unit in units if section.start <= unit.start < section.end]
    return _prose(inside, document.text)[:MOST_ABSTRACT_SENTENCES]


def _opening(document: Document, units: Sequence[Sentence]) -> list[Sentence]:
    """Return the paragraph between the title and the first heading inside, where it says enough."""
    headings = sorted(s.start for s in document.sections)
    prose = _prose(units, document.text)
    if not prose:
        return []
    end = next((start for start in headings if start > prose[0].start), len(document.text))
    opening: list[Sentence] = []
    for sentence in prose:
        if sentence.start >= end or (opening and document.text.count("\n\n", opening[-1].end, sentence.start)):
            break
        opening.append(sentence)
    words = sum(len(sentence.of(document.text).split()) for sentence in opening)
    return opening[:MOST_ABSTRACT_SENTENCES] if words >= LEAST_OPENING_WORDS else []


def _key_sentences(document: Document, units: Sequence[Sentence]) -> list[Sentence]:
    """Return the first sentence, and those with most of the words that the document repeats, in their order."""
    prose = _prose(units, document.text)[:400]
    if not prose:
        return []
    words = [content_words(unit.of(document.text)) for unit in prose]
    counts = Counter(word for own in words for word in own)
    title = content_words(document.title)
    weights = {
        index: (sum(counts[word] for word in own if counts[word] > 1) + 3 * len(own & title)) / (8 + len(own))
        for index, own in enumerate(words)
    }
    best = sorted(weights, key=lambda index: (-weights[index], index))
    chosen = sorted(list(dict.fromkeys([0, *best]))[:MOST_KEY_SENTENCES])
    return [prose[index] for index in chosen]


def _top_headings(document: Document) -> list[tuple[int, int]]:
    """Return where the headings of the highest level stand that has more than one."""
    for level in range(1, 7):
        at_level = [s for s in document.sections if s.level == level and s.kind == "heading"]
        if len(at_level) > 1:
            spans = [(document.text.find(s.title, s.start, s.start + len(s.title) + 40), s.title) for s in at_level]
            return [(at, at + len(title)) for at, title in spans if at >= 0]
    return []


# Lists and tables


def list_items(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return a list whole, or the part of it that the question names, with "7 of 7"; an amount of it or their sum."""
    lists = [items for document in sources.documents for items in read_lists(document)]
    written = [items for items in lists if not items.is_of_headings]
    added = add_up_items(question, written)
    if added is not None:
        everything = tuple(range(len(added.items.items)))
        listed = _render_list(ListAnswer(replace(added.items, lead=None), everything, "", 1.0), sources)
        return RecipeAnswer((f"{escape_markers(added.lead)}:\n", *listed[1:]), 1.0, is_whole=True)
    amount = find_amount(question, written)
    if amount is not None:
        start, end = amount.items.items[amount.chosen[0]]
        said = " ".join(amount.items.document.text[start : min(end, start + MOST_ITEM_CHARS)].split())
        number = sources.cite(amount.items.document, start, end)
        return RecipeAnswer((f"{escape_markers(said)} [{number}]",), min(1.0, amount.coverage), is_whole=True)
    is_asked = question.kind in {"list", "how_many"} or question.asks_several
    answer = answer_from_lists(question, lists) if is_asked else None
    if answer is None:
        return None
    return RecipeAnswer(tuple(_render_list(answer, sources)), min(1.0, answer.coverage), is_whole=True)


def look_up_keywords(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return the rows or the list that keywords name in full: "expenses of August", "ingredients of the soup".

    What keywords ask to compute ("total of the expenses") is computed. A whole table is no answer to its title.
    """
    if is_search_syntax(question.text):
        return None
    asked = read_question(f"{question.text}?")
    if asked.kind in {"open", "definition", "table_lookup", "summary", "yes_no"}:
        asked = replace(asked, kind="list")
    answer = look_up_table(asked, sources)
    if answer is not None and answer.coverage >= 1.0 and answer.table is not None and _is_narrowed(answer.table):
        return answer
    if asked.kind != "list":
        return None
    lists = [items for document in sources.documents for items in read_lists(document) if not items.is_of_headings]
    items = answer_from_lists(asked, lists)
    headings = items.items.headings[-1:] if items is not None else ()
    if items is None or items.coverage < 1.0 or not question.words & content_words(" ".join(headings)):
        return None
    return RecipeAnswer(tuple(_render_list(items, sources)), 1.0, is_whole=True)


def _is_narrowed(answer: TableAnswer) -> bool:
    """Return whether an answer computes something, or shows some of the rows of its table."""
    return answer.is_computed and not (answer.counts_only and len(answer.rows) == len(answer.table.rows))


def quote_changes(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return what differs between two editions of a document, each sentence beside the one that it came in place of."""
    changes = find_changes(question, (*sources.documents, *sources.relatives))
    if changes is None:
        return None
    old, new = changes.old, changes.new
    first, second = (
        describe_source(file_name(document.uri), read_newest_date(document)).rstrip(":") for document in (old, new)
    )
    pieces: list[str] = [Frame(f"What differs between {first} and {second}:")]
    shown = 0
    for before, after in changes.changed[:MOST_CHANGES]:
        pieces += [Frame("\n\nBefore: "), _cite_line(old, before, sources)]
        pieces += [Frame("\n\nNow: "), _cite_line(new, after, sources)]
        shown += 1
    for label, document, sentences in (("Added", new, changes.added), ("Removed", old, changes.removed)):
        for sentence in sentences[: MOST_CHANGES - shown]:
            pieces += [Frame(f"\n\n{label}: "), _cite_line(document, sentence, sources)]
            shown += 1
    total = len(changes.changed) + len(changes.added) + len(changes.removed)
    if shown < total:
        pieces.append(Frame(f"\n\n{shown} of {total} differences are shown."))
    return RecipeAnswer(tuple(pieces), 1.0, is_whole=True)


def _cite_line(document: Document, sentence: Sentence, sources: CitedSources) -> str:
    number = sources.cite(document, sentence.start, sentence.end)
    return f"{escape_markers(' '.join(sentence.of(document.text).split()))} [{number}]"


def quote_reference(question: str, sources: CitedSources) -> RecipeAnswer | None:
    """Return the part that a question names by its number: "§ 5 Abs. 2", "clause 4"."""
    answer = answer_from_reference(question, sources.documents)
    if answer is None:
        return None
    return RecipeAnswer(tuple(_render_list(answer, sources)), 1.0, is_whole=True)


def quote_section(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return what stands under the heading that is meant: the changes of a version, the steps of a task."""
    answer = answer_from_sections(question, sources.documents)
    if answer is None:
        return None
    return RecipeAnswer(tuple(_render_list(answer, sources)), answer.coverage, is_whole=True)


def _render_list(answer: ListAnswer, sources: CitedSources) -> list[str]:
    items, shown = answer.items, answer.chosen[:MOST_ITEMS]
    document, total = items.document, len(items.items)
    spans = [items.items[index] for index in shown]
    first = items.lead.start if items.lead is not None else spans[0][0]
    pieces: list[str] = []
    number = sources.cite(document, first, spans[-1][1])
    if items.lead is not None:
        pieces.append(f"{escape_markers(items.lead_text)} [{number}]\n\n")
    if len(answer.chosen) < total:
        counted = f"{len(answer.chosen)} of {total} with “{answer.by}”"
        if len(shown) < len(answer.chosen):
            counted += f", {len(shown)} of them shown"
        pieces.append(Frame(f"{counted}:\n"))
    elif total > 1:
        pieces.append(Frame(f"{len(shown)} of {total}{' shown' if len(shown) < total else ''}:\n"))
    for place, (start, end) in enumerate(spans, 1):
        text = " ".join(document.text[start : min(end, start + MOST_ITEM_CHARS)].split())
        mark = f"{place}." if items.is_numbered and len(shown) == total else "-"
        pieces.append(f"\n{mark} {escape_markers(text)} [{number}]")
    return pieces


def look_up_table(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return the rows that answer, under their header; what is computed says from which cells."""
    tables = [table for document in sources.documents for table in read_tables(document)]
    answer = answer_from_tables(question, tables)
    if answer is None:
        return None
    text = "\n".join((answer.table.about, *(" ".join(row.cells) for row in (answer.table.header, *answer.rows))))
    if not holds_all_codes(find_codes(question.text), text) or find_missing_thing(question, answer):
        return None
    pieces = tuple(quote_rows(answer, sources))
    return RecipeAnswer(pieces, answer.coverage, is_whole=answer.is_computed, table=answer)


def state_events(question: Question, sources: CitedSources) -> RecipeAnswer | None:
    """Return what the documents have for the day of a question that asks what happens on it."""
    events = find_events(question, sources.documents)
    if events is None:
        return None
    pieces: list[str] = []
    for line in events.lines:
        number = sources.cite(line.document, line.start, line.end)
        said = escape_markers(" ".join(line.document.text[line.start : line.end].split()))
        pieces.append(join_piece("\n\n" if pieces else "", f"{said} [{number}]"))
    for table, rows in events.rows:
        first, *others = quote_rows(TableAnswer(table, rows, "", 1.0), sources)
        pieces += [join_piece("\n\n" if pieces else "", first), *others]
    return RecipeAnswer(tuple(pieces), 1.0, is_whole=True)


def look_up_foreign(question: str, languages: Sequence[str], sources: CitedSources) -> RecipeAnswer | None:
    """Return the rows or the list that answer a question in German, French or Spanish, see ``foreign_questions``."""
    rows: list[TableAnswer] = []
    own = read_question(question)
    for table in (table for document in sources.documents for table in read_tables(document)):
        cells = (" ".join(row.cells) for row in (table.header, *table.rows))
        read = read_foreign_question(question, languages, "\n".join((*cells, table.about)))
        answer = answer_from_tables(read, [table]) if read is not None else None
        if answer is not None and read is not None and holds_all_codes(read.codes, "\n".join(map(str, answer.rows))):
            rows.append(answer)
    best = max(rows, key=lambda answer: (answer.coverage, is_called_by_code(own, answer)), default=None)
    lists = [items for document in sources.documents for items in read_lists(document) if not items.is_of_headings]
    itemised: list[ListAnswer] = []
    for items in lists:
        texts = (items.text_of(index) for index in range(len(items.items)))
        words = "\n".join((*items.headings, items.lead_text, items.document.title, *texts))
        read = read_foreign_question(question, languages, words)
        answer_items = answer_from_lists(read, [items]) if read is not None and read.kind == "list" else None
        if answer_items is not None:
            itemised.append(answer_items)
    listed = max(itemised, key=lambda answer: answer.coverage, default=None)
    if listed is not None and (best is None or listed.coverage > best.coverage):
        return RecipeAnswer(tuple(_render_list(listed, sources)), min(1.0, listed.coverage), is_whole=True)
    if best is None:
        return None
    pieces = tuple(quote_rows(best, sources))
    return RecipeAnswer(pieces, best.coverage, is_whole=best.is_computed, table=best)


def find_contrary_tables(question: Question, answer: TableAnswer, sources: CitedSources) -> list[TableAnswer]:
    """Return the rows of other documents, one table each, that answer with other values."""
    contrary: list[TableAnswer] = []
    for document in (*sources.documents, *sources.relatives):
        if document.id == answer.table.document.id:
            continue
        if have_opposites(answer.table.document.title, document.title):
            continue  # the timetables of summer and winter do not contradict each other
        twins = (find_contrary_rows(question, answer, table) for table in read_tables(document))
        twin = next((twin for twin in twins if twin is not None), None)
        if twin is not None:
            contrary.append(twin)
    return contrary


def render_tables(answers: Sequence[TableAnswer], sources: CitedSources, *, is_change: bool = False) -> list[str]:
    """Return the rows of tables that contradict each other, the newest first, each under its title and date."""
    dates = {answer.table.document.id: read_newest_date(answer.table.document) for answer in answers}
    ordered = sorted(answers, key=lambda answer: dates[answer.table.document.id], reverse=True)
    pieces: list[str] = [Frame(describe_disagreement("number", is_dated=any(dates.values()), is_change=is_change))]
    for answer in ordered:
        document = answer.table.document
        pieces.append(Frame(f"\n\n{describe_source(document.title, dates[document.id])}\n\n"))
        pieces += quote_rows(answer, sources)
    return pieces


def quote_rows(answer: TableAnswer, sources: CitedSources) -> list[str]:
    """Return the caption, what was computed, and the rows under their header; cited as one span from the caption on.

    Several rows of which nothing was computed stand under how many of how many they are.
    """
    table = answer.table
    number = sources.cite(table.document, *table.find_span(answer.rows))
    pieces: list[str] = []
    if table.caption:
        pieces.append(Frame(f"{escape_markers(table.caption.rstrip(':：.。 '))}:\n\n"))
    if answer.lead:
        lead = f"{escape_markers(answer.lead)}:\n\n"
        pieces.append(Frame(lead) if answer.counts_only else lead)
    elif len(answer.rows) > 1:
        pieces.append(Frame(f"{count_shown(answer.rows, table)}:\n\n"))
    return [*pieces, render_rows(answer, number)]


def find_rows(chosen: Sequence[QuotableUnit], sources: CitedSources) -> TableAnswer | None:
    """Return chosen rows of one table with their table; None where other units were chosen too."""
    if not chosen or not all(unit.is_row for unit in chosen):
        return None
    document = next((d for d in sources.documents if d.id == chosen[0].document_place[0]), None)
    if document is None or any(unit.document_place[0] != document.id for unit in chosen):
        return None
    for table in read_tables(document):
        rows = tuple(row for row in table.rows if any(row.start <= unit.document_place[1] < row.end for unit in chosen))
        if len(rows) == len(chosen):
            return TableAnswer(table, rows, "", 1.0)
    return None


def quote_units(chosen: Sequence[QuotableUnit], sources: CitedSources) -> list[str]:
    """Return each quote followed by its markers.

    Rows of a table come under their header and caption, the words of a picture under its place, "No." and the like
    behind the question that they answer. Where the document of a row was not read, its header comes along if the
    passage of the row has it.
    """
    pieces: list[str] = []
    for group in _group_units(_add_questions(chosen)):
        answer = find_rows(group, sources)
        quotes = quote_rows(answer, sources) if answer is not None else _quote_group(group, sources)
        glue = "\n\n" if pieces else ""
        pieces += [join_piece(glue, quotes[0]), *quotes[1:]]
    return pieces


def _add_questions(chosen: Sequence[QuotableUnit]) -> list[QuotableUnit]:
    """Return the units, those that say nothing alone behind the line that asks what they answer."""
    units: list[QuotableUnit] = []
    for unit in chosen:
        if unit.asked is not None and unit.needs_question:
            start, line = unit.asked
            place = (unit.document_place[0], start)
            at = unit.sentence.start - (unit.document_place[1] - start)
            asking = Sentence(start=at, end=at + len(line), kind="paragraph")
            if all(other.document_place != place for other in units):
                units.append(replace(unit, sentence=asking, quote=line, document_place=place, follows=()))
        units.append(unit)
    return units


def _group_units(chosen: Sequence[QuotableUnit]) -> list[list[QuotableUnit]]:
    """Return the units in order: neighbouring rows of one table together, each picture alone, all else together."""
    groups: list[list[QuotableUnit]] = []
    for unit in chosen:
        if groups and _stand_together(groups[-1][-1], unit):
            groups[-1].append(unit)
        else:
            groups.append([unit])
    return groups


def _stand_together(one: QuotableUnit, other: QuotableUnit) -> bool:
    if one.is_figure or other.is_figure or one.is_row != other.is_row:
        return False
    is_one_table = one.document_place[0] == other.document_place[0] and one.surroundings == other.surroundings
    return not one.is_row or is_one_table


def _quote_group(group: Sequence[QuotableUnit], sources: CitedSources) -> list[str]:
    """Return the quotes of a group whose table was not read."""
    first = group[0]
    chunk = (*sources.passages, *sources.added)[first.passage - 1].chunk
    if first.is_figure:
        return [Frame(f"{_name_picture(first, chunk, sources)}:\n\n"), *render_quotes(group)]
    header = first.surroundings[3]
    if not first.is_row or not header or header not in chunk.text:
        return render_quotes(group)
    numbers = [first.passage, *(unit.passage for unit in group)]
    return [write_table(split_cells(header), [split_cells(unit.quote) for unit in group], numbers)]


def _name_picture(unit: QuotableUnit, chunk: Chunk, sources: CitedSources) -> str:
    """Return the words above those of a picture: where it is."""
    document = next((d for d in sources.documents if d.id == unit.document_place[0]), None)
    place = document.place(unit.document_place[1]) if document is not None else chunk.place
    named = f"“{chunk.title}”"
    return f"Picture in {named}, {place}" if place and place != named else f"Picture in {named}"


# Sections


def add_headings(question: Question, chosen: Sequence[QuotableUnit], sources: CitedSources) -> list[QuotableUnit]:
    """Return chosen units with the heading of the first one, where that has words of the question which they lack.

    Where they have no word of it at all beside what their title and heading have, the section answers: its first
    sentences come instead.
    """
    asks_section = _ASKS_SECTION.search(question.text) is not None
    if not chosen or any(not unit.is_prose and not (asks_section and unit.sentence.kind == "list") for unit in chosen):
        return list(chosen)
    document = next((d for d in sources.documents if d.id == chosen[0].document_place[0]), None)
    if document is None or any(unit.document_place[0] != document.id for unit in chosen):
        return list(chosen)
    place = chosen[0].document_place[1]
    section = max((s for s in document.sections if s.start <= place < s.end), key=lambda s: s.start, default=None)
    if section is None or section.kind != "heading" or section.title == document.title:
        return list(chosen)
    quoted = content_words("\n".join(unit.quote for unit in chosen))
    around = content_words(document.title)
    added = (content_words(section.title) & question.words) - quoted - around
    is_asked = asks_section and re.search(r"\d", section.title) is not None
    if not added and not is_asked:
        return list(chosen)
    start = document.text.find(section.title, section.start, section.start + len(section.title) + 40)
    if start < 0:
        return list(chosen)
    end = start + len(section.title)
    heading = _unit_at(document, Sentence(start=start, end=end, kind="heading"), sources, chosen[0])
    if is_asked or quoted & question.words - content_words(section.title) - around:
        return [heading, *chosen]
    return [heading, *(_section_units(document, section.start, section.end, sources, chosen[0]) or chosen)]


def _section_units(
    document: Document, start: int, end: int, sources: CitedSources, like: QuotableUnit
) -> list[QuotableUnit]:
    """Return the first sentences of a section, as many as an answer may have."""
    units: list[QuotableUnit] = []
    words = 0
    for sentence in split_part(document.text, start, end):
        if sentence.kind == "heading":
            if units:
                break
            continue
        words += len(sentence.of(document.text).split())
        if not _is_prose_kind(sentence) or (units and words > MOST_SECTION_WORDS):
            break
        units.append(_unit_at(document, sentence, sources, like))
    return units


def _is_prose_kind(sentence: Sentence) -> bool:
    return sentence.kind in {"paragraph", "quote"}


def _unit_at(document: Document, sentence: Sentence, sources: CitedSources, like: QuotableUnit) -> QuotableUnit:
    return replace(
        like,
        passage=sources.cite(document, sentence.start, sentence.end),
        sentence=sentence,
        quote=sentence.of(document.text),
        document_place=(document.id, sentence.start),
        follows=(),
        next=None,
        copies=(),
    )

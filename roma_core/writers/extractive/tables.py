"""Tables of a document, and what rules compute over them: look-ups, extremes, filters, counts and sums. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace
from decimal import Decimal

from roma_core.citations.lexicon import DAY_NAMES
from roma_core.citations.numbers import MONTH_NAMES
from roma_core.citations.words import read_words
from roma_core.markup import escape_markers
from roma_core.markup.questions import (
    LIGHT_WORDS,
    Question,
    content_words,
    holds_code,
    read_question,
    split_words,
    stem_word,
)
from roma_core.markup.tables import Table, TableRow
from roma_core.writers.extractive.answer_types import find_asked_value, find_measured_thing
from roma_core.writers.extractive.denials import find_denied_words, find_rows_without
from roma_core.writers.extractive.namings import PEOPLE, is_labelled, lists_people
from roma_core.writers.extractive.numerals import find_style, read_value, write_number
from roma_core.writers.extractive.periods import (
    find_asked_range,
    find_rows_of_time,
    list_period_columns,
    read_period,
    read_time,
)
from roma_core.writers.extractive.scopes import find_opposite, find_other_scope, names_asked_year

MOST_ROWS = 30
"""Rows of a table that one answer shows."""
MOST_CELL_CHARS = 80
"""Characters of a cell up to which it names its row."""
LEAST_COVERAGE = 0.6
"""Share of the question's words that a table must account for before it answers."""
MOST_UNSURE = 0.7
"""Coverage that several rows have at most which lack a word of a question for one thing: the ranker has to agree."""
LEAST_SAME_COLUMNS = 0.6
"""Share of their columns that two editions of a table have in common."""

_TOTAL = re.compile(
    r"^\W*(?:grand\s+)?(?:totals?|sum|subtotal|overall|all|average|mean"
    r"|gesamt\w*|insgesamt|summe|zwischensumme|durchschnitt|totale?|somme|sous-total|moyenne|suma|promedio)\b",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"^\W*(?:#|no\.?|nr\.?|id|number|row|rank|pos(?:ition)?\.?)\W*$", re.IGNORECASE)


@dataclass(frozen=True)
class TableAnswer:
    """Rows that answer a question; ``lead`` says what was computed, "" for a plain look-up."""

    table: Table
    rows: tuple[TableRow, ...]
    lead: str
    coverage: float
    """Share of the question's words that the rows, the header and what the table stands under account for."""
    is_computed: bool = False
    counts_only: bool = False
    """True where ``lead`` says only how many rows of the table are shown."""


# Values


def _column_values(table: Table, column: int) -> list[tuple[TableRow, Decimal]]:
    """Return the rows with a value in a column, without rows of totals; none where the column is not of values."""
    rows = [row for row in table.rows if column < len(row.cells) and not _TOTAL.match(row.cells[0])]
    style = find_style(table, (row.cells[column] for row in rows))
    read = [(row, read_value(row.cells[column], style)) for row in rows]
    values = [(row, value) for row, value in read if value is not None]
    filled = [row for row, value in read if value is not None or not _NONE.fullmatch(row.cells[column].strip())]
    if len(values) < 2 or len(values) < 0.7 * len(filled):
        return []
    units = {value[1] for _, value in values}
    if len(units - {""}) > 1:
        return []
    return [(row, value[0]) for row, value in values]


# Answers

_TIMES = (
    "length|duration|days?|hours?|minutes?|time|distance|km|period|weeks?|months?"
    "|länge|dauer|tage|stunden|minuten|wochen|monate|durée|longueur|jours|heures|duración|longitud|días|horas|minutos"
)
_DATES = (
    "date|year|since|age|founded|born|built|opened|start\\w*|hired|updated|released?|due|bought|joined|signed"
    "|datum|jahr|baujahr|seit|gegründet|alter|année|depuis|âge|fondée?|fecha|año|desde|edad|fundad[ao]"
)
_SIZES = (
    "size|area|population|volume|capacity|seats|employees|staff|headcount|people|inhabitants"
    "|größe|fläche|einwohner|volumen|plätze|surface|superficie|taille|capacité|places|habitants|tamaño|capacidad|plazas|habitantes"
)
_PRICES = (
    "price|cost|fee|rate|amount|charge|rent"
    "|preis\\w*|kosten|gebühr\\w*|entgelt|betrag|miete|tarif|prix|co[uû]t|montant|loyer|precio|coste|importe|tarifa|alquiler"
)
_MEANINGS: tuple[tuple[str, str], ...] = (
    (
        r"cheap\w*|expensive|pric\w+|costl\w+|costs?|dear\w*|afford\w*|how much (?:is|are|for)",
        _PRICES,
    ),
    (r"long\w*|short\w*|brief\w*|lasts|lasted|lasting", _TIMES),
    (r"old\w*|new\w*|latest|earl\w+|late|recent\w*|last|first|young\w*|when", _DATES),
    (r"heav\w+|light\w*|weigh\w*", r"weight|mass|kg|load|gewicht|poids|peso"),
    (r"tall\w*|high\w*|low\w*", r"height|altitude|elevation|höhe|hauteur|altura"),
    (
        r"fast\w*|quick\w*|slow\w*",
        r"speed|time|duration|latency|throughput|km/h|seconds?|ms|geschwindigkeit|vitesse|velocidad",
    ),
    (r"loud\w*|quiet\w*", r"noise|sound|dB"),
    (r"big\w*|larg\w*|small\w*|popul\w*", _SIZES),
    (r"far\w*|near\w*|clos\w*", r"distance|km|miles|entfernung|distancia"),
    (r"wid\w+|narrow\w*|broad\w*", r"width|breadth"),
    (r"deep\w*|shallow\w*", r"depth"),
    (r"thick\w*|thin\w*", r"thickness|diameter|gauge"),
    (r"hot\w*|warm\w*|cold\w*|cool\w*", r"temperature|°C|°F"),
    (r"strong\w*|weak\w*|powerful", r"strength|force|power|load|torque"),
    (r"busy|busiest", r"visitors|passengers|guests|traffic|visits"),
    (r"people|staff|employees?|work\w*|employ\w*", r"headcount|staff|employees|people|heads"),
    (r"earn\w*", r"salary|wages?|pay|income"),
    (r"join\w*|hired", r"start\w*|joined|hired|since|entry"),
    (r"leav\w*|go(?:es)?", r"depart\w*|leaves|abfahrt|départ|salida"),
)
"""Words of a question, and the columns that they are about."""
_PRICE_WORDS = frozenset(
    stem_word(word) for word in "cost costs price pay pays paid charge charged fee spend spent spending".split()
)
_SPENT = re.compile(r"\b(?:spend|spends|spent|spending|paid)\b", re.IGNORECASE)
"""Words that ask for a sum where several rows are meant: "What was spent on hotels?"."""
_MONEY_COLUMN = re.compile(
    r"amount|price|cost|fee|rent|salary|budget|expen[sd]|total|[€$£]|\b(?:EUR|USD|GBP|CHF)\b"
    r"|preis|kosten|gebühr|betrag|umsatz|\b(?:prix|co[uû]t|montant|loyer|precio|coste|importe|tarifa?)\b",
    re.IGNORECASE,
)
_SHORT_NAMES = {name[:3]: stem_word(name) for name in (*DAY_NAMES, *MONTH_NAMES)}
"""Days and months as headers and cells shorten them."""
_NONE = re.compile(
    r"(?:no(?:ne)?|nil|false|not \w+|n/?a|nein|keine?[rsn]?|non|aucune?|ningun[oa]|[-–—✗✘×]|0(?:[.,]0+)?\s?\S{0,3})?",
    re.IGNORECASE,
)
_YES = re.compile(r"yes|y|true|x|[✓✔☑]|included|available|ja|oui|s[ií]|vorhanden|inbegriffen|inclus", re.IGNORECASE)
_LACKS = re.compile(r"\b(?:no|without|out of|zero|lacks?|lacking)\s+(?:an?\s+|any\s+)?(?P<thing>\w+)", re.IGNORECASE)
_DENIES = re.compile(r"\b(?:not|no|without|cannot|lacks?|\w+n['’]t)\b", re.IGNORECASE)
_OTHER_TIME = re.compile(r"\b(?:before|after|followed|preceded|succeeded|replaced)\s+(?P<name>[A-Z]\w+)")
_TIME_OF_DAY = re.compile(r"\b\d{1,2}[:.]\d\d\b")
_WHEN_COLUMN = re.compile(r"\b(?:days?|date|time|when|week|month|weekday)\b", re.IGNORECASE)
_HAPPENS = frozenset(
    stem_word(word) for word in "leave depart arrive start begin open close stop run come go first last serve".split()
)
"""What is said of the times of a timetable, and stands in no cell."""
_PLAIN_MEASURES = re.compile(r"\b(?:loud|quiet|heavy|wide|deep|thick|hot|warm|cold|fast)\b", re.IGNORECASE)
"""Words that one property of a thing answers, whatever it is called: how loud it is by its sound pressure."""
_COMPARATOR = re.compile(
    r"(?P<op>(?:not |no )?(?:more|less|fewer|greater|higher|lower|larger|smaller|longer|shorter|older|newer|younger"
    r"|later|earlier|cheaper|heavier|lighter|bigger) than"
    r"|over|above|under|below|exceed(?:s|ing)?|at least|at most|up to|no more than"
    r"|not under|beyond|before|after|since|between)\s+(?P<value>(?:\S+\s+){0,3}?[^\s?!;]*\d[^?!;]*)",
    re.IGNORECASE,
)
_COMPARES_MORE = re.compile(r"\b(?:more|less|fewer|\w{3,}er) than\b|\bat (?:least|most)\b", re.IGNORECASE)
_WHICH = re.compile(r"\W*(?:(?:and|so|but)\s+)?which\b", re.IGNORECASE)
_COMPARED_WITH = re.compile(
    r"\b(?P<op>(?:more|less|fewer|greater|higher|lower|larger|smaller) than|over|above|under|below"
    r"|exceed(?:s|ing|ed)?)\s+"
    r"(?:(?:the|its|their|his|her|a)\s+)?(?P<column>[^\W\d_]+(?:\s+[^\W\d_]+)?)",
    re.IGNORECASE,
)
"""A comparison with what a column may hold: "below the minimum"."""
_LIMIT = re.compile(
    r"\b(?:min(?:imum)?|max(?:imum)?|(?:re-?order|safety|par) (?:level|point|stock)|reorder|limit|target|threshold"
    r"|budget(?:ed)?|quota|allowance|allowed|plan(?:ned)?|required|capacity)\b",
    re.IGNORECASE,
)
"""In the name of a column: what another column is held against."""
_IN_TOTAL = re.compile(r"\b(?:in total|total|altogether|together|in all|overall|combined)\b", re.IGNORECASE)
_OF_TIME = re.compile(r"\b(?:old|new|latest|earl|recent|last|first|young|when|before|after|since)", re.IGNORECASE)
_LOW = re.compile(r"less|fewer|lower|smaller|shorter|earlier|cheaper|lighter|under|below|before|older", re.IGNORECASE)
_OPERATION_WORDS = frozenset(
    stem_word(word)
    for word in """
    total sum average altogether combined number count largest highest most maximum max biggest greatest longest latest
    newest heaviest tallest smallest lowest least minimum min shortest earliest oldest cheapest fewest lightest youngest
    fastest quickest slowest quietest loudest widest narrowest broadest deepest shallowest thickest thinnest hottest
    warmest coldest coolest strongest weakest busiest farthest furthest nearest closest than over above under below
    between difference compare versus least expensive before after since add up together overall value row table entry
    """.split()
)


def answer_from_tables(question: Question, tables: Sequence[Table]) -> TableAnswer | None:
    """Return the best answer that a table gives, by the share of the question that it accounts for; None without one.

    Of equal answers that counts whose rows are called by the code that is asked, then that of the first table.
    """
    answers = [answer for table in tables for answer in _answers_of(question, table)]
    answers = [
        answer for answer in answers if answer.coverage >= LEAST_COVERAGE and not _is_of_other_year(question, answer)
    ]
    return max(answers, key=lambda answer: (answer.coverage, is_called_by_code(question, answer)), default=None)


def is_called_by_code(question: Question, answer: TableAnswer) -> bool:
    """Return whether the first cell of a row is a code of the question: an article of a price list, no order of it."""
    codes = {code.casefold() for code in question.codes}
    return any(row.cells[0].strip().casefold() in codes for row in answer.rows if row.cells)


def _answers_of(question: Question, table: Table) -> Iterator[TableAnswer]:
    timed = find_rows_of_time(question, table)
    if timed is not None and not timed:
        return  # it is of other times
    spanned = find_asked_range(question.text)
    if timed is not None and spanned is not None:  # "from May to July" names June, too
        question = replace(read_question(spanned[1]), kind=question.kind)
    if _ASKS_AGE.search(question.text) and lists_people(table) and not _OF_AGE.search("; ".join(table.header.cells)):
        return  # since when somebody is there does not tell who is older
    compared = _compare_columns(question, table)
    if compared is not None:
        if compared.rows:
            yield compared
        return
    named = _rows_named(question, table)
    crossed = _rows_crossed(question, table)
    if question.kind in _ASKS_ROWS and find_denied_words(question):
        without = _list_rows_without(question, table)
        if without is not None:
            yield without
        if without is not None or not crossed:
            return  # rows that have what is denied are no answer
    if question.kind == "how_many" and _names_another(question, table, crossed):
        return  # "how many day shifts" of one who has night shifts alone
    if timed is not None:
        named = [row for row in named if row in timed] or timed
    makers: dict[str, Callable[[Question, Table, Sequence[TableRow]], TableAnswer | None]] = {
        "table_max": _find_extreme,
        "table_sum": _add_up,
        "table_filter": _filter_rows,
        "how_many": _count_rows,
        "list": _list_rows,
        "comparison": _compare_rows,
    }
    maker = makers.get(question.kind)
    if question.kind == "table_max" and named and _names_extreme(question, table, named):
        maker = _look_up  # "the minimum order" is a column, "the maximum torque" a row
    elif question.kind == "table_max" and _COMPARATOR.search(question.text) and _names_extreme(question, table, ()):
        maker = _filter_rows  # "last seen before May"
    elif _COMPARATOR.search(question.text) and (
        question.kind == "list" or (question.kind == "table_lookup" and _WHICH.match(question.text))
    ):
        maker = _filter_rows
    elif _SPENT.search(question.text) and question.kind in {"table_lookup", "how_many", "open"}:
        maker = _add_up
    told = read_question(_COMPARATOR.sub(" ", question.text)) if maker is _filter_rows else question
    answer = maker(question, table, _find_group(told, table, named)) if maker is not None else None
    if answer is not None:
        yield answer
    elif question.kind in {
        "table_lookup",
        "who",
        "when",
        "how_many",
        "open",
        "table_sum",
        "definition",
        "yes_no",
        "list",
    }:
        meant = _find_group(question, table, named) if question.asks_several else named
        looked_up = _look_up(question, table, meant)
        if looked_up is not None:
            yield looked_up


_ASKS_ROWS = frozenset({"list", "how_many", "table_lookup", "who", "table_filter"})
"""Kinds of questions that rows answer which are told by what they have."""


def _list_rows_without(question: Question, table: Table) -> TableAnswer | None:
    """Return the rows whose cell is not what the question denies: "Which devices are not working?"."""
    found = find_rows_without(question, table)
    names = [row.cells[0] for row in table.rows]
    if found is None or not found.rows or (question.kind == "who" and len(set(names)) < len(names)):
        return None  # whoever has several rows may have it in another one
    name = table.header.cells[found.column]
    lead = f"{len(found.rows)} of {len(table.rows)} rows "
    lead += f"where “{name}” is not “{found.state}”" if found.state else f"where “{name}” is empty"
    return _computed(question, table, found.rows, lead, set(found.words))


def _compare_columns(question: Question, table: Table) -> TableAnswer | None:
    """Return the rows whose value in one column is below or above that in another: "stock below the minimum".

    The first one is named by other words of the question; or the other one is a limit by its name, and it is the
    nearest column of values on the left. No row may be so; None where no two columns are compared.
    """
    found = _COMPARED_WITH.search(question.text)
    limit_words = content_words(found["column"]) if found is not None else set()
    if found is None or not limit_words:
        return None
    names = table.header.cells
    columns = {column: dict(_column_values(table, column)) for column in range(1, len(names))}
    columns = {column: values for column, values in columns.items() if values and not _is_date_column(table, column)}
    limits = [column for column in columns if (words := _read_name(names[column])) and words <= limit_words]
    if len(limits) != 1:
        return None
    [limit] = limits
    rest = read_question(question.text.replace(found[0], " "))
    asked = [column for column in _find_columns(rest, names) if column in columns and column != limit]
    left = [column for column in columns if column < limit and _LIMIT.search(names[limit])]
    compared = next(iter((*asked, *reversed(left))), None)
    if compared is None:
        return None
    passes = _predicate(found["op"].casefold(), [Decimal(0)])
    pairs = [(row, value - columns[limit][row]) for row, value in columns[compared].items() if row in columns[limit]]
    rows = tuple(row for row, difference in pairs if passes(difference))
    lead = f"{len(rows)} of {len(pairs)} rows with “{names[compared]}” {found['op']} “{names[limit]}”"
    return _computed(question, table, rows, lead, content_words(found[0]) | _read_name(names[compared]))


def _coverage(question: Question, table: Table, rows: Sequence[TableRow], extra: set[str] | None = None) -> float:
    wanted = question.words - _OPERATION_WORDS - LIGHT_WORDS
    if not wanted:
        return 1.0
    held = content_words(f"{table.about}\n{' '.join(table.header.cells)}") | (extra or set())
    held |= _read_deeds(table.header.cells) | _read_kind(table)
    for cells in (table.header.cells, *(row.cells for row in rows)):
        held |= content_words(" ".join(cells)).union(*map(_expand_names, cells))
    held |= {time.kind for row in rows if (time := read_time(row, table.header.cells)) is not None}
    return len(wanted & held) / len(wanted)


def _read_kind(table: Table) -> Set[str]:
    """Return the words for what a table lists, where its cells tell and no word does."""
    return PEOPLE if lists_people(table) else frozenset()


def _expand_names(cell: str) -> set[str]:
    """Return the days and months of a cell in full, and those of its date.

    >>> sorted(_expand_names("Wed")), sorted(_expand_names("2026-08-02"))
    (['wednesday'], ['2', '2026', 'august'])
    """
    period = read_period(cell)
    named = {stem_word(name) for name in period.names} if period is not None else set()
    return named | {_SHORT_NAMES[word] for word in re.findall(r"[a-z]+", cell.casefold()) if word in _SHORT_NAMES}


_DOER = re.compile(r"\b([a-z]{3,})[eo]rs?\b")


def _read_deeds(names: Sequence[str]) -> set[str]:
    """Return the stems of what those do whom columns are named by: who holds it is its holder.

    >>> sorted(_read_deeds(["key", "holder"]))
    ['hold']
    """
    return {stem_word(found[1]) for name in names for found in _DOER.finditer(name.casefold())}


def _read_name(name: str) -> set[str]:
    """Return the words of a column's name; a shortened day or month ("Wed") in full."""
    words = content_words(name)
    return _expand_names(name) if words and words <= _SHORT_NAMES.keys() else words


def _rows_named(question: Question, table: Table) -> list[TableRow]:
    """Return the rows that the question names: by a code, or by all the words of a cell that is no number.

    A cell that names every row names none. Rows that more cells name come alone.
    """
    weights = _weigh_rows(question, table)
    best = max(weights.values(), default=0)
    crossed = _rows_crossed(question, table)
    if crossed and not _names_another(question, table, crossed):
        narrowed = max(weights[row] for row in crossed)
        return [row for row in crossed if weights[row] == narrowed]
    if not best or (len(table.rows) > 1 and all(weight == best for weight in weights.values())):
        return []
    if _EITHER.search(question.text):
        return [row for row, weight in weights.items() if weight > 1]
    return [row for row, weight in weights.items() if weight == best]


_EITHER = re.compile(r"\bor\b(?! (?:more|less|fewer|later|earlier|older|younger|not)\b)", re.IGNORECASE)


def _read_asked(question: Question) -> set[str]:
    """Return the stems of all words of a question, the small ones too."""
    return {stem_word(word) for word in split_words(question.text)}


def _weigh_rows(question: Question, table: Table) -> dict[TableRow, int]:
    """Return how many of its words each row is named by, a cell in full twice."""
    asked = _read_asked(question)
    names = table.header.cells
    about = content_words(table.about + "\n" + " ".join(names))
    weights: dict[TableRow, int] = {}
    for row in table.rows:
        weight = 0
        for column, cell in enumerate(row.cells):
            words = {stem_word(word) for word in split_words(cell)} if len(cell) <= MOST_CELL_CHARS else set()
            by_code = any(holds_code(code, cell) for code in question.codes)
            is_value = read_value(cell) is not None and column > 0 and not _LABEL.match(cell)
            telling = words - about
            if by_code or (telling and not is_value and words <= asked):
                weight += 2 * max(1, len(telling))
            elif not is_value and (item := _find_named_item(cell, asked, about)):
                weight += 2 * len(item)
            elif telling and not is_value and column == 0 and _names_partly(telling, asked):
                weight += len(telling & asked)
            elif is_value and _is_asked_value(question, "".join(names[column : column + 1]), cell):
                weight += 2
        weights[row] = weight
    return weights


def _is_asked_value(question: Question, name: str, cell: str) -> bool:
    """Return whether a question names a value of a column: a year or day, or "the third floor"."""
    if re.fullmatch(r"(?:19|20)\d\d|\d{4}-\d\d-\d\d", cell):
        return cell in question.text
    return is_labelled(question.text, name, cell)


def _rows_crossed(question: Question, table: Table) -> list[TableRow]:
    """Return the rows that have in a column of the question the value of the question: "nights" on "Wednesday".

    So are those meant which lack the thing of a column ("no excess"), or have it, where a column says yes or no.
    """
    asked = question.words | _read_asked(question)
    lacked = {stem_word(found["thing"].casefold()) for found in _LACKS.finditer(question.text)}
    for column, name in enumerate(table.header.cells):
        words = _read_name(name)
        cells = [(row, row.cells[column].strip()) for row in table.rows if column < len(row.cells)]
        if column == 0 or not words & asked or not cells:
            continue
        if words & lacked:
            rows = [row for row, cell in cells if _NONE.fullmatch(cell)]
        elif words <= asked and all(_NONE.fullmatch(cell) or _YES.fullmatch(cell) for _, cell in cells):
            is_denied = _DENIES.search(question.text) is not None
            rows = [row for row, cell in cells if (_NONE if is_denied else _YES).fullmatch(cell)]
            rows = [] if _names_first_cell(rows, table, asked) else rows
        elif words <= asked:
            rows = [row for row, cell in cells if _is_asked_cell(cell, asked - words)]
        else:
            continue
        if 0 < len(rows) < len(table.rows):
            return rows
    return []


def _names_another(question: Question, table: Table, crossed: Sequence[TableRow]) -> bool:
    """Return whether a question names by all words of a cell what is in none of the rows that it crosses."""
    if not crossed:
        return False
    asked = _read_asked(question)
    held = {cell.casefold() for row in crossed for cell in row.cells}
    others = (row for row in table.rows if row not in crossed)
    cells = ((at, cell) for row in others for at, cell in enumerate(row.cells) if cell.casefold() not in held)
    return any(
        (words := content_words(cell)) and words <= asked and (at == 0 or len(words) > 1) and read_value(cell) is None
        for at, cell in cells
    )


def _names_first_cell(rows: Sequence[TableRow], table: Table, asked: Set[str]) -> bool:
    """Return whether a question asks of one row by name whether it has something: "Does Basic include help?"."""
    return any(words and words <= asked for row in table.rows if (words := content_words(row.cells[0])))


def _is_asked_cell(cell: str, asked: Set[str]) -> bool:
    """Return whether a question has all the words of a cell that is no value."""
    words = {stem_word(word) for word in split_words(cell)}
    return bool(words) and words <= asked and read_value(cell) is None


def _find_group(question: Question, table: Table, named: Sequence[TableRow]) -> Sequence[TableRow]:
    """Return the rows that are named, else those with all words of the question that tell rows apart.

    "The average price of the gate valves" is that of the rows with "Gate valve DN50" and "Gate valve DN80".
    """
    if named:
        return named
    around = content_words("\n".join((table.about, *table.header.cells))) | _read_deeds(table.header.cells)
    wanted = question.words - around - _OPERATION_WORDS - LIGHT_WORDS
    own = {row: _read_text_cells(row) for row in table.rows}
    telling = {word for word in wanted if any(word in words for words in own.values())}
    rows = [row for row, words in own.items() if telling and telling <= words]
    return rows if len(rows) < len(table.rows) else []


def _read_text_cells(row: TableRow) -> set[str]:
    """Return the words of the cells of a row that are no numbers; of dates their month and year."""
    words: set[str] = set()
    for cell in row.cells:
        value = read_value(cell)
        words |= _expand_names(cell)
        if value is None:
            words |= content_words(cell)
    return words


def _names_extreme(question: Question, table: Table, named: Sequence[TableRow]) -> bool:
    """Return whether a word like "minimum" is a part of the name of a column or of a named row."""
    names = content_words(" ".join((*table.header.cells, *(row.cells[0] for row in named if row.cells))))
    return bool(names & question.words & _OPERATION_WORDS)


def _find_named_item(cell: str, asked: Set[str], about: Set[str]) -> set[str]:
    """Return the words of an item of a cell with several, which a question has all of: "cough" of "cough, rash"."""
    parts = re.split(r"[,;/]", cell) if len(cell) <= MOST_CELL_CHARS else []
    items = [content_words(part) - about for part in parts] if len(parts) > 1 else []
    return max((words for words in items if words and words <= asked), key=len, default=set())


def _names_partly(words: set[str], asked: set[str]) -> bool:
    """True when the question has most of the words of a row's first cell."""
    shared = words & asked
    return bool(shared) and 2 * len(shared) >= len(words) and any(len(word) > 2 for word in shared)


def _columns_asked(question: Question, table: Table) -> list[int]:
    """Return the columns whose names the question has words of, the fullest first; then by what words are about."""
    return _find_columns(question, table.header.cells)


def find_compared_column(question: Question, names: Sequence[str]) -> int | None:
    """Return the column, by the names of all, whose values a comparison is about; None where none is named.

    >>> find_compared_column(read_question("Which is longer, A or B?"), ["bridge", "built", "length (m)"])
    2
    """
    columns = [column for column in _find_columns(question, names) if column > 0]
    return columns[0] if columns else None


def _find_columns(question: Question, names: Sequence[str]) -> list[int]:
    asked = question.words | _read_asked(question)
    scored: list[tuple[float, int]] = []
    for column, name in enumerate(names):
        words = _read_name(name)
        named = (words | _read_deeds([name])) & asked
        if words and named:
            scored.append((min(1.0, len(named) / len(words)), -column))
    columns = [-column for _, column in sorted(scored, reverse=True)]
    text = question.text.casefold()
    for words_asked, meanings in _MEANINGS:
        if re.search(rf"\b(?:{words_asked})\b", text):
            pattern = re.compile(rf"\b(?:{meanings})\b", re.IGNORECASE)
            columns += [column for column, name in enumerate(names) if pattern.search(name.replace("_", " "))]
    return list(dict.fromkeys(columns))


def _value_column(question: Question, table: Table) -> int | None:
    """Return the column of values that the question is about: one it names, or the only one there is.

    "The total of all orders" is that of the only column of totals, else of the only one of money.

    The first column names the rows ("pump 3"): it counts where it is asked for, and no other one.
    """
    columns = [c for c in range(len(table.header.cells)) if _column_values(table, c) and not _holds_labels(table, c)]
    columns = [column for column in columns if not _is_condition(question, table, column)]
    asked = [column for column in _columns_asked(question, table) if column in columns]
    asked = [column for column in asked if column > 0 or not _asks_which(question, table.header.cells[0])]
    asked.sort(key=lambda column: column == 0)
    if asked:
        return asked[0]
    dates = [column for column in columns if _is_date_column(table, column)]
    if len(dates) == 1 and _OF_TIME.search(question.text):
        return dates[0]
    candidates = [column for column in _list_value_columns(table) if column in columns]
    asks_sum = question.kind == "table_sum"
    if len(candidates) > 1 and (asks_sum or question.kind == "table_max"):
        names = {column: table.header.cells[column] for column in candidates}
        asks_total = asks_sum or _IN_TOTAL.search(question.text) is not None
        totals = [column for column, name in names.items() if asks_total and _TOTAL.match(name)]
        is_of_money = asks_sum or _PAID_THINGS.search(question.text) is not None
        candidates = totals or [column for column, name in names.items() if is_of_money and _is_money(name)]
    return candidates[0] if len(candidates) == 1 else None


def _is_condition(question: Question, table: Table, column: int) -> bool:
    """Return whether a question names a value of a column to say which rows it is about: "on floor 3"."""
    name = table.header.cells[column]
    return any(is_labelled(question.text, name, row.cells[column]) for row in table.rows if column < len(row.cells))


def _asks_which(question: Question, name: str) -> bool:
    """Return whether one of the things is asked for that a column names: "Which order was the largest?"."""
    return re.search(rf"\b(?:which|what)\s+{re.escape(name)}s?\b", question.text, re.IGNORECASE) is not None


def _list_value_columns(table: Table) -> list[int]:
    """Return the columns of values that name or date no row."""
    columns = [c for c in range(1, len(table.header.cells)) if _column_values(table, c)]
    return [c for c in columns if not _IDENTIFIER.match(table.header.cells[c]) and not _is_year_column(table, c)]


_LABEL = re.compile(r"^\W*[^\W\d_]{2,}\W+\d[\w.]*\W*$")
"""A name with a number: "pump 3"."""


def _holds_labels(table: Table, column: int) -> bool:
    """Return whether most cells of the first column are names with numbers, which are no values to compute with."""
    rows = [row for row, _ in _column_values(table, column)] if column == 0 else []
    return bool(rows) and sum(_LABEL.match(row.cells[0]) is not None for row in rows) > len(rows) / 2


def _is_date_column(table: Table, column: int) -> bool:
    first = next((row for row, _ in _column_values(table, column)), None)
    return first is not None and (read_value(first.cells[column]) or (0, ""))[1] == "date"


def _is_year_column(table: Table, column: int) -> bool:
    return all(1900 <= value <= 2100 for _, value in _column_values(table, column))


def _scope(table: Table, named: Sequence[TableRow]) -> Sequence[TableRow]:
    """Return the named rows where the question names a part of the table, else all rows."""
    return named if 1 < len(named) < len(table.rows) else table.rows


def _find_extreme(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    """Return the rows that lead in the asked column, else the thing that leads in the asked row.

    Where neither is named, every column of values may be meant: they answer when they agree and the table accounts for
    all that was asked.
    """
    column = _value_column(question, table)
    if column is not None:
        return _find_extreme_rows(question, table, named, [column]) or _find_extreme_thing(question, table)
    thing = _find_extreme_thing(question, table)
    if thing is not None:
        return thing
    answer = _find_extreme_rows(question, table, named, _list_value_columns(table))
    return answer if answer is not None and answer.coverage >= 1.0 else None


def _find_extreme_rows(
    question: Question, table: Table, named: Sequence[TableRow], columns: Sequence[int]
) -> TableAnswer | None:
    """Return the rows with the highest or lowest value of each of the columns; None where these differ."""
    scope = set(_scope(table, named))
    extremes: list[tuple[tuple[TableRow, ...], str, int]] = []
    for at in columns:
        values = [(row, value) for row, value in _column_values(table, at) if row in scope]
        if len(values) < 2:
            return None
        name = table.header.cells[at]
        wants_lowest = _wants_lowest(question, name)
        numbers = [value for _, value in values]
        wanted = min(numbers) if wants_lowest else max(numbers)
        rows = tuple(row for row, value in values if value == wanted)
        is_date = (read_value(rows[0].cells[at]) or (0, ""))[1] == "date"
        extremes.append((rows, _name_extreme(is_date=is_date, wants_lowest=wants_lowest), len(values)))
    if not extremes or any(rows != extremes[0][0] for rows, _, _ in extremes):
        return None
    rows, word, count = extremes[0]
    names = " and ".join(f"“{table.header.cells[at]}”" for at in columns)
    left_out = _describe_left_out(table, columns[0], scope)
    return _computed(question, table, rows, f"{word} {names} of {count} rows{left_out}", named=named)


def _find_extreme_thing(question: Question, table: Table) -> TableAnswer | None:
    """Return the row whose property is asked for in a table with one thing a column, and which column leads in it."""
    names = [row.cells[0] if row.cells else "" for row in table.rows]
    asked = [table.rows[at] for at in _find_columns(question, names)]
    for row in asked:
        style = find_style(table, row.cells[1:])
        cells = zip(table.header.cells[1:], row.cells[1:], strict=False)
        read = [(name, read_value(cell, style)) for name, cell in cells]
        values = [(name, value) for name, value in read if value is not None]
        if len(values) < 2 or len(values) < len(read) or len({unit for _, (_, unit) in values}) > 1:
            continue
        numbers = [number for _, (number, _) in values]
        wants_lowest = _wants_lowest(question, row.cells[0])
        wanted = min(numbers) if wants_lowest else max(numbers)
        things = " and ".join(name for name, (number, _) in values if number == wanted)
        word = _name_extreme(is_date=values[0][1][1] == "date", wants_lowest=wants_lowest)
        return _computed(question, table, (row,), f"{word} “{row.cells[0]}” of {len(values)}: {things}")
    return None


_PAID_THINGS = re.compile(
    r"\b(?:invoice|bill|payment|donation|expense|sale|deal|purchase|transaction|grant|debt)s?\b", re.IGNORECASE
)
"""Things that are large by what is paid for them."""
_AGE = re.compile(r"\b(?:age|alter|âge|edad)\b", re.IGNORECASE)
"""In the name of a column: more is older. Of a date less is."""
_OF_AGE = re.compile(rf"{_AGE.pattern}|\b(?:born|birth\w*|geb\w*|naissance|nacimiento)\b", re.IGNORECASE)
_ASKS_AGE = re.compile(r"\b(?:old(?:er|est)?|young(?:er|est)?)\b", re.IGNORECASE)
_PACE = re.compile(r"\b(?:fastest|quickest|slowest)\b", re.IGNORECASE)
_SPEED = re.compile(r"speed|throughput|/s|/h")
"""In the name of a column: more is faster. Of a time less is."""


def _wants_lowest(question: Question, name: str) -> bool:
    """Return whether the lowest value of a column of this name is asked for: the fastest has the highest speed."""
    pace = _PACE.search(question.text)
    if pace is not None and _SPEED.search(name):
        return pace[0].casefold() == "slowest"
    if re.search(r"\b(?:oldest|youngest)\b", question.text, re.IGNORECASE) and _AGE.search(name):
        return not question.wants_lowest
    return question.wants_lowest


def _name_extreme(*, is_date: bool, wants_lowest: bool) -> str:
    if is_date:
        return "Earliest" if wants_lowest else "Latest"
    return "Lowest" if wants_lowest else "Highest"


def _add_up(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    column = _value_column(question, table)
    if column is None:
        return None
    totals = [row for row in table.rows if _TOTAL.match(row.cells[0]) and column < len(row.cells)]
    scope = set(_scope(table, named))
    if totals and not question.is_average and len(scope) == len(table.rows):
        coverage = _coverage(question, table, totals)
        return TableAnswer(table, tuple(totals), "", coverage)
    paid = set(_PRICE_WORDS) if _is_money(table.header.cells[column]) else set()
    if len(named) == 1:
        return TableAnswer(table, tuple(named), "", _coverage(question, table, named, paid))
    values = [(row, value) for row, value in _column_values(table, column) if row in scope]
    units = {unit for row, _ in values if (unit := (read_value(row.cells[column]) or (0, ""))[1])}
    if len(values) < 2 or "date" in units:
        return None
    total = sum((value for _, value in values), Decimal(0))
    result = total / len(values) if question.is_average else total
    if question.is_average:
        result = round(result, 2)
    unit = f" {next(iter(units))}" if units else ""
    word = "Average" if question.is_average else "Sum"
    rows = tuple(row for row, _ in values)
    name = table.header.cells[column]
    written = write_number(result, find_style(table, (row.cells[column] for row in rows)))
    lead = f"{word} of “{name}” over {len(values)} rows = {written}{unit}, computed from these cells"
    lead += _describe_left_out(table, column, scope)
    return _computed(question, table, rows, lead, paid, named=named)


def _is_money(name: str) -> bool:
    """Return whether a column of this name holds amounts of money."""
    return _MONEY_COLUMN.search(name) is not None


def _describe_left_out(table: Table, column: int, scope: Set[TableRow]) -> str:
    """Return the remark that some rows have no single value in a column; empty where all have one."""
    rows = {row for row in scope if not _TOTAL.match(row.cells[0])}
    left_out = len(rows - {row for row, _ in _column_values(table, column)})
    if not left_out:
        return ""
    return f"; {left_out} {'row has' if left_out == 1 else 'rows have'} no single value there"


def _filter_rows(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    found = _COMPARATOR.search(question.text)
    if found is None:
        return None
    if _TIME_OF_DAY.search(found["value"]):
        return _filter_times(question, table, named, found)
    column = _value_column(question, table)
    column = _find_column_of_unit(table, found["value"]) if column is None else column
    if column is None:
        return None
    limits = [value for part in re.split(r"\band\b", found["value"]) if (value := _first_value(part)) is not None]
    values = _column_values(table, column)
    if not limits or not values:
        return None
    scope = set(_scope(table, named))
    passes = _predicate(_read_age(found["op"].casefold(), table.header.cells[column]), limits)
    rows = tuple(row for row, value in values if row in scope and passes(value))
    used = content_words(found[0])
    if not _speaks_of_things(question, table, used):
        return None
    lead = f"{len(rows)} of {len(values)} rows with “{table.header.cells[column]}” {' '.join(found[0].split())}"
    lead += _describe_left_out(table, column, scope)
    answer = _computed(question, table, rows, lead, used, named=named)
    return answer if rows else None


def _find_column_of_unit(table: Table, limit: str) -> int | None:
    """Return the only column whose values have the unit of a limit: that of amounts, for "over 1000 euros"."""
    units = {word.quantity.unit for word in read_words(limit) if word.quantity is not None and word.quantity.unit}
    columns = [
        column
        for column in _list_value_columns(table)
        if any(
            (value := read_value(row.cells[column])) and value[1] in units for row, _ in _column_values(table, column)
        )
    ]
    return columns[0] if len(columns) == 1 else None


def _filter_times(
    question: Question, table: Table, named: Sequence[TableRow], found: re.Match[str]
) -> TableAnswer | None:
    """Return the rows whose time of day lies on one side of another: "Which buses leave before 8:00?"."""
    names = table.header.cells
    read = {column: _read_times(table, column) for column in range(len(names))}
    columns = [column for column, times in read.items() if times]
    asked = [column for column in _find_columns(question, names) if column in columns]
    column = next(iter(asked or (columns if len(columns) == 1 else ())), None)
    if column is None:
        return None
    scope = set(_scope(table, named))
    passes = _predicate(found["op"].casefold(), [_in_minutes(clock) for clock in _TIME_OF_DAY.findall(found["value"])])
    rows = tuple(row for row, time in read[column].items() if row in scope and passes(time))
    lead = f"{len(rows)} of {len(read[column])} rows with “{names[column]}” {' '.join(found[0].split())}"
    used = content_words(found[0]) | _read_name(names[column])
    return _computed(question, table, rows, lead, used, named=named) if rows else None


def _read_times(table: Table, column: int) -> dict[TableRow, Decimal]:
    """Return the rows with a time of day in a column, in minutes; none where other things stand in it."""
    cells = [(row, row.cells[column].strip()) for row in table.rows if column < len(row.cells)]
    times = {row: _in_minutes(cell) for row, cell in cells if _TIME_OF_DAY.fullmatch(cell)}
    others = [cell for row, cell in cells if row not in times and not _NONE.fullmatch(cell)]
    return times if not others else {}


def _in_minutes(clock: str) -> Decimal:
    hours, minutes = re.split(r"[:.]", clock)
    return Decimal(int(hours) * 60 + int(minutes))


_ANY_THING = frozenset(stem_word(word) for word in "item thing product article option one entry good".split())


def _speaks_of_things(question: Question, table: Table, used: set[str]) -> bool:
    """Return whether a table speaks of what a filter asks for: the furniture that costs less than 700 is no tool."""
    things = question.words - used - set(_read_meant_words(question)) - _OPERATION_WORDS - LIGHT_WORDS
    held = content_words(f"{table.about}\n{' '.join(table.header.cells)}\n{_join_cells(table.rows)}")
    return not things or bool(things & (held | _ANY_THING | _read_kind(table)))


def _read_age(op: str, name: str) -> str:
    """Return a comparison of ages as one of numbers: older than 70 is an age of more, and a date of less.

    >>> _read_age("older than", "Age"), _read_age("younger than", "Age (years)"), _read_age("older than", "Built")
    ('more than', 'less than', 'older than')
    """
    if not _AGE.search(name):
        return op
    return op.replace("older", "more").replace("younger", "less")


def _first_value(text: str) -> Decimal | None:
    for word in read_words(text):
        if word.date is not None:
            return Decimal(word.date.year * 10_000 + word.date.month * 100 + word.date.day)
        if word.quantity is not None:
            return word.quantity.value
    return None


def _predicate(op: str, limits: Sequence[Decimal]) -> Callable[[Decimal], bool]:
    first = limits[0]

    def scaled(value: Decimal) -> tuple[Decimal, Decimal]:
        """Return value and limit on one scale: a year is compared with the year of a date."""
        if value > 10_000_000 and first < 10_000:
            return Decimal(int(value) // 10_000), first
        return value, first

    if op == "between" and len(limits) > 1:
        low, high = sorted(limits[:2])
        return lambda value: low <= scaled(value)[0] <= high
    is_negated = op.startswith(("no ", "not "))
    if op in {"at least", "since", "not under"}:
        return lambda value: scaled(value)[0] >= first
    if op in {"at most", "up to", "no more than"}:
        return lambda value: scaled(value)[0] <= first
    if _LOW.search(op):
        return (lambda value: scaled(value)[0] >= first) if is_negated else (lambda value: scaled(value)[0] < first)
    return (lambda value: scaled(value)[0] <= first) if is_negated else (lambda value: scaled(value)[0] > first)


def _count_rows(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    if _COMPARATOR.search(question.text):
        return _filter_rows(question, table, named)
    if _IN_TOTAL.search(question.text) and (added := _add_up(question, table, named)) is not None:
        return added
    counted = _COUNTED.search(question.text)
    if counted is None:
        return None
    things = content_words(counted[1])
    columns = set().union(*(content_words(name) for name in table.header.cells))
    if things & columns - content_words(table.header.cells[0]) and len(named) == 1:
        return None  # the row says how many, in the column of that name
    if named and len(named) > 1 and _measures(question, table, counted[1]):
        return _add_up(question, table, named)
    people = _read_kind(table)
    if things & people and _names_first_cell(named, table, _read_asked(question)):
        return None  # the colleagues of somebody are others
    kinds = content_words(table.about) | content_words(table.header.cells[0]) | people
    if not things & kinds and not _are_called(named, things):
        return None
    rows = [row for row in (named or table.rows) if not _TOTAL.match(row.cells[0])]
    if not _hold_numbers(question, rows):
        return None
    lead = count_shown(rows, table)
    return _computed(question, table, tuple(rows), lead, named=named, counts_only=True)


def _hold_numbers(question: Question, rows: Sequence[TableRow]) -> bool:
    """Return whether each number of a question, dates and years left out, stands in one of the rows."""
    held = {word.key for word in read_words(_join_cells(rows)) if word.is_number}
    asked = [word for word in read_words(question.text) if word.kind == "number" and not _YEAR.fullmatch(word.text)]
    return all(word.key in held or word.key.startswith("ord:") for word in asked)


_YEAR = re.compile(r"(?:1[5-9]|20)\d\d")


def count_shown(rows: Sequence[TableRow], table: Table) -> str:
    """Return how many of the rows of a table are meant: "2 of 6 rows"."""
    return f"{len(rows)} of {len(table.rows)} rows"


_COUNTED = re.compile(r"\bhow many\s+((?:[\w-]+\s+){0,3}?[\w-]+)\b", re.IGNORECASE)


def _are_called(rows: Sequence[TableRow], things: set[str]) -> bool:
    """Return whether each row has a cell that says just what is counted: laptops, where a column holds "Laptop"."""
    columns = zip(*(row.cells for row in rows), strict=False)
    return bool(things) and any(all(content_words(cell) == things for cell in cells) for cells in columns)


def _measures(question: Question, table: Table, things: str) -> bool:
    """Return whether the column of values that is meant says how many of the things there are: staff, of people."""
    column = _value_column(question, table)
    return column is not None and column > 0 and column in _find_columns(read_question(things), table.header.cells)


def _list_rows(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    about = content_words("\n".join((*table.headings, table.caption, *table.header.cells)))
    if (not named and not question.words & about) or _COMPARES_MORE.search(question.text):
        return None
    rows = tuple(row for row in (named or table.rows) if not _TOTAL.match(row.cells[0]))
    lead = count_shown(rows, table)
    return _computed(question, table, rows, lead, named=named, counts_only=True)


def _look_up(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    properties = _find_properties(question, table)
    named = named or properties
    if not named or len(named) > 5 or _asks_other_time(question, named):
        return None
    columns = _columns_asked(question, table)
    about = content_words(table.about)
    if question.kind == "who" and lists_people(table) and not _names_first_cell(named, table, _read_asked(question)):
        columns.append(0)
    if question.kind == "when":
        columns += [column for column, name in enumerate(table.header.cells) if _WHEN_COLUMN.search(name)]
    if not columns and not (question.words & about) and not question.codes and not properties:
        return None
    extra = _find_price_words(question, table, named)
    if question.kind == "when" and any(_TIME_OF_DAY.search(cell) for row in named for cell in row.cells):
        extra |= _HAPPENS
    if properties:
        extra |= {stem_word(word) for word in _PLAIN_MEASURES.findall(question.text.casefold())}
    coverage = _coverage(question, table, named, extra)
    if len(named) > 1 and not question.asks_several and coverage < 1.0:
        coverage = min(coverage, MOST_UNSURE)
    return TableAnswer(table, tuple(named), "", coverage)


def _compare_rows(question: Question, table: Table, named: Sequence[TableRow]) -> TableAnswer | None:
    """Return the two rows whose first cells are the sides of a comparison; None where not just two are named."""
    asked = _read_asked(question)
    rows = [row for row in table.rows if (words := content_words(row.cells[0])) and words <= asked]
    if len(rows) != 2:
        return None
    return TableAnswer(table, tuple(rows), "", _coverage(question, table, rows, set(_read_meant_words(question))))


def _read_meant_words(question: Question) -> Iterator[str]:
    """Yield the stems of words that are about columns of other names: "cheaper", of a price."""
    text = question.text.casefold()
    for words_asked, _ in _MEANINGS:
        yield from (stem_word(word) for word in re.findall(rf"\b(?:{words_asked})\b", text))


def _find_properties(question: Question, table: Table) -> list[TableRow]:
    """Return the rows of a table of one thing's properties that are asked: "How loud is it?" by its sound pressure.

    A property that shares no word with the question answers only where nothing else could be meant.
    """
    if len(table.header.cells) != 2:
        return []
    rows = [row for row in table.rows if len(row.cells) == 2]
    names = [row.cells[0] for row in rows]
    found = [rows[at] for at in _find_columns(question, names)]
    if not _PLAIN_MEASURES.search(question.text):
        found = [row for row in found if question.words & content_words(row.cells[0])]
    return [row for row in found if re.search(r"\d", row.cells[1])][:2]


def _asks_other_time(question: Question, named: Sequence[TableRow]) -> bool:
    """Return whether a row names the one that another one is asked by: "Who was head before Marc Duval?"."""
    names = [found["name"].casefold() for found in _OTHER_TIME.finditer(question.text)]
    cells = _join_cells(named).casefold()
    return question.kind == "who" and any(name in cells for name in names)


def _find_price_words(question: Question, table: Table, rows: Sequence[TableRow]) -> set[str]:
    """Return the words that ask for an amount of money, where a row has one: "pay" stands in no table."""
    asked = find_asked_value(question.text)
    values = [read_value(cell) for row in rows for cell in row.cells]
    has_money = any(value is not None and value[1] in asked.units for value in values) if asked is not None else False
    has_money = has_money or any(map(_is_money, table.header.cells))
    return set(_PRICE_WORDS) if asked is not None and asked.value_type == "money" and has_money else set()


def _computed(
    question: Question,
    table: Table,
    rows: tuple[TableRow, ...],
    lead: str,
    used: set[str] | None = None,
    *,
    named: Sequence[TableRow] = (),
    counts_only: bool = False,
) -> TableAnswer | None:
    meant = set(_read_meant_words(question))
    coverage = _coverage(question, table, [*rows[:1], *named], (used or set()) | meant)
    shown = rows[:MOST_ROWS]
    said = f"{lead}; {len(shown)} of these {len(rows)} rows are shown" if len(shown) < len(rows) else lead
    return TableAnswer(table, shown, said, coverage, is_computed=True, counts_only=counts_only)


def find_missing_thing(question: Question, answer: TableAnswer) -> str:
    """Return what is measured that neither the rows nor their table speak of: "how many tonnes of herring".

    Rows of other fish have the same columns, and score as high.
    """
    thing = find_measured_thing(question.text)
    if not thing:
        return ""
    held = content_words("\n".join((answer.table.about, *answer.table.header.cells, _join_cells(answer.rows))))
    return "" if content_words(thing) <= held else thing


def _is_of_other_year(question: Question, answer: TableAnswer) -> bool:
    """Return whether rows are of another year than the question's: of a table of 2025, where 2023 is asked.

    Their year stands above the table, in its header, or in a column that says when. Dates of other columns ("joined")
    say nothing about when a row holds.
    """
    table = answer.table
    header = table.header.cells
    cells = _join_cells(answer.rows)
    if names_asked_year(question.text, "\n".join((table.about, *header, cells))):
        return False
    timed = list_period_columns(header)
    times = (row.cells[column] for row in answer.rows for column in timed if column < len(row.cells))
    return bool(find_other_scope(question.text, "\n".join((*header, *times)), table.about))


def find_contrary_rows(question: Question, answer: TableAnswer, table: Table) -> TableAnswer | None:
    """Return the rows of another table that answer with other values; None where it says the same or something else.

    The tables have most of their columns in common, and the rows begin alike.
    """
    if answer.is_computed or not answer.rows:
        return None
    columns = {name.casefold(): index for index, name in enumerate(table.header.cells)}
    own = [name.casefold() for name in answer.table.header.cells]
    if len(columns.keys() & set(own)) < max(2, LEAST_SAME_COLUMNS * max(len(columns), len(own))):
        return None
    compared = [own[column] for column in _columns_asked(question, answer.table)]
    compared = [name for name in compared if name in columns and own.index(name) > 0]
    compared = compared[:1] or [name for name in own[1:] if name in columns]
    rows = {row.cells[0].casefold(): row for row in table.rows if row.cells}
    twins = [(row, rows[row.cells[0].casefold()]) for row in answer.rows if row.cells[0].casefold() in rows]
    contrary = tuple(
        twin for row, twin in twins if any(_differ_in(row, twin, own.index(name), columns[name]) for name in compared)
    )
    about, cells = table.about, _join_cells(contrary)
    if (
        not contrary
        or find_other_scope(question.text, cells, about)
        or find_opposite(question.text, f"{about}\n{cells}")
    ):
        return None
    if _find_given(question, answer.rows) - _find_given(question, contrary):
        return None
    return TableAnswer(table, contrary, "", answer.coverage)


def _find_given(question: Question, rows: Sequence[TableRow]) -> set[str]:
    """Return the values of the question that rows hold: they are its conditions, not its answer."""
    given = {word.key for word in read_words(question.text) if word.is_number}
    return given & {word.key for word in read_words(_join_cells(rows)) if word.is_number}


def _differ_in(row: TableRow, twin: TableRow, column: int, twin_column: int) -> bool:
    """Return whether two rows have other values in a column, both of one unit."""
    if column >= len(row.cells) or twin_column >= len(twin.cells):
        return False
    cell, other = row.cells[column], twin.cells[twin_column]
    value, other_value = read_value(cell), read_value(other)
    if value is None or other_value is None:
        return bool(cell) and bool(other) and value is other_value and cell.casefold() != other.casefold()
    return value[1] == other_value[1] and value[0] != other_value[0]


def _join_cells(rows: Sequence[TableRow]) -> str:
    return "\n".join(" | ".join(row.cells) for row in rows)


def render_rows(answer: TableAnswer, number: int) -> str:
    """Return the header and the rows as a Markdown table, each line with its marker."""
    return write_table(answer.table.header.cells, [row.cells for row in answer.rows], [number] * (len(answer.rows) + 1))


def write_table(header: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int]) -> str:
    """Return a header and rows as a Markdown table; ``numbers`` are the markers of its lines, the header's first.

    >>> print(write_table(["Tool", "Price"], [["wet saw", "31 €"]], [2, 2]))
    | Tool | Price [2] |
    | --- | --- |
    | wet saw | 31 € [2] |
    """
    width = len(header)
    lines = [_write_row(cells, width, number) for cells, number in zip((header, *rows), numbers, strict=True)]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def _write_row(cells: Sequence[str], width: int, number: int) -> str:
    own = [escape_markers(cell).replace("|", "\\|") for cell in cells[:width]]
    padded = own + [""] * (width - len(cells))
    return f"| {' | '.join(padded)} [{number}] |"

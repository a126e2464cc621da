"""Types of value that German, French and Spanish questions ask for, and texts that state one. Rules alone, pure.

"Was kostet der Eintritt?" shares one word with "Die Dusche ist vor dem Eintritt Pflicht" and one with "Eintritt: 4 €":
the price tells them apart. What a type looks like is read generously, for all three languages at once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from roma_core.languages import MONTH_WORDS

ValueType = Literal["price", "clock time", "time", "duration", "number"]


@dataclass(frozen=True)
class ForeignType:
    """The type of value that a question asks for, and the question without the words that ask for it."""

    value_type: ValueType
    rest: str

    def is_stated(self, text: str) -> bool:
        """Return whether a text states a value of this type."""
        return _STATES[self.value_type].search(text) is not None


_QUESTIONS: Final[tuple[tuple[str, ValueType], ...]] = (
    (
        r"\b(?:was|wie\s?viel) (?:kostet|kosten|zahle ich|zahlt man|muss ich (?:be)?zahlen)\b"
        r"|\bwie teuer (?:ist|sind)\b|\bwie ?viel geld\b|\bcombien d['’]argent\b|\bcu[aá]nto dinero\b"
        r"|\bcombien (?:ça |cela )?(?:co[uû]te(?:nt)?|vaut|valent)\b"
        r"|\b(?:c['’]est|je paie|je paye|dois-je payer) combien\b"
        r"|\bcombien (?:je |on |faut-il |dois-je )?(?:paie|paye|payer)\b"
        r"|\bquels? (?:est|sont) (?:le|les) (?:prix|tarifs?)\b"
        r"|\bcu[aá]nto (?:cuestan?|valen?|se paga|pago|hay que pagar)\b"
        r"|\bcu[aá]l es el precio\b|\bqu[eé] precio tienen?\b",
        "price",
    ),
    (r"\b(?:um wie ?viel uhr|zu welcher uhrzeit)\b|\bquelle heure\b|\bqu[eé] hora\b", "clock time"),
    (r"\b(?:wie lange)\b|\bcombien de temps\b|\bcu[aá]nto (?:tiempo|duran?)\b", "duration"),
    (
        r"\b(?:ab |bis |seit |von )?wann\b|\ban welche[mn] tage?n?\b|\b(?:c['’]est )?quand\b|\bquels? jours?\b"
        r"|\bcu[aá]ndo\b|\bqu[eé] d[ií]as?\b",
        "time",
    ),
    (
        r"\bwie ?viele?\b|\bwie (?:hoch|alt|groß) (?:ist|sind)\b|\bwelchem alter\b"
        r"|\bcombien(?: de\b| d['’])?|(?:\bà partir de )?\bquel âge\b"
        r"|\bcu[aá]nt[oa]s?\b|\bqu[eé] edad\b",
        "number",
    ),
)
"""What asks for which type; the first one that is found counts."""
_ASKS: Final = tuple((re.compile(pattern, re.IGNORECASE), value_type) for pattern, value_type in _QUESTIONS)

_NUMBER: Final = (
    r"\d|\b(?:zwei|drei|vier|fünf|sechs|sieben|acht|neun|zehn|elf|zwölf|zwanzig|dreißig|vierzig|fünfzig|hundert|tausend)"
    r"(?:zehn|zig|und\w+|hundert\w*|tausend\w*|mal|fach)?\b|\bhalb\w*\b|\bHälfte\b"
    r"|\b(?:deux|trois|quatre|cinq|six|sept|huit|neuf|dix|onze|douze|quinze|vingt|trente|quarante|cinquante|soixante|cent|mille"
    r"|moitié|demi\w*)\b"
    r"|\b(?:dos|tres|cuatro|cinco|seis|siete|ocho|nueve|diez|once|doce|quince|veinte|treinta|cuarenta|cincuenta|noventa|cien"
    r"|ciento|mil|mitad|medi[oa])\b"
)
_VALUES: Final[dict[ValueType, str]] = {
    "price": (
        r"[€$£]|\b(?:euros?|eur|chf|franken|francs?|d[oó]lar\w*|dollars?|cents?|centimes?|c[eé]ntimos?)\b"
        r"|\b(?:kosten(?:los|frei)\w*|\w*frei|umsonst|gratis|gratuit\w*|offert\w*|librement|gratuitamente)\b"
        r"|\bHälfte\b|\bmoitié\b|\bmitad\b|\d\s?%"
    ),
    "clock time": (
        r"\d\s?[:.h]\s?\d\d|\d\s?(?:Uhr|h|horas|heures)\b|\b(?:Mittag\w*|Mitternacht|midi|minuit|mediod[ií]a|medianoche)\b"
        r"|\b(?:Uhr|heures?|horas?|minut\w+|Stunden?)\b"
    ),
    "duration": (
        rf"(?:{_NUMBER}|\b(?:eine?n?|une?|una?)\b)[^.;]{{0,25}}?"
        r"\b(?:Minuten?|Stunden?|Tage?n?|Wochen?|Monate?n?|Jahre?n?|minutes?|heures?|jours?|semaines?|mois|ans?|années?"
        r"|minutos?|horas?|d[ií]as?|semanas?|meses|mes|años?)\b|\d\s?(?:h|Uhr|min)\b|\d:\d\d"
        r"|\b(?:bis|jusqu\w*|hasta|until)\b"
    ),
    "time": (
        r"\d|\b(?:Montag|Dienstag|Mittwoch|Donnerstag|Freitag|Samstag|Sonntag|Sonnabend)\w*\b"
        r"|\b(?:montags|dienstags|mittwochs|donnerstags|freitags|samstags|sonntags|werktags)\b"
        r"|\b(?:lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)s?\b"
        r"|\b(?:lunes|martes|mi[eé]rcoles|jueves|viernes|s[aá]bados?|domingos?)\b"
        rf"|\b(?:{'|'.join(MONTH_WORDS)})\b"
        r"|\b(?:Tag\w*|täglich|Wochen?\w*|wöchentlich|Monat\w*|monatlich|Jahr\w*|jährlich|Quartal\w*|Frühling|Sommer\w*|Herbst"
        r"|Winter\w*|Morgen\w*|Mittag\w*|Abend\w*|Nacht|Weihnachten|Ostern|sobald|nachdem|bevor|wenn|falls|nach|vor|bei)\b"
        r"|\b(?:jours?|semaines?|mois|ans?|années?|matin|midi|soir|nuit|printemps|été|automne|hiver|après|avant|lorsqu\w*|quand|dès"
        r"|si)\b"
        r"|\b(?:d[ií]as?|semanas?|mes|meses|años?|mañana|tarde|noche|primavera|verano|otoño|invierno|antes|después|cuando|desde"
        r"|hasta|si)\b"
    ),
    "number": (
        rf"{_NUMBER}|\b(?:ein(?:mal|zige\w*)|une (?:fois|seule)|un seul|una vez|un solo|una sola)\b"
        r"|\b(?:kein\w*|aucune?|ningun[oa]?|alle)\b"
    ),
}
_STATES: Final = {value_type: re.compile(pattern, re.IGNORECASE) for value_type, pattern in _VALUES.items()}


def find_foreign_type(question: str) -> ForeignType | None:
    """Return the type of value that a question asks for; None where no type is certain.

    >>> asked = find_foreign_type("Was kostet der Eintritt?")
    >>> asked.value_type, asked.rest, asked.is_stated("Eintritt: 4 €")
    ('price', 'der Eintritt?', True)
    """
    for pattern, value_type in _ASKS:
        found = pattern.search(question)
        if found is not None:
            rest = f"{question[: found.start()]} {question[found.end() :]}"
            return ForeignType(value_type, " ".join(rest.split()))
    return None

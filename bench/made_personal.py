"""Documents with personal data in four languages, made here, so that every value and its place are known.

Values follow the rules of who issues them (check digits, prefixes, lengths), worked out here and not by the detectors
that are measured. Around them stands what looks like them: order numbers, UUIDs, versions, ISBN, coordinates, dates.
"""

from __future__ import annotations

import base64
import itertools
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "es")
Make = Callable[[random.Random], str]


@dataclass(frozen=True)
class Planted:
    """A value that stands in a text at ``text[start:end]``."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class MadeDocument:
    """A text with all the personal data in it."""

    language: str
    text: str
    planted: tuple[Planted, ...]


@dataclass
class _Text:
    """A text under construction."""

    parts: list[str] = field(default_factory=list)
    planted: list[Planted] = field(default_factory=list)
    size: int = 0

    def add(self, words: str) -> None:
        self.parts.append(words)
        self.size += len(words)

    def plant(self, kind: str, value: str) -> None:
        self.planted.append(Planted(kind, self.size, self.size + len(value)))
        self.add(value)


# Check digits


def luhn(body: str) -> str:
    """Return the check digit of ISO/IEC 7812-1."""
    doubled = [int(c) * (2 if i % 2 == 0 else 1) for i, c in enumerate(reversed(body))]
    return str(-sum(d - 9 if d > 9 else d for d in doubled) % 10)


def weighted(body: str, weights: tuple[int, ...], modulus: int) -> int:
    """Return the weighted sum of digits by a modulus."""
    return sum(int(c) * weight for c, weight in zip(body, weights, strict=True)) % modulus


def digits(rng: random.Random, size: int) -> str:
    """Return random digits."""
    return "".join(rng.choice(string.digits) for _ in range(size))


def chars(rng: random.Random, alphabet: str, size: int) -> str:
    """Return random characters."""
    return "".join(rng.choice(alphabet) for _ in range(size))


def birthday(rng: random.Random) -> tuple[str, str, str]:
    """Return day, month and a year of two digits in the twentieth century."""
    return f"{rng.randint(1, 28):02d}", f"{rng.randint(1, 12):02d}", f"{rng.randint(30, 99):02d}"


# Values


def card(rng: random.Random) -> str:
    prefix, size = rng.choice([("4", 16), ("52", 16), ("2301", 16), ("37", 15), ("6011", 16), ("3530", 16)])
    body = prefix + digits(rng, size - len(prefix) - 1)
    number = body + luhn(body)
    gap = rng.choice(["", " ", "-"])
    if size == 15:
        return gap.join([number[:4], number[4:10], number[10:]])
    return gap.join(number[i : i + 4] for i in range(0, 16, 4))


def iban(rng: random.Random) -> str:
    upper = string.ascii_uppercase
    country, body = rng.choice(
        [
            ("DE", digits(rng, 18)),
            ("GB", chars(rng, upper, 4) + digits(rng, 14)),
            ("FR", digits(rng, 10) + chars(rng, upper + string.digits, 11) + digits(rng, 2)),
            ("ES", digits(rng, 20)),
            ("AT", digits(rng, 16)),
            ("CH", digits(rng, 5) + chars(rng, upper + string.digits, 12)),
            ("IT", chars(rng, upper, 1) + digits(rng, 10) + chars(rng, upper + string.digits, 12)),
            ("NL", chars(rng, upper, 4) + digits(rng, 10)),
        ]
    )
    rest = int("".join(str(int(c, 36)) for c in f"{body}{country}00")) % 97
    plain = f"{country}{98 - rest:02d}{body}"
    return plain if rng.random() < 0.4 else " ".join(plain[i : i + 4] for i in range(0, len(plain), 4))


def email(rng: random.Random) -> str:
    first = rng.choice(["mara", "li.wei", "o'brien", "juergen", "anna-k", "t_nakamura", "info", "e.garcia", "zoe"])
    host = rng.choice(["example.org", "mail.uni-koeln.example", "corp.example.co.uk", "societe.example.fr", "a-b.es"])
    return f"{first}{rng.choice(['', '+list', '77', '.smith'])}@{host}"


def ip(rng: random.Random) -> str:
    four = (
        f"{rng.choice([10, 52, 93, 172, 192, 203])}.{rng.randint(0, 255)}.{rng.randint(0, 255)}.{rng.randint(1, 254)}"
    )
    six = ":".join(f"{rng.randint(4096, 65535):x}" for _ in range(8))
    return rng.choice([four, four, six, f"2001:db8:{rng.randint(4096, 65535):x}::{rng.randint(4096, 65535):x}"])


def ssn(rng: random.Random) -> str:
    area = rng.choice([rng.randint(1, 665), rng.randint(667, 899)])
    return f"{area:03d}-{rng.randint(1, 99):02d}-{rng.randint(1, 9999):04d}"


def nhs(rng: random.Random) -> str:
    while True:
        body = digits(rng, 9)
        check = 11 - weighted(body, (10, 9, 8, 7, 6, 5, 4, 3, 2), 11)
        if check != 10:
            number = f"{body}{0 if check == 11 else check}"
            return number if rng.random() < 0.3 else f"{number[:3]} {number[3:6]} {number[6:]}"


def nino(rng: random.Random) -> str:
    pair = rng.choice(["AB", "CE", "JG", "NX", "PR", "SK", "TW"])
    number = digits(rng, 6)
    suffix = rng.choice("ABCD")
    return f"{pair} {number[:2]} {number[2:4]} {number[4:]} {suffix}"


def steuer_id(rng: random.Random) -> str:
    pool = rng.sample(string.digits, 9)
    while True:
        body = [*pool, rng.choice(pool)]
        rng.shuffle(body)
        if body[0] != "0":
            break
    product = 10
    for c in body:
        total = (int(c) + product) % 10 or 10
        product = 2 * total % 11
    number = "".join(body) + str((11 - product) % 10)
    return number if rng.random() < 0.5 else f"{number[:2]} {number[2:5]} {number[5:8]} {number[8:]}"


def ahv(rng: random.Random) -> str:
    body = "756" + digits(rng, 9)
    check = -sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(body)) % 10
    return f"{body[:3]}.{body[3:7]}.{body[7:11]}.{body[11:]}{check}"


def nir(rng: random.Random) -> str:
    _, month, year = birthday(rng)
    body = f"{rng.choice('12')}{year}{month}{rng.randint(1, 95):02d}{digits(rng, 6)}"
    if body[5:7] == "20":  # Corsica is 2A and 2B
        body = f"{body[:5]}75{body[7:]}"
    number = f"{body}{97 - int(body) % 97:02d}"
    cuts = (0, 1, 3, 5, 7, 10, 13, 15)
    spaced = " ".join(number[a:b] for a, b in itertools.pairwise(cuts))
    return number if rng.random() < 0.4 else spaced


def belgian(rng: random.Random) -> str:
    day, month, year = birthday(rng)
    body = f"{year}{month}{day}{rng.randint(1, 997):03d}"
    check = 97 - int(body) % 97
    return f"{year}.{month}.{day}-{body[6:]}.{check:02d}"


def dni(rng: random.Random) -> str:
    number = digits(rng, 8)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23]
    return rng.choice([f"{number}{letter}", f"{number}-{letter}", f"{number[:2]}.{number[2:5]}.{number[5:]}-{letter}"])


def nie(rng: random.Random) -> str:
    first, number = rng.choice("XYZ"), digits(rng, 7)
    letter = "TRWAGMYFPDXBNJZSQVHLCKE"[int(f"{'XYZ'.index(first)}{number}") % 23]
    return rng.choice([f"{first}{number}{letter}", f"{first}-{number}-{letter}"])


def curp(rng: random.Random) -> str:
    day, month, year = birthday(rng)
    state = rng.choice(["DF", "JC", "NL", "OC"])
    consonants = "BCDFGHJKLMNPQRSTVWXYZ"
    name = rng.choice("GHLMPR") + rng.choice("AEIOU") + chars(rng, "BCDFGLMR", 2)
    body = f"{name}{year}{month}{day}{rng.choice('HM')}{state}{chars(rng, consonants, 3)}{rng.randint(0, 9)}"
    alphabet = "0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ"
    total = sum(alphabet.index(c) * (18 - i) for i, c in enumerate(body))
    return f"{body}{-total % 10}"


NATIONAL: Final[dict[str, tuple[tuple[str, Make], ...]]] = {
    "en": (("NHS number", nhs), ("National Insurance number", nino)),
    "de": (("Steuer-ID", steuer_id), ("AHV-Nummer", ahv)),
    "fr": (("Numéro de sécurité sociale", nir), ("Numéro de registre national", belgian)),
    "es": (("DNI", dni), ("NIE", nie), ("CURP", curp)),
}


def phone(rng: random.Random, language: str) -> str:
    d = lambda size: digits(rng, size)  # noqa: E731
    area, exchange = f"{rng.randint(2, 9)}{d(2)}", f"{rng.randint(2, 9)}{d(2)}"
    forms = {
        "en": [
            f"({area}) {exchange}-{d(4)}",
            f"{area}-{exchange}-{d(4)}",
            f"+44 20 7{d(3)} {d(4)}",
            f"07{d(3)} {d(6)}",
        ],
        "de": [f"+49 30 {d(7)}", f"0171 {d(7)}", f"030/9{d(5)}", f"+43 1 {d(7)}", "044 6" + f"{d(2)} {d(2)} {d(2)}"],
        "fr": [f"06 {d(2)} {d(2)} {d(2)} {d(2)}", f"+33 1 {d(2)} {d(2)} {d(2)} {d(2)}", f"+32 2 {d(3)} {d(2)} {d(2)}"],
        "es": [f"+34 91 {d(3)} {d(2)} {d(2)}", f"+34 6{d(2)} {d(3)} {d(3)}", f"+52 55 {d(4)} {d(4)}"],
    }
    return rng.choice(forms[language])


def phone_at_home(rng: random.Random, language: str) -> str:
    """Return a number that only a word before it makes a phone number."""
    d = lambda size: digits(rng, size)  # noqa: E731
    forms = {
        "en": [f"020 7{d(3)} {d(4)}", f"{rng.randint(2, 9)}{d(9)}"],
        "de": [f"030 {rng.randint(1, 9)}{d(6)}", f"0{rng.randint(151, 179)}{d(8)}"],
        "fr": [f"0{rng.randint(1, 7)}{d(8)}", f"01.{d(2)}.{d(2)}.{d(2)}.{d(2)}"],
        "es": [f"6{d(2)} {d(3)} {d(3)}", f"91 {d(3)} {d(2)} {d(2)}", f"7{d(8)}"],
    }
    return rng.choice(forms[language])


def api_key(rng: random.Random) -> str:
    letters = string.ascii_letters + string.digits
    return rng.choice(
        [
            f"sk-proj-{chars(rng, letters, 40)}",
            f"sk-ant-api03-{chars(rng, letters, 40)}",
            f"ghp_{chars(rng, letters, 36)}",
            f"AKIA{chars(rng, string.ascii_uppercase + '234567', 16)}",
            f"AIza{chars(rng, letters, 35)}",
            f"xoxb-{digits(rng, 11)}-{digits(rng, 12)}-{chars(rng, letters, 24)}",
            f"hf_{chars(rng, letters, 34)}",
        ]
    )


def jwt(rng: random.Random) -> str:
    def pack(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    signature = chars(rng, string.ascii_letters + string.digits + "-_", 43)
    return f"{pack({'alg': 'HS256', 'typ': 'JWT'})}.{pack({'sub': digits(rng, 8), 'iat': 1_700_000_000})}.{signature}"


def private_key(rng: random.Random) -> str:
    lines = "\n".join(chars(rng, string.ascii_letters + string.digits + "+/", 64) for _ in range(4))
    kind = rng.choice(["", "RSA ", "EC ", "OPENSSH "])
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


# What looks like them


def look_alike(rng: random.Random) -> str:
    """Return something with digits or random letters that leads to nobody."""
    d = lambda size: digits(rng, size)  # noqa: E731
    year, month, day = rng.randint(1950, 2026), rng.randint(1, 12), rng.randint(1, 28)
    isbn = f"978{d(9)}"
    check = -sum(int(c) * (3 if i % 2 else 1) for i, c in enumerate(isbn)) % 10
    return rng.choice(
        [
            str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            f"ORD-{year}-{d(6)}",
            f"{rng.randint(1, 9)}{d(7)}",
            f"{rng.randint(10, 99)}-{d(5)}",
            f"9{d(2)}-{d(2)}-{d(4)}",
            f"v{rng.randint(0, 30)}.{rng.randint(0, 30)}.{rng.randint(0, 99)}",
            f"version {rng.randint(1, 12)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}.{rng.randint(0, 9)}",
            f"ISBN {isbn}{check}",
            f"ISBN 978-{d(1)}-{d(3)}-{d(5)}-{check}",
            f"{rng.uniform(-89, 89):.5f}, {rng.uniform(-179, 179):.5f}",
            f"{rng.randint(0, 89)}°{rng.randint(10, 59)}′{rng.randint(10, 59)}″ N",
            f"{year}-{month:02d}-{day:02d}",
            f"{day:02d}.{month:02d}.{year}",
            f"{day:02d}/{month:02d}/{year}",
            f"{year}-{month:02d}-{day:02d}T{rng.randint(10, 23)}:{rng.randint(10, 59)}:{rng.randint(10, 59)}Z",
            f"10.{d(4)}/j.{year}.{d(5)}",
            f"arXiv:{rng.randint(10, 26)}{rng.randint(1, 12):02d}.{d(5)}",
            chars(rng, "0123456789abcdef", rng.choice([32, 40, 64])),
            f"{rng.randint(1, 900)},{d(3)},{d(3)}",
            f"{rng.randint(1, 900)}.{d(3)}.{d(3)},{d(2)} EUR",
            f"{rng.randint(1900, 2000)}-{rng.randint(2001, 2026)}",
            f"PN {chars(rng, string.ascii_uppercase, 2)}{d(5)}-{d(2)}",
            ":".join(chars(rng, "0123456789ABCDEF", 2) for _ in range(6)),
            f"{d(3)} {d(3)} {d(3)} {d(3)} {d(3)}",
            f"{rng.uniform(0, 10):.3f} ± {rng.uniform(0, 1):.3f}",
            f"RFC {rng.randint(100, 9000)}, section {rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}",
        ]
    )


# Names

FIRST: Final = (
    "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan "
    "Joseph Jessica Thomas "
    "Sarah Charles Karen Priya Ahmed Fatima Wei Mei Carlos Sofia Olga Ivan Kofi Amina Yuki Hiroshi Ingrid Lars "
    "Chiara Marco Zoe Liam Emma Noah Olivia Ethan Hannah Samuel Grace Daniel Ruth Peter Alice Victor Clara Oscar Nina"
).split()
LAST: Final = (
    "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Taylor Moore Jackson Martin Thompson White Harris "
    "Clark Lewis Robinson Walker Young Allen King Wright Scott Nguyen Patel Khan Garcia Martinez Rodriguez Kowalski "
    "Ivanov Okafor Mensah Tanaka Suzuki Larsen Eriksson Rossi Bianchi Schneider Fischer Weber Dubois Moreau Hughes "
    "Edwards Collins Stewart Morris Murphy Cook Rogers Reed Bailey Cooper Richardson Cox Ward Peterson Gray Ramirez"
).split()
NAME_SENTENCES: Final = (
    "The contract was signed by {} on behalf of the supplier.",
    "{} called the office this morning and asked for a copy of the report.",
    "Please forward the minutes to {} before Friday.",
    "According to {}, the valve had been replaced twice.",
    "Dr. {} examined the patient and ordered further tests.",
    "The committee thanked {} for the presentation.",
    "In the interview, {} said that the project was late.",
    "{} and the rest of the team moved to the new building in spring.",
    "A complaint from {} was received by the service desk.",
    "Our new head of finance is {}, who joined from a bank.",
    "The samples were collected by {} near the river.",
    "Ms {} will replace the treasurer from next month on.",
)


def person(rng: random.Random) -> str:
    """Return the name of a person."""
    middle = f" {rng.choice(string.ascii_uppercase)}." if rng.random() < 0.1 else ""
    return f"{rng.choice(FIRST)}{middle} {rng.choice(LAST)}"


# Texts

FILLER: Final[dict[str, tuple[str, ...]]] = {
    "en": (
        "The pump is inspected every quarter, and the results are kept with the maintenance plan.",
        "Deliveries arrive at the northern gate before noon.",
        "The committee approved the budget after a short discussion.",
    ),
    "de": (
        "Die Pumpe wird jedes Quartal geprüft, und die Ergebnisse liegen beim Wartungsplan.",
        "Lieferungen kommen vormittags am nördlichen Tor an.",
        "Der Ausschuss hat den Haushalt nach kurzer Aussprache beschlossen.",
    ),
    "fr": (
        "La pompe est contrôlée chaque trimestre et les résultats sont joints au plan d'entretien.",
        "Les livraisons arrivent à la porte nord avant midi.",
        "Le comité a adopté le budget après une courte discussion.",
    ),
    "es": (
        "La bomba se revisa cada trimestre y los resultados se guardan con el plan de mantenimiento.",
        "Las entregas llegan a la puerta norte antes del mediodía.",
        "El comité aprobó el presupuesto tras un breve debate.",
    ),
}
LABELS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "en": {
        "email": ("E-mail: ", "Write to ", "Contact "),
        "phone": ("Phone: ", "Call ", "Mobile "),
        "iban": ("IBAN: ", "Please pay to ", "Account "),
        "card": ("Card: ", "Paid with ", "Card number "),
        "ip": ("Client ", "Host ", "from "),
        "ssn": ("SSN ", "Social security number: ", "Employee "),
        "other": ("Order ", "Reference: ", "See ", "Part "),
    },
    "de": {
        "email": ("E-Mail: ", "Schreiben Sie an ", "Kontakt "),
        "phone": ("Telefon: ", "Tel. ", "Mobil "),
        "iban": ("IBAN: ", "Bitte überweisen Sie auf ", "Konto "),
        "card": ("Karte: ", "Bezahlt mit ", "Kartennummer "),
        "ip": ("Client ", "Rechner ", "von "),
        "ssn": ("SSN ",),
        "other": ("Bestellung ", "Aktenzeichen: ", "Siehe ", "Teil "),
    },
    "fr": {
        "email": ("Courriel : ", "Écrivez à ", "Contact "),
        "phone": ("Téléphone : ", "Tél. ", "Portable "),
        "iban": ("IBAN : ", "Merci de virer sur ", "Compte "),
        "card": ("Carte : ", "Payé avec ", "Numéro de carte "),
        "ip": ("Client ", "Hôte ", "de "),
        "ssn": ("SSN ",),
        "other": ("Commande ", "Référence : ", "Voir ", "Pièce "),
    },
    "es": {
        "email": ("Correo: ", "Escriba a ", "Contacto "),
        "phone": ("Teléfono: ", "Tel. ", "Móvil "),
        "iban": ("IBAN: ", "Transferir a ", "Cuenta "),
        "card": ("Tarjeta: ", "Pagado con ", "Número de tarjeta "),
        "ip": ("Cliente ", "Equipo ", "desde "),
        "ssn": ("SSN ",),
        "other": ("Pedido ", "Referencia: ", "Véase ", "Pieza "),
    },
}
VALUES: Final[dict[str, Make]] = {
    "email": email,
    "iban": iban,
    "card": card,
    "ip": ip,
    "ssn": ssn,
    "api_key": api_key,
    "jwt": jwt,
    "private_key": private_key,
}


def make_documents(count: int, seed: int) -> Iterator[MadeDocument]:
    """Yield documents in turn in each language; the same seed makes the same ones."""
    rng = random.Random(seed)
    for number in range(count):
        yield make_document(rng, LANGUAGES[number % len(LANGUAGES)])


def make_document(rng: random.Random, language: str) -> MadeDocument:
    """Return a document of prose, lists and a table with values and look-alikes in them."""
    text = _Text()
    text.add(f"# {rng.choice(FILLER[language])}\n\n")
    for _ in range(rng.randint(3, 7)):
        text.add(f"{rng.choice(FILLER[language])} ")
        if rng.random() < 0.6:
            _add_value(rng, text, language)
        if rng.random() < 0.7:
            text.add(f"{rng.choice(LABELS[language]['other'])}{look_alike(rng)}{rng.choice(['.', ',', ';', ''])} ")
        text.add(rng.choice(["\n\n", "\n", "\n\n- "]))
    if language == "en":
        for _ in range(rng.randint(1, 3)):
            before, _, after = rng.choice(NAME_SENTENCES).partition("{}")
            text.add(before)
            text.plant("person", person(rng))
            text.add(f"{after} ")
        text.add("\n\n")
    if rng.random() < 0.4:
        _add_table(rng, text, language)
    return MadeDocument(language, "".join(text.parts), tuple(text.planted))


def _add_value(rng: random.Random, text: _Text, language: str) -> None:
    """Add a value behind words that may introduce it."""
    kind = rng.choice(["national_id", "phone", "phone", *VALUES])
    labels = LABELS[language]
    if kind == "national_id":
        label, make = rng.choice(NATIONAL[language])
        text.add(f"{label}{rng.choice([': ', ' '])}")
        text.plant(kind, make(rng))
    elif kind == "phone":
        is_at_home = rng.random() < 0.4
        text.add(rng.choice(labels["phone"]))
        text.plant(kind, phone_at_home(rng, language) if is_at_home else phone(rng, language))
    elif kind == "private_key":
        text.add("\n\n")
        text.plant(kind, private_key(rng))
        text.add("\n\n")
    elif kind in {"api_key", "jwt"}:
        text.add(rng.choice(["token ", "key: ", "```\nexport API=", ""]))
        text.plant(kind, VALUES[kind](rng))
        text.add("\n")
    else:
        text.add(rng.choice(labels[kind]))
        text.plant(kind, VALUES[kind](rng))
    text.add(rng.choice([". ", ", ", "; ", "\n", " "]))


def _add_table(rng: random.Random, text: _Text, language: str) -> None:
    """Add a table whose column names stand far from their values."""
    text.add("\n\n| nr | mail | iban | phone |\n| --- | --- | --- | --- |\n")
    for row in range(rng.randint(1, 4)):
        text.add(f"| {row + 1} | ")
        text.plant("email", email(rng))
        text.add(" | ")
        text.plant("iban", iban(rng))
        text.add(" | ")
        text.plant("phone", phone(rng, language))
        text.add(" |\n")

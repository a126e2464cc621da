"""Signs that a text speaks to the model instead of the reader. Pure, linear: about 0.2 s a million characters.

A sign is no proof: documents about prompt injection show all of them. So the default is to flag, and what protects is
that passages stay data (``untrusted``) and that nothing can leave in an answer (``links``). Ingestion, connectors,
which see what a page hides, and the guardrails share the rules.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Place = Literal["word", "sentence", "anywhere"]


@dataclass(frozen=True)
class SignRule:
    """One of ``words``, beginning at a ``place`` of that kind, with ``tail`` right behind it.

    Looking for the words first is what makes it fast: a search for a plain string reads gigabytes a second, an
    alternative of them in a regular expression some megabytes.
    """

    words: tuple[str, ...]
    tail: re.Pattern[str]
    place: Place

    def ends(self, text: str, word: str) -> Iterator[int]:
        """Yield the end of each ``word`` in ``text`` that begins where it has to."""
        at = text.find(word)
        while at >= 0:
            if _begins(text, at, self.place):
                yield at + len(word)
            at = text.find(word, at + 1)


def _begins(text: str, at: int, place: Place) -> bool:
    if place == "anywhere" or at == 0:
        return True
    if place == "word":
        return not (text[at - 1].isalnum() or text[at - 1] == "_")
    return _SENTENCE_END.search(text, max(0, at - 12), at) is not None


_SENTENCE_END: Final = re.compile(r"(?:^|[\n.!?:;>\"'(*]) ?(?:[#*_>-]+ ?)*$")
"""What stands right before the first word of a sentence, a heading, a list item or a quotation."""


def _rule(words: str, tail: str = "", place: Place = "word") -> SignRule:
    return SignRule(tuple(words.split(" | ")), re.compile(tail, re.DOTALL), place)


_JOINERS = "\u200c\u200d"
"""Zero-width characters that scripts and emoji need."""
_ANY = r"(?:all|any|every|the|of|these|those|that|other|and)"
_OWN = r"(?:your|my|earlier|previous|prior|above|preceding|foregoing|initial|original|system|existing|current)"
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directives?|commands?|context|messages?|constraints?|training)"
_INSIDE = (
    r"(?:system prompt|your (?:(?:system|initial|hidden|secret) )?(?:prompt|instructions|rules|guidelines)"
    r"|(?:your|the) (?:api keys?|passwords?|credentials)|the prompt above|hidden (?:prompt|instructions)"
    r"|(?:conversation|chat) history)"
)
_MODEL = r"(?:ai|llm|language model|large language model|assistant|ai assistant|ai agent|ai model|chatbot|model)"
_PRIVATE = (
    r"(?:conversation|chat|history|questions?|prompts?|answers?|secrets?|passwords?|credentials|api keys?|user's|users'"
    r"|e-?mails?|session|everything|personal)"
)
_TELL = "say|reply|answer|respond|write|output|print|tell"

_SIGNS: dict[str, tuple[SignRule, ...]] = {
    "override": (
        _rule(
            "ignore | disregard | forget | override | bypass | skip | drop"
            " | do not follow | don't follow | stop following",
            rf" (?:{_ANY} ){{0,4}}{_OWN} (?:(?:{_ANY}|{_OWN}) ){{0,4}}{_ORDERS}\b",
        ),
        _rule(
            "ignore | disregard | forget | do not follow | don't follow | stop following",
            rf" (?:{_ANY} ){{0,4}}(?:instructions|prompts?|guidelines|directives)\b"
            r"(?! (?:for|in|on|if|unless|when|from)\b)",
        ),
        _rule(
            "ignore | disregard | forget",
            r" (?:everything|all|anything) (?:(?:that|which) )?"
            r"(?:you (?:were|have|know|learn)|above|said|prior|previous)",
        ),
        _rule(
            "vergiss | vergesst | ignoriere | ignoriert | missachte",
            r"\b.{0,40}\b(?:anweisungen|regeln|befehle|vorgaben)",
        ),
        _rule(
            "ignorez | ignorer | oubliez | oublie | oublier | ignore",
            r"\b.{0,40}\b(?:consignes|instructions pr|r[eè]gles)",
        ),
        _rule("ignora | olvida | olvide | ignore", r"\b.{0,40}\b(?:instrucciones|reglas|istruzioni|regole)"),
        _rule("忽略 | 无视 | 忘记", r".{0,12}(?:指令|指示|提示|规则)", "anywhere"),
    ),
    "role": (
        _rule(
            "you are now | you are no longer",
            rf" (?:(?:an?|the|in|called|named|bound)\b.{{0,40}}\b(?:{_MODEL}|mode|dan|persona|character|jailbroken"
            r"|unrestricted|limits?|rules?)\b|(?:dan|free|unrestricted|unbound|restricted|limited)\b)",
        ),
        _rule(
            "you are now",
            r" (?:an? (?!member|user|contributor|maintainer|owner|part\b|subscriber|step|few|bit|lot)|called|named)",
            "sentence",
        ),
        _rule(
            "from now on",
            r",? (?:you (?:are|will|shall|must|answer|act|reply|respond|only)|act|answer|reply|respond)\b",
            "sentence",
        ),
        _rule("act as", r" (?:an? |the )?(?:dan|unrestricted|evil|jailbroken|uncensored)\b"),
        _rule(
            "pretend",
            r" (?:you are|that you|(?:to be|you're) (?:an? |the )?(?:unrestricted|evil|jailbroken|ai|dan|different)\b)",
        ),
        _rule(
            "dan mode | god mode | jailbreak mode",
            r"\b(?! (?:for|of|is|on|in)\b)",
        ),
        _rule("your new", r" (?:role|task|goal|instructions?|persona)(?: (?:is|are|will)\b|:)"),
    ),
    "template": (
        _rule("<|", r"[a-z][a-z_\u2581 ]{0,38}[a-z]\|>", "anywhere"),
        _rule(
            "[inst] | [/inst] | <<sys>> | <</sys>> | <start_of_turn> | <end_of_turn> | </start_of_turn>", "", "anywhere"
        ),
        _rule(
            "system | assistant | developer",
            r"(?: message| prompt| note)?\s?: .{0,80}\b(?:you|your|new (?:rules|instructions))\b",
            "sentence",
        ),
        _rule("<system | </system | <assistant | </assistant | <passage | </passage", r"s?\b[^<>]{0,40}>", "anywhere"),
    ),
    "reveal": (
        _rule(
            "reveal | print | show | repeat | output | display | leak | disclose | tell me | dump | return | quote"
            " | include | append | state",
            rf"\b[^.\n]{{0,40}}\b{_INSIDE}\b",
        ),
        _rule("what is your | what are your | what's your", r" (?:system prompt|instructions|initial prompt)\b"),
    ),
    "address": (
        _rule(
            "note | message | instruction | instructions | attention | important | reminder | notice",
            rf"\b.{{0,12}}\b(?:to|for) (?:the |all |any )?{_MODEL}s?\b[^.\n]{{0,40}}:",
        ),
        _rule("dear | hey | hello | attention", rf",? {_MODEL}\b"),
        _rule("if you are", rf" an? {_MODEL}\b(?=,|:| (?:reading|processing|summari|assist|agent))"),
        _rule("as an | as a", rf" {_MODEL},? you (?:must|should|will|have to|are)\b"),
    ),
    "conceal": (
        _rule(
            "do not | don't | never",
            r" (?:tell|mention|inform|reveal|disclose|show|cite|say)\b[^.\n]{0,30}"
            r"\b(?:(?:the|any) (?:user|reader|human)|anyone|this (?:note|message|instruction|text|document|passage))",
        ),
        _rule("without", r" (?:telling|informing|mentioning|notifying) (?:to )?(?:the )?(?:user|reader|human|anyone)"),
    ),
    "command": (
        _rule("instead of answering | rather than answering", rf",? (?:just |only )?(?:{_TELL})\b"),
        _rule("instead | rather", rf",? (?:of .{{0,40}},? )?(?:{_TELL}) (?:that|only|exactly|with the word)\b"),
        _rule(
            "you must | always | only | simply | just",
            r" (?:say|reply|respond|answer|output) (?:with|that|exactly|only)\b",
        ),
        _rule(
            "end of",
            r" (?:system |the )?(?:instructions?|prompt|document|context|passages?)\b\W{0,8}(?:\n|new |system|now )",
        ),
        _rule("new instruction | new instructions | new system", r"(?: prompt| instructions?)? ?:", "sentence"),
        _rule(
            "respond | reply | answer",
            r" (?:only )?(?:with|by) (?:exactly|only|the (?:exact )?(?:word|phrase|text))\b|"
            r" only with\b",
        ),
    ),
    "exfiltrate": (
        _rule("![", r"[^\]]{0,80}\]\([^)\s]{0,200}(?:\{[^)]{0,80}|=)\)", "anywhere"),
        _rule(
            "send | forward | transmit | upload | exfiltrate | email | e-mail | append | encode | post | add",
            rf"\b(?=[^.\n]{{0,60}}\b{_PRIVATE}\b)[^\n]{{0,80}}?"
            r"(?:\bto (?:the )?(?:following )?(?:url\b|server\b|endpoint\b|https?://|address:? (?:https?:)?//)"
            r"|\bin the url\b|\bquery string\b|\bas base64\b|\burl parameter)",
        ),
        _rule(
            "render | insert | embed | display | load | include",
            r"\b.{0,30}\b(?:image|img|picture|pixel)\b[^\n]{0,40}(?:https?://|(?<!:)//|www\.)",
        ),
    ),
}
_WORDS: Final = tuple((name, rule, word) for name, rules in _SIGNS.items() for rule in rules for word in rule.words)
_TAG_CHARACTERS = re.compile(r"[\U000e0020-\U000e007f]{4,}")
_HIDDEN_RUN = re.compile(r"[\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069]{3,}")
_BLANKS = re.compile(r"[^\S\n]{2,}|[^\S\n ]")
_INVISIBLE = frozenset({"Cc", "Cf", "Co"})
_PLAINLY_VISIBLE = re.compile(r"[\n\t -~]*")


def visible(text: str) -> str:
    """``text`` without characters that change nothing a reader sees: tags, direction marks, zero-width, controls."""
    if _PLAINLY_VISIBLE.fullmatch(text):
        return text
    gone = [c for c in set(text) if c not in "\n\t" and c not in _JOINERS and unicodedata.category(c) in _INVISIBLE]
    return text.translate(dict.fromkeys(map(ord, gone))) if gone else text


def signs(text: str) -> tuple[str, ...]:
    """Names of the signs in ``text``, sorted; ``hidden`` for runs of characters that a reader cannot see."""
    forms = _forms(text)
    found = {name for form in forms for name, rule, word in _WORDS if word in form and _goes_on(form, rule, word)}
    if not text.isascii() and (_TAG_CHARACTERS.search(text) or _HIDDEN_RUN.search(text)):
        found.add("hidden")
    return tuple(sorted(found))


def _goes_on(text: str, rule: SignRule, word: str) -> bool:
    return any(rule.tail.match(text, end) for end in rule.ends(text, word))


def _forms(text: str) -> set[str]:
    """The text as a reader sees it, and with what is spelled in tag characters written out."""
    forms = {_plain(visible(text))}
    if not text.isascii() and _TAG_CHARACTERS.search(text):
        spelled = "".join(chr(ord(c) - 0xE0000) if "\U000e0020" <= c <= "\U000e007e" else c for c in text)
        forms.add(_plain(visible(spelled)))
    return forms


def _plain(text: str) -> str:
    """Small letters, compatibility forms unified, runs of blanks made one (but line breaks: signs begin lines)."""
    unified = unicodedata.normalize("NFKC", text).lower().replace("’", "'")
    return _BLANKS.sub(" ", unified).replace(" \n", "\n")

"""Signs that a text speaks to the model instead of the reader. Pure.

A sign is no proof: documents about prompt injection show all of them. So the default is to flag, and what protects is
that passages stay data (``untrusted``) and that nothing can leave in an answer (``links``). Connectors, which
see what a page hides, and the guardrails share the rule.
"""

from __future__ import annotations

import re
import unicodedata

_JOINERS = "\u200c\u200d"
"""Zero-width characters that scripts and emoji need."""
_BEFORE = (
    r"(?:(?:all|any|every|the|your|my|of|these|those|earlier|previous|prior|above|preceding|initial|original|system"
    r"|other) )*"
)
_ORDERS = r"(?:instructions?|prompts?|rules?|guidelines?|directives?|commands?|context|messages?|constraints?|training)"
_INSIDE = (
    r"(?:system prompt|your (?:(?:system|initial|hidden|secret) )?(?:prompt|instructions|rules|guidelines)|api keys?"
    r"|passwords?|credentials|the prompt above|hidden (?:prompt|instructions)|(?:conversation|chat) history)"
)
_MODEL = r"(?:ai|llm|language model|assistant|chatbot|model)"

_SIGNS: dict[str, tuple[str, ...]] = {
    "override": (
        r"\b(?:ignore|disregard|forget|override|bypass|skip|drop|(?:do not|don't|stop) follow(?:ing)?) "
        rf"{_BEFORE}{_ORDERS}\b",
        r"\b(?:ignore|disregard|forget) (?:everything|all|anything) (?:above|before|you|that|said|prior|previous)",
        r"\b(?:vergiss|ignoriere|missachte)\b.{0,40}\b(?:anweisungen|regeln|befehle|vorgaben)",
        r"\b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instructions|consignes|r[eè]gles)",
        r"\b(?:ignora|olvida|olvide)\b.{0,40}\b(?:instrucciones|reglas|istruzioni|regole)",
        r"(?:忽略|无视|忘记).{0,12}(?:指令|指示|提示|规则)",
    ),
    "role": (
        r"\byou are (?:now|no longer)\b",
        r"\bfrom now on,? (?:you|act|answer|reply|respond)",
        r"\bact as (?:an? |the )?(?:dan\b|unrestricted|system|admin|developer|evil|jailbroken)",
        r"\bpretend (?:to be|you are|that you)",
        r"\b(?:developer|god|dan|jailbreak|debug) mode\b",
        r"\byour new (?:role|task|goal|instructions?|persona)\b",
    ),
    "template": (
        r"<\|[a-z_ ]{2,30}\|>|<｜[^｜]{2,40}｜>|\[/?inst\]|<</?sys>>|</?(?:start|end)_of_turn>",
        r"^\s*(?:#+ ?)?(?:system|assistant|developer)(?: message| prompt| note)?\s*:",
        r"</?(?:system|assistant|passage)[^<>]{0,40}>",
    ),
    "reveal": (
        r"\b(?:reveal|print|show|repeat|output|display|leak|disclose|tell me|dump|return|quote|include|append|state)\b"
        rf".{{0,40}}\b{_INSIDE}\b",
        r"\bwhat (?:is|are) your (?:system prompt|instructions|initial prompt)\b",
    ),
    "address": (
        r"\b(?:note|message|instructions?|attention|important|reminder|notice)\b.{0,12}"
        rf"\b(?:to|for) (?:the |all |any )?{_MODEL}s?\b",
        rf"\b(?:dear|hey|hello|attention),? {_MODEL}\b|\bif you are an? {_MODEL}\b",
        rf"\bas an? {_MODEL},? you (?:must|should|will|have to|are)\b",
    ),
    "conceal": (
        r"\b(?:do not|don't|never) (?:tell|mention|inform|reveal|disclose|show|cite|say)\b.{0,30}"
        r"\b(?:user|reader|human|anyone|this|that|source)",
        r"\bwithout (?:telling|informing|mentioning|notifying) (?:the )?(?:user|reader|human|anyone)",
    ),
    "command": (
        r"\b(?:instead|rather),? (?:of answering,? )?(?:say|reply|answer|respond|write|output|tell)\b",
        r"\b(?:you must|always|only|simply|just) (?:say|reply|respond|answer|output) (?:with|that|exactly|only|in)\b",
        r"\bend of (?:system |the )?(?:instructions?|prompt|document|context|passages?)\b",
        r"\bnew (?:system )?(?:instructions?|prompt) ?:",
        r"\b(?:respond|reply|answer) (?:only )?(?:with|by) (?:exactly|only|the following|the (?:word|phrase|text))",
    ),
    "exfiltrate": (
        r"!\[[^\]]{0,80}\]\([^)\s]{0,200}(?:\{[^)]{0,80}|=)\)",
        r"\b(?:send|forward|transmit|upload|exfiltrate|e-?mail|append|encode|post|add)\b.{0,60}"
        r"(?:\bto (?:the )?(?:following )?(?:url|server|endpoint|https?://|address:? (?:https?:)?//)"
        r"|\bin the url\b|\bquery string\b|\bas base64\b|\burl parameter)",
        r"\b(?:render|insert|embed|display|load|include)\b.{0,30}\b(?:image|img|picture|pixel)\b.{0,40}"
        r"(?:https?://|//|www\.)",
    ),
}
_PATTERNS = {
    name: re.compile("|".join(patterns), re.IGNORECASE | re.DOTALL | re.MULTILINE) for name, patterns in _SIGNS.items()
}
_TAG_CHARACTERS = re.compile(r"[\U000e0020-\U000e007f]{4,}")
_HIDDEN_RUN = re.compile(r"[\u200b\u2060-\u2064\ufeff\u202a-\u202e\u2066-\u2069]{3,}")
_UNCOMMON = re.compile(r"[^\n\t\x20-\x7e]")


def visible(text: str) -> str:
    """``text`` without characters that change nothing a reader sees: tags, direction marks, zero-width, controls."""
    if not _UNCOMMON.search(text):
        return text
    return "".join(c for c in text if c in "\n\t" or c in _JOINERS or unicodedata.category(c) not in {"Cc", "Cf", "Co"})


def signs(text: str) -> tuple[str, ...]:
    """Names of the signs in ``text``, sorted; ``hidden`` for runs of characters that a reader cannot see."""
    forms = _forms(text)
    found = {name for name, pattern in _PATTERNS.items() if any(pattern.search(form) for form in forms)}
    if _TAG_CHARACTERS.search(text) or _HIDDEN_RUN.search(text):
        found.add("hidden")
    return tuple(sorted(found))


def _forms(text: str) -> set[str]:
    """The text as a reader sees it, and with what is spelled in tag characters written out."""
    if text.isascii():
        return {_plain(visible(text))}
    spelled = "".join(chr(ord(c) - 0xE0000) if "\U000e0020" <= c <= "\U000e007e" else c for c in text)
    return {_plain(visible(text)), _plain(visible(spelled))}


def _plain(text: str) -> str:
    """Compatibility forms unified, runs of blanks made one (line breaks stay: some signs begin a line)."""
    return re.sub(r"[^\S\n]+", " ", unicodedata.normalize("NFKC", text)).replace("’", "'").replace(" \n", "\n")

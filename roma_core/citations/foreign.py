"""Quotes in languages in which the check of claims was not measured: may a part of a sentence stand for it? Pure.

A whole sentence may. A part may where the rest of the sentence holds none of the words that deny, limit, condition or
attribute: closed classes of function words, of the languages that have a list here. In all others a part may not.
"""

from __future__ import annotations

from roma_core.languages import UNSPACED, find_script
from roma_core.markup.sentences import split_sentences

_DECIDING = {
    "de": "nicht kein keine keinen keinem keiner keines nie niemals niemand nichts weder ohne kaum selten außer "
    "ausgenommen sofern falls wenn solange bis nur lediglich höchstens mindestens laut zufolge angeblich "
    "vermutlich wahrscheinlich vielleicht etwa rund fast soll sollen sollte könnte dürfte würde will "
    "falsch unwahr behauptet meint glaubt sagt sagte dass ob einige manche teil hälfte oder entweder pro "
    "je monat tag jahr stunde woche",
    "fr": "ne n pas aucun aucune jamais personne rien ni sans sauf excepté hormis si lorsque quand jusqu pourvu "
    "seulement uniquement selon prétendument peut pourrait devrait serait environ presque faux prétend "
    "dit affirme croit que qu ou soit certains quelques moitié plupart par moins sinon",
    "es": "no nunca jamás nadie nada ni sin salvo excepto si cuando hasta solo sólo solamente según "
    "supuestamente quizá quizás podría debería sería casi unos aproximadamente falso dice dijo afirma "
    "cree que o algunos mitad mayoría por menos",
    "it": "non mai nessuno nessuna niente nulla né senza salvo tranne eccetto se quando finché solo soltanto "
    "secondo forse potrebbe dovrebbe sarebbe circa quasi falso dice afferma crede che o alcuni metà per "
    "meno",
    "pt": "não nunca jamais ninguém nada nem sem salvo exceto se quando até só somente apenas segundo talvez "
    "poderia deveria seria cerca quase falso diz afirma acredita que ou alguns metade por menos",
    "nl": "niet geen nooit niemand niets noch zonder behalve tenzij als wanneer tot alleen slechts volgens "
    "misschien zou kan mag ongeveer bijna onwaar zegt beweert gelooft dat of sommige helft per minder",
}
DECIDING: dict[str, frozenset[str]] = {
    language: frozenset(words.casefold().split()) for language, words in _DECIDING.items()
}
"""Words of a sentence without which the rest of it may mean something else, by language."""
_DECIDING_SIGNS = {
    "zh": "不 没 沒 未 无 無 非 勿 别 除 如果 若 假如 据 據 称 说 說 认为 可能 也许 或 仅 只 约 至少 最多 直到 每 之前",
    "ja": "ない ません ず 除 場合 なら たら れば によると によれば とされ そう かも でしょう だけ のみ "
    "約 以上 以下 未満 まで 毎 または ただし",
}
DECIDING_SIGNS: dict[str, tuple[str, ...]] = {lang: tuple(signs.split()) for lang, signs in _DECIDING_SIGNS.items()}
"""Signs that decide as these words do, of languages without spaces."""
_NUMERALS = frozenset("〇零一二三四五六七八九十百千万億亿兆0123456789０１２３４５６７８９.,点")


def is_fair_cut(passage: str, start: int, end: int, language: str) -> bool:
    """Return whether ``passage[start:end]`` says what its sentences say, as far as their other words show.

    >>> is_fair_cut("Der Lift fährt, außer im August.", 0, 14, "de")
    False
    """
    before, after = _rest_of_sentences(passage, start, end)
    if not any(sign.isalnum() for sign in before + after):
        return True
    if language in DECIDING:
        rest = f"{before} {after}".casefold()
        words = "".join(sign if sign.isalnum() else " " for sign in rest).split()
        return not DECIDING[language].intersection(words)
    if language not in DECIDING_SIGNS or not UNSPACED.search(passage):
        return False
    cuts_number = _cuts_number(before, passage[start:end]) or _cuts_number(passage[start:end], after)
    cuts_word = find_script(after[:1]) == "Hiragana"  # an ending of the verb
    return not (cuts_number or cuts_word or any(sign in before + after for sign in DECIDING_SIGNS[language]))


def _rest_of_sentences(passage: str, start: int, end: int) -> tuple[str, str]:
    """Return what stands before and behind a span in the sentences that it touches."""
    touched = [one for one in split_sentences(passage) if one.start < end and start < one.end]
    if not touched:
        return "", ""
    return passage[touched[0].start : start], passage[end : touched[-1].end]


def _cuts_number(left: str, right: str) -> bool:
    return bool(left) and bool(right) and left[-1] in _NUMERALS and right[0] in _NUMERALS

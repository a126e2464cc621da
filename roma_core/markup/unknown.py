"""Answers that say nothing but that they do not know, in the languages in which models say so. Pure."""

from __future__ import annotations

import re
from typing import Final

from roma_core.languages import UNSPACED

_PHRASES: Final = """
i don't know | i do not know | i cannot answer | i can not answer | i can't answer
ich weiß es nicht | ich weiss es nicht | das weiß ich nicht | das weiss ich nicht | ich weiß nicht | dazu habe ich keine
je ne sais pas | je l'ignore | aucune idée | je n'ai pas trouvé
no lo sé | no sé | desconozco la respuesta | no tengo información
non lo so | non so | non ho informazioni
não sei | eu não sei | não tenho informação | não tenho informações
ik weet het niet | dat weet ik niet | ik weet niet
det vet jag inte | jag vet inte | det ved jeg ikke | jeg ved det ikke | jeg ved ikke | det vet jeg ikke | jeg vet ikke
en tiedä | minä en tiedä
nie wiem | nevím | to nevím | neviem | nem tudom | nu știu | nu stiu | ne znam | ne vem
bilmiyorum | tôi không biết | không biết | saya tidak tahu | tidak tahu
я не знаю | не знаю | мне неизвестно | я не знам | не знам | я не можу відповісти
δεν γνωρίζω | δεν ξέρω | לא יודע | אני לא יודע | איני יודע | אינני יודע
لا أعرف | لا أعلم | لست أعرف | لست متأكد | لا اعرف | لا اعلم | نمی‌دانم | نمیدانم | مجھے نہیں معلوم
मुझे नहीं पता | मुझे पता नहीं | मैं नहीं जानता | मुझे नहीं मालूम | मुझे मालूम नहीं
我不知道 | 不知道 | 我不清楚 | 我無法回答 | 我无法回答 | 無法回答 | 无法回答
わかりません | 分かりません | 存じません | 知りません | わからない | 分からない
모르겠습니다 | 잘 모르겠 | 저는 모릅니다 | 알 수 없습니다
ฉันไม่ทราบ | ไม่ทราบ | ฉันไม่รู้ | ผมไม่ทราบ | ไม่รู้
"""
UNKNOWN_PHRASES: Final = tuple(filter(None, map(str.strip, _PHRASES.replace("\n", "|").split("|"))))
"""Beginnings of such answers, in lower case."""
_MOST_CHARS: Final = 200
"""A longer answer says more than that."""
_HANGUL: Final = re.compile(r"[\uac00-\ud7a3]")
_LEADING: Final = re.compile(r"^[\W_]+")
_APOLOGIES: Final = re.compile(
    r"^(?:i'm sorry|sorry|es tut mir leid|tut mir leid|leider|désolée?|je suis désolée?|lo siento|mi dispiace"
    r"|desculpe|lamento|извините|к сожалению|抱歉|对不起|很抱歉|申し訳ありませんが|すみませんが"
    r"|죄송합니다만?|죄송하지만|ขออภัย|عذرا|عذرًا)"
    r"[\s,.;:!،，。、]*"
)


def says_unknown(answer: str) -> bool:
    """Return whether an answer begins with the words that it does not know, in any of the known languages.

    >>> says_unknown("Das weiß ich nicht."), says_unknown("抱歉，我不知道。"), says_unknown("It spans 48 metres.")
    (True, True, False)
    """
    plain = " ".join(answer.replace("’", "'").split()).casefold()
    if len(plain) > _MOST_CHARS:
        return False
    plain = _LEADING.sub("", _APOLOGIES.sub("", _LEADING.sub("", plain)))
    return any(plain.startswith(phrase) and not _goes_on(plain, len(phrase)) for phrase in _FOLDED)


def _goes_on(text: str, at: int) -> bool:
    """Return whether a word of a script with spaces goes on at ``at``: "non so" is not "non solo"."""
    return text[at : at + 1].isalpha() and not UNSPACED.match(text, at) and not _HANGUL.match(text, at)


_FOLDED: Final = tuple(phrase.casefold() for phrase in UNKNOWN_PHRASES)

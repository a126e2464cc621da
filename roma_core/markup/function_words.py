"""Words that a question is framed by and that say nothing of its subject, by language. Pure.

Interrogatives, auxiliaries, articles, pronouns, prepositions and conjunctions. A statement that answers does without
most of them, so they must not count as words of the question that it lacks. English has its own list in ``questions``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Final

import regex

from roma_core.languages import detect_language
from roma_core.markup.questions import STOP_WORDS

FUNCTION_WORDS: Final[Mapping[str, frozenset[str]]] = {
    language: frozenset(words.casefold().split())
    for language, words in {
        "cs": "a aby ale ani bez by byl byla bylo byly být co či do jak jaká jaké jaký je jeho jejich jsou k kde "
        "kdo kdy kolik která které kteří který mezi má může musí na nebo o od po pod podle pro proč před při s "
        "se si tak to u v ve z za ze že",
        "da": "af at blev bliver da de den der det dette du efter eller en er et for fra få får han har havde hvad "
        "hvem hvilke hvilken hvilket hvor hvordan hvorfor hvornår i ikke kan man med må nogen og om på sig skal "
        "som så til under ved var vi være",
        "de": "aber als am an auch auf aus bei beim bekomme bekommt bis da damit dann darf darin das dass davon dazu "
        "dem den denn der deren des dessen die dies diese diesem diesen dieser dieses du durch dürfen ein eine einem "
        "einen einer eines er es etwas für gab gibt habe haben hat hatte hatten heißt ich ihr ihre ihrem ihren ihrer "
        "im in ins ist ja kann kannst können könnte lange laut lautet man mein mich mir mit muss müssen musste nach "
        "ob oder oft pro sein seine seinem seinen seiner seit sich sie sind so soll sollen sollte sowie steht um und "
        "uns unter viel viele vielen vom von vor während wann war waren warum was welche welchem welchen welcher "
        "welches wem wen wenn wer werden wessen wie wieso wir wird wo wodurch wofür wohin womit woraus worin worüber "
        "wozu wurde wurden zu zum zur zwischen über",
        "el": "αν από αυτή αυτό αυτός για δεν είναι είχαν είχε ενός ένα ένας έχει έχουν η ήταν θα και κατά με "
        "μεταξύ μια μιας να ο οι όπως όταν ότι πια πιο ποια ποιας ποιες ποιο ποιοι ποιον ποιος ποιους πόσα πόσες "
        "πόσο πόσοι πόσους πότε που πού προς πως πώς σε στα στη στην στις στο στον στους τα τη την της τι τις το "
        "τον του τους των ως",
        "es": "a al algo ante aquí como con cual cuales cuando cuanta cuantas cuanto cuantos cuál cuáles cuándo "
        "cuánta cuántas cuánto cuántos cómo de del desde donde dónde durante e el ella ellos en entre era eran es esa "
        "ese esta estaba estar este esto está están fue fueron ha haber había han hasta hay la las le les lo los me "
        "mi más ni no o para pero podemos por puede pueden puedo que quien quienes quién quiénes qué se ser si sido "
        "sin sobre soy son su sus también tenía tiene tienen tipo u un una unas uno unos y ya",
        "fi": "ei ennen että he hän ja jos joka jotka jälkeen kanssa ketkä ketä koska kuin kuinka kuka kun kenen "
        "mikä miksi milloin millainen minkä missä mistä mitkä mitä montako mukaan mutta ne niin olen oli olisi "
        "olivat olla on onko ovat paljonko saa se sekä siitä sitä tai tämä tästä vai voi",
        "fr": "a ai au aussi aux avait avec avez avoir c ce ces cet cette combien comme comment d dans de depuis des "
        "doit dont du elle elles en entre es est et eu faut fut furent i il ils j je l la laquelle le lequel les "
        "lesquelles lesquels leur leurs lui m ma mais me mes mon même n ne nos notre nous on ont ou où par pas "
        "pendant peut peuvent peux plus pour pourquoi puis qu quand que quel quelle quelles quels qui quoi s sa sans "
        "se selon ses si sois son sont sous sur t ta te tes ton tu un une vers vos votre vous y à ça étaient était "
        "été être",
        "hu": "a amely ami amikor az be de egy el ez és hány hogy hogyan hol honnan hová ki kik kit le meg mely "
        "melyik melyek mennyi mennyit mert mi miért mikor milyen mint mit mivel nem s szerint van vannak volt "
        "voltak vagy",
        "id": "ada adalah akan apa apakah atau bagaimana bagi bahwa berapa dalam dan dapat dari dengan di dia ini "
        "itu juga kapan karena ke kepada mana mengapa oleh pada saat sebagai siapa siapakah tentang telah tidak "
        "untuk yang",
        "it": "a ad agli ai al alla alle allo anche c che chi ci come con cosa cui d da dagli dai dal dall dalla "
        "dalle degli dei del dell della delle dello di dove durante e ed era erano essere fra fu furono gli ha "
        "hanno i il in io l la le lei lo loro ma mi ne negli nei nel nell nella nelle nello non o per perché più "
        "possono può qual quale quali quando quanta quante quanti quanto quello questa queste questi questo s se "
        "si sia sono stata state stati stato su sua sue sugli sui sul sull sulla sulle suo suoi tra un una uno è",
        "nl": "aan al als bij dan dat de deze die dit door een er geen had hadden heb hebben heeft het hij hoe "
        "hoeveel hun ik in is je kan kunnen maar mag me men met mijn moet moeten na naar niet nog of om onder "
        "ons ook op over per te tegen tot tussen u uit uw van vanaf voor waar waarmee waarom waren waardoor "
        "waarvan wanneer was wat we welk welke werd werden wie wiens wordt worden zal ze zich zij zijn zonder "
        "zou zullen",
        "no": "av at ble blir da de den der det dette du eller en er et for fra få får han har hadde hva hvem "
        "hvilke hvilken hvilket hvor hvordan hvorfor i ikke kan man med må når og om på seg skal som så til "
        "under ved var vi være",
        "pl": "a aby albo ale bez był była było były być ci co czy czyj dla do dlaczego gdzie go i ich ile ilu im "
        "jak jaka jaki jakie jakiego jakiej jest jego jej kiedy kim kogo komu kto która które którego której "
        "którą który których którym którzy ma mają między może można na nad nie niż o od oraz po pod podczas "
        "podczas przed przez przy są się ta tak te tego tej ten to tych u w we z za ze że",
        "pt": "a ao aos as até com como da das de del dele do dos durante e ela ele eles em entre era eram essa "
        "esse esta este está estão eu foi foram ha havia há isso já lhe mais mas me na nas nem no nos não nós o "
        "onde os ou para pela pelas pelo pelos pode podem por porque porquê pois qual quais quando quanta "
        "quantas quanto quantos que quem quê se sem ser seu seus sobre sua suas são também tem tinha têm um uma "
        "umas uns à às é",
        "ro": "a acest aceasta aceste al ale am anume ar are au avea ca care cand ce cel cele cei cine conform cu "
        "cui cum cât câte câtă câți când că căror da dar de decât despre din din dintre după este era erau eu fi "
        "fiind fost fără iar în între la le li lor lui mai ne nu o pe pentru poate pot prin sa sale sau se sub "
        "sunt să său un una unde unei unor unui și",
        "ru": "а без был была были было быть в вам вас во вы где для до его ее ей ею если есть еще же за и из или "
        "им их к как какая какие какими каких какого какое какой каком какому каким какую когда кого кому "
        "которая которого которое которой котором которую которые который которых кто куда ли между мне может "
        "можно мой мы на над надо нам нас не него ней нет них но о об он она они оно от откуда по под после "
        "почему при про с свои себя со сколько скольких так также такой там то того тоже той только том тот у "
        "чего чей чем чему что чтобы чья это этой этом этот я является",
        "sv": "att av blev blir de dem den denna det detta du där efter eller en er ett finns för från få får han "
        "har hade hur i inte kan man med måste mellan många mycket när och om på sig ska som så till under ur "
        "vad var varför vem vems vid vilka vilken vilket vi vore är",
        "tr": "acaba ama bir biri bu bunu da daha de değil diye en gibi göre hangi hangisi hangileri için ile ise "
        "kaç kadar ki kim kime kimi kimin kimler mi mu mü mı nasıl ne neden nedir neler nerede nereden nereye "
        "neyi niçin o olan olarak oldu olduğu olduğunu olur onun sonra şu tarafından ve veya vardı var ya",
        "uk": "а або без був була були було бути в від він вона вони все де для до з за зі і із їх його її й коли "
        "кого кому кількох котрий ли між може на над не ні о об по при про під скільки та такий там те ти то "
        "того у хто це цей чи чий чим чого чому що щоб як яка яке який яких якого якої якому яку якими які є",
        "vi": "ai bao bằng bị bởi các cái cho chúng có của cùng cũng do đã đang đâu đây để đó được gì hay họ hỏi "
        "khi là lại làm mà mấy mỗi một nào này nên như nhiêu nhiều những nó ra rằng rồi sao sẽ tại thế theo thì "
        "trong trên từ tới và vào vậy về vì với ở",
        "ar": "أو أي أية أين إلى إن أن التي الذي الذين الى اي اين بعد بين تم ثم حتى حول خلال ذلك عدد عن عند على فى "
        "في قبل قد كان كانت كم كما كيف لا لدى لم لماذا لن ليس ما ماذا متى مع من منذ نوع هؤلاء هذا هذه هل هم هو "
        "هي و وفقا وفقًا يكون",
        "fa": "آن آنها آیا از است این با باید بر برای بود بودند به تا تر چرا چقدر چند چه چگونه چیست خود در را شد "
        "شده شود کجا کدام که کسی کی ما می هر هست و یا یک",
        "hi": "इस उस एक और कब कहाँ कहां का कि किन किस किसका किसकी किसके किसने किसे किसी की के को कौन कौनसा कौनसी "
        "क्या क्यों कितना कितनी कितने कैसा कैसी कैसे गई गए गया जब जो तक था थी थे द्वारा ने पर में यह ये या लिए "
        "वह वे से हुआ हुई हुए है हैं हो होता होती होते",
    }.items()
}
"""Spaced languages: words that are left out of a question, folded."""

_UNSPACED: Final[Mapping[str, re.Pattern[str]]] = {
    "zh": re.compile(
        "什么时候|什么样|什么|甚么|多少|多久|多长|多大|哪一年|哪年|哪一|哪些|哪个|哪裡|哪里|哪儿|哪|谁|何时|何地|何种|何|为什么|为何|如何|怎么样|怎么|"
        "怎样|是否|几|请问|的|了|吗|呢|是|在|有|被|和|与|及|或|由|从|到|对|于|中|这|那|一个"
    ),
    "ja": re.compile(
        "何年|何人|何|誰|いつ|どこ|なぜ|どの|どのような|どのように|どんな|どう|どれ|どちら|いくつ|いくら|ですか|ますか|でしたか|ましたか|でしょうか|"
        "です|ます|した|する|いる|ある|という|について|によると|により|による|から|まで|[はがをにのでとかもへや]"
    ),
    "th": re.compile(
        "อะไร|ใคร|เมื่อไหร่|เมื่อไร|เมื่อใด|ที่ไหน|ที่ใด|ทำไม|อย่างไร|เท่าไหร่|เท่าไร|เท่าใด|กี่|ไหน|ใด|เพราะเหตุใด|หรือไม่|บ้าง|คือ|เป็น|ของ|ใน|ที่|และ|จาก|"
        "โดย|กับ|ให้|ได้|มี|ถูก|นี้|นั้น"
    ),
}
"""Languages without blanks: what parts the words of a question that say something. Longer ones come first."""
_WORD: Final = regex.compile(r"[\p{L}\p{M}\p{N}]+")


def drop_function_words(question: str, languages: AbstractSet[str] = frozenset()) -> str:
    """Return the words of a question that say what it is about, in their order; all of it where none is left.

    Those of ``languages`` are left out beside those of the question's own.

    >>> drop_function_words("Wie hoch darf eine Hecke sein?"), drop_function_words("年假是几天？")
    ('hoch Hecke', '年假 天？')
    """
    language = detect_language(question)
    if language == "en":
        kept = " ".join(word for word in _WORD.findall(question) if word.casefold() not in STOP_WORDS)
    elif pattern := _UNSPACED.get(language):
        kept = " ".join(pattern.sub(" ", question).split())
    else:
        kept = leave_out_small_words(question, {language, *languages})
    return kept if _WORD.search(kept) else question


def leave_out_small_words(text: str, languages: AbstractSet[str]) -> str:
    """Return the words of a text that are no function words of ``languages``; all of it where they have no list.

    >>> leave_out_small_words("Entre las dos se cierra.", {"es"})
    'dos cierra'
    """
    small = frozenset().union(*(FUNCTION_WORDS.get(language, ()) for language in languages))
    return " ".join(word for word in _WORD.findall(text) if word.casefold() not in small) if small else text

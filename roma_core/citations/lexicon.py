"""Words that decide: negations, hedges, quantifiers, directions, and the spellings that are one word. English data.

Each set is written once and read by the check of claims alone. The check does not depend on a set being complete:
where a claim follows its source, any word that differs costs "supported". The sets tell why, and what may differ.
"""

from __future__ import annotations

NEGATIONS = frozenset(
    "no not never none neither nor without cannot nothing nobody nowhere hardly barely scarcely rarely seldom "
    "fail failed fails failing failure lack lacks lacked lacking absent deny denied denies refuse refused refuses "
    "refute refuted disprove disproved avoid avoided prevent prevented prevents unable ceased stopped longer "
    "except excluding unless impossible false falsely myth instead".split()
)
"""Words that deny or exclude."""
DENIALS = frozenset(
    "no not never none neither nor without cannot nothing nobody nowhere hardly barely scarcely rarely seldom".split()
)
"""Negations that govern the words behind them, wherever they stand."""
SOFT_DENIALS = frozenset(
    "declined decline declines declining neglected neglects neglect omitted omits omit forgot forgets forget ceased "
    "cease ceases abstained abstains abstain resisted resists resist forbade forbids forbid".split()
)
"""Verbs before an infinitive that say that something was not done."""
HEDGES = frozenset(
    "may might can could would should must possibly probably perhaps maybe likely unlikely apparently reportedly "
    "allegedly supposedly presumably potentially seemingly seem seems seemed appear appears appeared suggest suggests "
    "suggested indicate indicates believed thought considered expected estimated planned intended proposed attempted "
    "tried tends tend rumoured rumored alleged supposed potential possible probable hypothetical theoretical "
    "claimed will shall apparent ostensible ostensibly purported presumed suspected putative alleged self".split()
)
QUANTIFIERS = frozenset(
    "all some most many few several any every each both half none only solely merely exclusively just much more less "
    "fewer least majority minority always usually often sometimes occasionally generally typically mainly mostly "
    "largely partly entirely completely fully almost nearly approximately about around roughly circa exactly precisely "
    "over under below above up everyone everybody nobody anyone primarily predominantly frequently chiefly "
    "numerous various certain".split()
) | {"at least", "at most", "more than", "less than", "just over"}
APPROXIMATIONS = frozenset("approximately about around roughly circa nearly almost some ca approx".split())
CONDITIONS = frozenset(
    "if unless until till except excluding provided providing assuming whether only lest barring save without "
    "otherwise although".split()
)
ATTRIBUTIONS = frozenset(
    "said says say saying claim claims claimed claiming argue argues argued assert asserts asserted allege alleges "
    "alleged believe believes believed think thinks thought suggest suggests suggested report reports reported "
    "according propose proposes proposed predict predicts predicted estimate estimates estimated expect expects "
    "expected hope hopes hoped fear feared deny denies denied doubt doubts doubted dispute disputed speculate "
    "speculates speculated hypothesize hypothesized hypothesised contend contends contended maintain maintains "
    "maintained assume assumes assumed consider considered rumor rumour rumored rumoured imagine imagined dream "
    "dreamed pretend pretended wish wished conclude concludes concluded guess guessed insist insisted "
    "supposedly theory opinion view stated states stating announced announces wrote writes declared declares explained "
    "explains added told tells warned warns revealed recalled recalls testified".split()
)
"""Words that put a statement into the mouth of someone."""
REPORTING = frozenset(
    "said says claims claimed argues argued believes believed believe thinks thought suggests suggested alleges "
    "alleged asserts asserted states stated wrote writes declared declares contends maintains insists insisted "
    "estimates speculated speculates hypothesized hypothesised".split()
)
"""Words of a short clause that says whose statement the rest is: ", he said"."""
FACTIVES = frozenset(
    "show shows showed shown showing find finds found fact prove proves proved demonstrate demonstrates demonstrated "
    "confirm confirms confirmed discover discovered learn learned realize realized know knows knew known mean means "
    "meant ensure ensures ensured reveal reveals revealed so such agree agreed".split()
)
"""Words before "that" after which a statement is one of the source's own."""
NAMING_VERBS = frozenset("call calls called deem deems deemed label labels labeled brand brands branded".split())
"""Verbs whose object is what somebody calls it."""
_LIMITING_PHRASES = """
subject to, as long as, so long as, in the event, in case, on condition, on the condition, in the absence, in
theory, in principle, on paper, provided that, depending on, apart from, other than, far from, in mice, in rats, in
animals, in vitro, in the novel, in the film, in the story, in the legend, in the dream, in a dream, in the game, in
the play, in the myth, in the book, in legend, in myth, in fiction, among, at the risk, with the exception, in part,
in the view of, in the opinion of, in the eyes of, in the words of
"""
LIMITING_PHRASES: tuple[tuple[str, ...], ...] = tuple(
    tuple(phrase.split()) for phrase in _LIMITING_PHRASES.replace("\n", " ").split(",")
)
"""Beginnings of phrases without which a statement says more."""
TITLES = frozenset(
    "mister mr mrs ms miss doctor dr prof professor sir lord lady dame king queen pope emperor saint st president "
    "prime minister senator governor judge justice captain colonel general major lieutenant sergeant rev reverend "
    "father sister brother prince princess duke count baron hon".split()
)
"""Titles before a name: they may be left out, not changed."""
DAY_NAMES = tuple("monday tuesday wednesday thursday friday saturday sunday".split())
WEEKDAYS = frozenset(DAY_NAMES)
_IRREGULAR = """
write wrote written, give gave given, take took taken, steal stole stolen, break broke broken, choose chose chosen, know
knew known, show showed shown, see saw seen, win won won, begin began begun, draw drew drawn, grow grew grown, throw
threw thrown, beat beat beaten, fall fell fallen, drive drove driven, eat ate eaten, speak spoke spoken, wear wore worn,
sing sang sung, do did done, go went gone, rise rose risen, sink sank sunk, become became become, come came come, run
ran run, hide hid hidden, forget forgot forgotten, build built built, buy bought bought, sell sold sold, teach taught
taught, lead led led, leave left left, lose lost lost, make made made, meet met met, pay paid paid, say said said, send
sent sent, spend spent spent, hold held held, keep kept kept, find found found, fight fought fought, bring brought
brought, catch caught caught, think thought thought, tell told told, burn burnt burnt, strike struck struck, shoot shot
shot, bear bore born, stand stood stood, feed fed fed, hear heard heard, fly flew flown, ride rode ridden, bite bit
bitten, swear swore sworn, tear tore torn, freeze froze frozen, hang hung hung, dig dug dug, overthrow overthrew
overthrown, lend lent lent, put put put, spin spun spun, sleep slept slept, feel felt felt, seek sought sought, sweep
swept swept, deal dealt dealt, mean meant meant, shake shook shaken, swing swung swung, swim swam swum, ring rang
rung, drink drank drunk, shrink shrank shrunk, stick stuck stuck, weave wove woven, lay laid laid, forgive forgave
forgiven, forbid forbade forbidden, arise arose arisen, wake woke woken, understand understood understood, withdraw
withdrew withdrawn, undergo underwent undergone, undertake undertook undertaken, sit sat sat, get got
got, die died died, add added added
"""
_FORMS = [tuple(forms.split()) for forms in _IRREGULAR.replace("\n", " ").split(",")]
IRREGULAR_PASTS: frozenset[str] = frozenset(past for _, past, _ in _FORMS)
PAST_OF: dict[str, str] = {participle: past for _, past, participle in _FORMS}
"""The past of each irregular participle."""
BASE_OF: dict[str, str] = {form: forms[0] for forms in _FORMS for form in forms}
"""The infinitive of each form of an irregular verb."""
AUXILIARIES = frozenset("is was has had does did can may must shall will should would could might cannot".split())
MODALS = frozenset("can may must shall will should would could might".split())
DETERMINERS = frozenset(
    "a an the this that these those its their his her our my your each every any no some all both".split()
)
PREPOSITIONS = frozenset(
    "of in by from with for at on between about than into under over against without to near off through across along "
    "around behind below above within during after before until since per via beyond toward upon out up down beside "
    "inside outside opposite except despite like".split()
)
ADVERBS = frozenset(
    "also later then now still never always often usually only soon already once first again even therefore thus "
    "currently together twice not just".split()
)
"""Words that may stand between a subject and its verb."""
_AGENTS = """
leader led, founder founded, author wrote, writer wrote, owner owned, winner won, inventor invented, discoverer
discovered, builder built, designer designed, creator created, composer composed, painter painted, editor edited,
translator translated, organizer organized, chair chaired, chairman chaired, producer produced, publisher published,
director directed, manager managed, supplier supplied, architect designed, operator operated, maker made, teacher taught
"""
AGENTS: dict[str, str] = dict(pair.split() for pair in _AGENTS.split(","))
"""Nouns for who does something, and the past of what they do."""
PLAIN_VERBS = frozenset(
    "accept apply arrive ask become begin belong breathe bring build buy carry choose clean close come consist contain "
    "cost cover cross depart differ drink drive earn eat enter explain feed find finish fly get give go grow have help "
    "include keep know lay lead learn leave lie live lose make meet need occur offer open own pay play produce provide "
    "publish reach read receive remain rent require ride rise run sail see sell send serve sit sleep speak spend stand "
    "start stay stop swim take teach tell travel use visit wait walk want wear weigh win work write".split()
)
"""Verbs in the form that they have behind a plural, as far as few nouns have it too."""
DIRECTIONAL_PREFIXES = ("un", "in", "im", "il", "ir", "dis", "non", "anti", "mis", "counter", "de", "under", "over")
"""Prefixes that turn a word around: *likely* and *unlikely*."""

_ANTONYMS = """
increase decrease, increase reduce, increase decline, increase fall, increase drop, rise fall, rise decline, rise
drop, grow shrink, grow decline, gain lose, gain loss, profit loss, higher lower, high low, highest lowest, more less,
more fewer, most least, larger smaller, large small, largest smallest, bigger smaller, big small, greater smaller,
greater less, greatest least, longer shorter, long short, longest shortest, older younger, old young, old new, older
newer, oldest youngest, oldest newest, early late, earlier later, earliest latest, first last, before after, prior
after, previous next, former latter, above below, over under, up down, upper lower, upward downward, inside outside,
inner outer, internal external, north south, northern southern, east west, eastern western, northeast southwest,
northwest southeast, left right, front back, top bottom, begin end, began ended, start end, start stop, started ended,
started stopped, open close, opened closed, opening closing, open closed, win lose, won lost, winner loser, victory
defeat, success failure, succeed fail, succeeded failed, successful unsuccessful, accept reject, accepted rejected,
accept refuse, accepted refused, allow forbid, allow prohibit, allowed forbidden, allowed banned, allowed prohibited,
permit prohibit, permitted prohibited, legal illegal, support oppose, supported opposed, agree disagree, agreed
disagreed, approve reject, approved rejected, confirm deny, confirmed denied, include exclude, included excluded,
including excluding, add remove, added removed, create destroy, created destroyed, build demolish, built demolished,
build destroy, built destroyed, enter leave, entered left, arrive depart, arrived departed, join leave, joined left,
buy sell, bought sold, import export, imported exported, borrow lend, give take, gave took, send receive, sent
received, teach learn, love hate, loved hated, friend enemy, ally enemy, attack defend, attacked defended, born died,
birth death, alive dead, male female, man woman, men women, boy girl, boys girls, son daughter, sons daughters, father
mother, brother sister, husband wife, king queen, he she, his her, him her, day night, summer winter, hot cold, warm
cool, warmer cooler, hotter colder, wet dry, light dark, black white, hard soft, strong weak, stronger weaker,
strength weakness, strengthen weaken, strengthened weakened, rich poor, richer poorer, fast slow, faster slower, quick
slow, quickly slowly, rapid slow, rapidly slowly, wide narrow, wider narrower, deep shallow, thick thin, heavy light,
heavier lighter, full empty, safe dangerous, safe unsafe, good bad, better worse, best worst, positive negative,
positively negatively, advantage disadvantage, benefit harm, beneficial harmful, improve worsen, improved worsened,
improvement deterioration, true false, real fake, right wrong, correct incorrect, same different, similar different,
similar dissimilar, equal unequal, public private, rural urban, domestic foreign, national international, major minor,
majority minority, maximum minimum, max min, common rare, frequent rare, frequently rarely, often rarely, often
seldom, always never, all none, everything nothing, everyone nobody, everybody nobody, with without, for against, to
from, into out, on off, plus minus, multiply divide, ancient modern, active passive, active inactive, direct indirect,
directly indirectly, temporary permanent, temporarily permanently, voluntary compulsory, voluntary mandatory, optional
mandatory, optional required, simple complex, easy difficult, easier harder, cheap expensive, cheaper dearer, cheaper
costlier, present absent, presence absence, known unknown, possible impossible, likely unlikely, able unable, visible
invisible, dependent independent, formal informal, complete incomplete, sufficient insufficient, adequate inadequate,
significant insignificant, significantly insignificantly, accurate inaccurate, promote demote, promoted demoted,
encourage discourage, encouraged discouraged, expand contract, expanded contracted, expand shrink, accelerate
decelerate, accelerate slow, appear disappear, appeared disappeared, connect disconnect, enable disable, enabled
disabled, install uninstall, lock unlock, locked unlocked, attach detach, appoint dismiss, appointed dismissed, hire
fire, hired fired, elect defeat, guilty innocent, acquitted convicted, convict acquit, employer employee, teacher
student, parent child, parents children, predecessor successor, preceded followed, preceded succeeded, ascend descend,
ascended descended, cause prevent, caused prevented, causes prevents, protect endanger, protect harm, preserve
destroy, preserved destroyed, save spend, saved spent, upstream downstream, uphill downhill, absorb emit, absorbed
emitted, attract repel, freeze melt, frozen melted, solid liquid, push pull, pushed pulled, raise lower, raised
lowered, lead follow, led followed, outperform underperform, outperformed underperformed, surplus deficit, asset
liability, assets liabilities, credit debit, revenue expense, revenues expenses, inflow outflow, liberal conservative,
democratic republican, democrat republican, democrats republicans, catholic protestant, peace war, peaceful violent,
horizontal vertical, horizontally vertically, parallel perpendicular, clockwise counterclockwise, acid alkaline,
acidic alkaline, chronic acute, benign malignant, mild severe, hypo hyper, systolic diastolic, prospective
retrospective, invasive noninvasive, treatment control, dominant recessive, afternoon morning, evening morning, odd
even
"""
_BOUND_PAIRS = (
    ("at least", "at most"),
    ("more than", "less than"),
    ("at least", "less than"),
    ("at most", "more than"),
)
ANTONYMS: frozenset[frozenset[str]] = frozenset(
    frozenset(pair.split()) for pair in _ANTONYMS.replace("\n", " ").split(",") if len(pair.split()) == 2
) | frozenset(map(frozenset, _BOUND_PAIRS))

ANAPHORS = frozenset(
    "animal company firm building machine device city town village book film ship species plant drug group team "
    "project system island museum park novel author artist writer player club school hotel tool product process "
    "method organization agency committee event vehicle car boat train disease medicine fish bird structure site "
    "place area region country work story series game song river lake mountain church castle tower mill dam road "
    "valley street mine factory festival".split()
)
"""Nouns by which a text goes on to speak of what it has named: "the animal"."""
PRONOUNS = frozenset(
    "it its itself they them their theirs themselves he him his himself she her hers herself this these those that "
    "one who which".split()
)
PERSON_OF: dict[str, str] = (
    dict.fromkeys("he him his himself".split(), "he")
    | dict.fromkeys("she her hers herself".split(), "she")
    | dict.fromkeys("it its itself".split(), "it")
    | dict.fromkeys("they them their theirs themselves".split(), "they")
)
"""Which person each pronoun stands for."""
HARMLESS = frozenset(
    "a an the that this these those its their his her it they them he him she who which and also of s "
    "furthermore moreover however indeed additionally similarly likewise".split()
)
"""Words that may be put in or left out where the rest of a claim follows its source."""
FILLERS = frozenset(
    "also however therefore thus then moreover furthermore indeed additionally consequently meanwhile hence "
    "nevertheless nonetheless similarly likewise very too well still actually so today".split()
)
RELATIVES = frozenset(
    "which who whom whose where when while whereas although though because since as including".split()
)
COORDINATORS = frozenset("and or but nor as&".split())
JOINERS = frozenset("and but while whereas".split())
"""Words that may join two whole sentences in one claim."""

_SYNONYMS = """
begin start commence, begins starts commences, began started commenced, beginning starting, receive get obtain,
receives gets obtains, received got obtained, buy purchase, buys purchases, bought purchased, build construct erect,
builds constructs, built constructed erected, show display, shows displays, showed displayed, shown displayed, company
firm, companies firms, took_place was_held, takes_place is_held, among one_of, among #1_of, false wrong untrue
incorrect, employ hire, help assist, helps assists, helped assisted, end finish, ends finishes, ended finished, use
utilize, uses utilizes, used utilized, need require, needs requires, needed required, about concerning regarding, big
large, bigger larger, biggest largest, small little, also too, child kid, children kids, doctor physician, doctors
physicians, car automobile, cars automobiles, shop store, shops stores, movie film, movies films, roughly
approximately, located situated, resides lives, reside live, resided lived, mainly mostly primarily, due_to
because_of, owing_to because_of, caused led_to resulted_in, causes leads_to results_in, was_caused_by resulted_from,
was_caused_by was_the_result_of, resulted_from was_the_result_of, is_caused_by results_from, buy acquire, bought
acquired, answer reply, answered replied, say state, said stated, says states, try attempt, tried attempted, tries
attempts, entire whole, quick fast, quickly rapidly, often frequently, usually generally, important essential, however
but, although though, while whereas, besides in_addition, almost nearly, under below, over above, works functions,
work function, plans intends, planned intended, chose selected, choose select, chooses selects, allow permit, allows
permits, allowed permitted, forbid prohibit, forbids prohibits, forbidden prohibited banned not_allowed not_permitted,
keep retain, keeps retains, kept retained, provide supply, provides supplies, provided supplied, contain hold,
contains holds, contained held, gave provided, consists_of comprises, consist_of comprise, around about, likely
probably, seems appears, seem appear, seemed appeared, believed thought, possibly may_has might_has could_has, may
might, has gets receives comes_with is_entitled_to includes features offers, has get receive come_with is_entitled_to,
includes contains, include contain, employee staff_member, employees staff staff_members, photo photograph picture,
photos photographs pictures, takes lasts, took lasted, aged at_age, with by_giving by_providing, serves_as is,
served_as was, worked_as was, leaves departs, leave depart, left departed, located_in in, is_located_in is_in
is_situated_in lies_in, operates runs, operate run, operated run, rose increased grew climbed, fell decreased dropped
declined, reported announced, issued given, called named, called known_as, is_called is_named is_known_as, denotes is
means, remains is, remained was, if when, in during, kept stored, keeps stores, photography taking_photos, free
free_of_charge gratis, costs is_priced_at, finished completed, finishes completes, people persons, works_as is,
at_no_charge for_free free_of_charge, whether if, provided_that if as_long_as on_condition_that, begins opens, quit
resigned stepped_down, died passed_away, dies passes_away, got obtained, get receive is_given, gets receives is_given,
is_due must_be_made must_be_paid, broke_out started began, breaks_out starts begins, refused rejected turned_down
declined, removed dropped, removes drops, allowed permitted admitted, appeared was_published came_out, unless
except_where except_if except_when, had_asked_for wanted asked_for, wants asks_for, report notify, apply is_applied,
applies is_applied, shipped sent, ships is_shipped, ship is_shipped, discount reduction, in_addition_to besides, mends
repairs fixes, mended repaired fixed, answering responding replying, turn_off switch_off, turns_off switches_off,
turned_off switched_off, turn_on switch_on, turns_on switches_on, turned_on switched_on, turns_itself switches_itself,
participate take_part, participates takes_part, participated took_part, looks_after is_responsible_for takes_care_of,
looked_after was_responsible_for took_care_of, make_up account_for, makes_up accounts_for, made_up accounted_for,
reached came_to, reached arrived_in, lasts_for is_valid_for, year_before previous_year, fast quickly, studied examined
investigated, prefer favor, prefers favors, gather collect, gathers collects, gathered collected, postponed put_off
delayed deferred, cancel call_off, canceled called_off, happens occurs, happen occur, happened occurred, send_in
submit, sent_in submitted, hand_in submit, handed_in submitted, give_up abandon, gave_up abandoned, carry_out perform,
carries_out performs, carried_out performed, set_up established, at_present currently now, at_the_moment currently
now, every_year each_year, every_day each_day, every_week each_week, every_month each_month, every_evening
each_evening, every_morning each_morning, pledged promised, amounts_to totals comes_to, amounted_to totaled came_to,
put_out extinguish, as_well too, speeds_up accelerates, fewer_than less_than, wed married, ill sick, in_case_of
in_the_event_of, turned_into became, at_weekends on_weekends, lawyer attorney, lawyers attorneys, holiday vacation,
holidays vacations, the_flat the_apartment, a_flat an_apartment, flats apartments, lorry truck, lorries trucks,
motorway highway, pupil student, pupils students, injured hurt, gets_to reaches, told informed, tell inform,
tells informs, lowers reduces, lowered reduced, lower reduce, look_for seek, point_out note, pointed_out noted,
deadline closing_date, mistake error, mistakes errors, kept held, terminate end, terminates ends, terminated ended,
turn switch, turns switches, turned switched, feeds_on eats, feed_on eat, each every,
due owing, immediately at_once right_away, serves_as is_used_as, served_as was_used_as, stays remains, stay
remain, stayed remained, favors prefers, resembles looks_like, resemble look_like, returns comes_back
"""
_VERB_SYNONYMS = """
replace substitute, supervise oversee, assist help, choose select, repair fix mend, fund finance, reject turn_down,
succeed take_over_from, predict forecast, inspect examine check, raise increase, reduce lower cut, prohibit ban forbid,
permit allow, complete finish, reveal disclose, assess evaluate, allocate assign, discard throw_away, purchase acquire,
obtain get receive, leave depart, gather collect, modify alter change, demolish pull_down tear_down,
discuss talk_about, demand call_for, search look_through, continue go_on, return come_back, mail send, propose suggest,
join become_a_member_of, lift raise, maintain keep_up, renew extend, damage harm, destroy ruin, enter go_into,
explain clarify, hire employ, display exhibit, notify inform, employ use, construct build,
remove take_away, distribute hand_out, cancel call_off, postpone put_off, establish set_up found, tolerate put_up_with,
accompany go_with, accompany escort, verify check, cause lead_to, cause bring_about
"""
"""Verbs in common use for each other in their infinitive; ``SYNONYMS`` has them in all forms."""


def _inflect(verb: str) -> tuple[str, ...]:
    """Return infinitive, third person, past and participle of a verb; those of its first word for a phrase."""
    base, joint, rest = verb.partition("_")
    third = f"{base[:-1]}ies" if base.endswith("y") and base[-2] not in "aeiou" else f"{base}s"
    third = f"{base}es" if base.endswith(("ss", "sh", "ch", "x", "o")) else third
    regular = f"{base[:-1]}ied" if third.endswith("ies") else f"{base}d" if base.endswith("e") else f"{base}ed"
    past, participle = next(((two, three) for one, two, three in _FORMS if one == base), (regular, regular))
    return tuple(f"{form}{joint}{rest}" for form in (base, third, past, participle))


_VERB_GROUPS = [
    " ".join(forms)
    for group in _VERB_SYNONYMS.replace("\n", " ").split(",")
    for forms in zip(*(_inflect(verb) for verb in group.split()), strict=True)
]
SYNONYMS: dict[tuple[str, ...], frozenset[int]] = {}
"""Words and short phrases in common use for each other, in one form each: the groups that each belongs to."""
for _number, _group in enumerate([*_SYNONYMS.replace("\n", " ").split(","), *_VERB_GROUPS]):
    for _member in _group.split():
        _phrase = tuple(_member.split("_"))
        SYNONYMS[_phrase] = SYNONYMS.get(_phrase, frozenset()) | {_number}

STOP = frozenset(
    "a about above after again all also am an and any are as at be because been before being below between both but by "
    "can could did do does doing down during each few for from further had has have having he her here hers herself "
    "him himself his how i if in into is it its itself just may me might more most my myself of off on once only or "
    "other our ours out over own same she should so some such than that the their theirs them themselves then there "
    "these they this those through to too under until up upon very was we were what when where which while who whom "
    "whose why will with would you your yours s".split()
) | {"at least", "at most", "more than", "less than", "just over", "almost", "per"}
"""Words that say nothing by themselves: they count for no coverage."""

SAME_WORD: dict[str, str] = {
    "were": "was", "are": "is", "am": "is", "have": "has", "do": "does", "don": "does", "whilst": "while",
    "amongst": "among", "towards": "toward", "afterwards": "afterward", "backwards": "backward", "forwards":
    "forward", "upwards": "upward", "downwards": "downward", "grey": "gray", "tyre": "tire", "tyres": "tires",
    "kerb": "curb", "plough": "plow", "ploughs": "plows", "programme": "program", "programmes": "programs",
    "cheque": "check", "cheques": "checks", "jewellery": "jewelry", "aluminium": "aluminum", "mould": "mold",
    "moulds": "molds", "sceptic": "skeptic", "sceptical": "skeptical", "draught": "draft", "gaol": "jail",
    "pyjamas": "pajamas", "artefact": "artifact", "artefacts": "artifacts", "ageing": "aging", "judgement":
    "judgment", "acknowledgement": "acknowledgment", "fulfil": "fulfill", "fulfils": "fulfills", "enrol":
    "enroll", "enrols": "enrolls", "skilful": "skillful", "wilful": "willful", "instalment": "installment",
    "instalments": "installments", "learnt": "learned", "burnt": "burned", "dreamt": "dreamed", "spelt":
    "spelled", "leapt": "leaped", "practise": "practice", "practised": "practiced", "practising": "practicing",
    "maths": "math", "mum": "mom", "aeroplane": "airplane", "aeroplanes": "airplanes", "sulphur": "sulfur",
    "sulphate": "sulfate", "enquiry": "inquiry", "enquiries": "inquiries", "moustache": "mustache", "cosy":
    "cozy", "storey": "story", "storeys": "stories", "disc": "disk", "discs": "disks", "encyclopaedia":
    "encyclopedia", "manoeuvre": "maneuver", "manoeuvres": "maneuvers", "omelette": "omelet", "speciality":
    "specialty", "orientated": "oriented", "adviser": "advisor", "advisers": "advisors", "grille": "grill",
    "analyse": "analyze", "catalyse": "catalyze", "mr": "mister", "dr": "doctor", "vs": "versus", "approx":
    "approximately", "ca": "circa", "&": "and", "≈": "approximately", "~": "approximately", "focussed":
    "focused", "focussing": "focusing", "waggon": "wagon", "connexion": "connection", "e-mail": "email", "ok":
    "okay", "mediaeval": "medieval", "licence": "license", "licences": "licenses", "defence": "defense",
    "offence": "offense", "pretence": "pretense", "unravelled": "unraveled", "whisky": "whiskey", "yoghurt":
    "yogurt", "litre": "liter", "acknowledgements": "acknowledgments", "saviour": "savior", "behaviour":
    "behavior", "prof": "professor", "till": "until", "ax": "axe", "pedlar": "peddler", "sanatorium": "sanitarium",
}  # fmt: skip

CONTRACTIONS: dict[str, tuple[str, ...]] = {
    "can't": ("can", "not"), "cannot": ("can", "not"), "won't": ("will", "not"), "shan't": ("shall", "not"),
    "ain't": ("is", "not"), "it's": ("it", "is"), "he's": ("he", "is"), "she's": ("she", "is"), "that's":
    ("that", "is"), "there's": ("there", "is"), "what's": ("what", "is"), "who's": ("who", "is"), "let's":
    ("let", "us"), "i'm": ("i", "is"),
}  # fmt: skip
CONTRACTED_ENDS: dict[str, str] = {"n't": "not", "'re": "is", "'ve": "has", "'ll": "will", "'d": "would"}

_COMPARATIVES = """
more less, more fewer, higher lower, larger smaller, bigger smaller, greater smaller, greater less, longer shorter,
taller shorter, older younger, older newer, earlier later, faster slower, stronger weaker, heavier lighter, wider
narrower, deeper shallower, thicker thinner, richer poorer, warmer cooler, hotter colder, better worse, cheaper
dearer, harder softer, brighter darker, nearer farther, closer farther, easier harder
"""
COMPARATIVES: dict[str, tuple[str, ...]] = {}
"""The opposites of each comparative."""
for _pair in _COMPARATIVES.replace("\n", " ").split(","):
    _one, _other = _pair.split()
    COMPARATIVES[_one] = (*COMPARATIVES.get(_one, ()), _other)
    COMPARATIVES[_other] = (*COMPARATIVES.get(_other, ()), _one)

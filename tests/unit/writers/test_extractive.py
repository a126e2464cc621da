"""The extractive writer: verbatim quotes with markers, refusals, and sensible handling of READMEs."""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roma_core.agents.context import Context
from roma_core.cache import Cache
from roma_core.embeddings.base import EmbeddingResult
from roma_core.embeddings.local import BUNDLED
from roma_core.errors import EmbeddingError, ErrorCode
from roma_core.llm.base import I_DONT_KNOW
from roma_core.markup import escape_markers
from roma_core.types import Chunk, Query, ScoredChunk
from roma_core.writers import Draft, ExtractiveWriter
from roma_core.writers.extractive.calibration import thresholds_of
from roma_core.writers.extractive.overlap import OverlapRanker
from roma_core.writers.extractive.selection import is_echo
from roma_core.writers.extractive.units import plain_text, quotable_units
from roma_core.writers.extractive.writer import AGREEING_STEP, MOST_AGREEING

LOGITS = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"


def passage(text: str, rank: int = 1, document: str = "d1", start: int = 0, context: str = "") -> ScoredChunk:
    chunk = Chunk(
        id=f"{document}-{start}", document_id=document, uri=f"file:///{document}.md", title=document, text=text,
        start=start, end=start + len(text), context=context,
    )  # fmt: skip
    return ScoredChunk(chunk=chunk, score=1.0 / rank, rank=rank, retriever="hybrid")


class Scripted:
    """Scores a text by the first of the given fragments that it holds."""

    def __init__(self, known: dict[str, float], default: float = -9.0, name: str = LOGITS) -> None:
        self.known, self.default, self.name = known, default, name
        self.asked: list[str] = []
        self.questions: list[str] = []

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        self.questions.append(question)
        self.asked += texts
        return [next((v for k, v in self.known.items() if k in t), self.default) for t in texts]


async def write(writer: ExtractiveWriter, question: str, *passages: ScoredChunk, reading: str = "") -> Draft:
    """Return the draft, once it was seen that its pieces make up its text."""
    context = replace(Context.begin(Query(text=question)), reading=reading)
    pieces = [piece async for piece in writer.write(question, passages, context)]
    draft = pieces[-1]
    assert isinstance(draft, Draft)
    assert draft.text == "".join(piece for piece in pieces if isinstance(piece, str))
    return draft


async def test_the_best_sentence_is_quoted_word_for_word_with_its_marker() -> None:
    scorer = Scripted({"blue": 6.0})
    llm = ExtractiveWriter(scorer)
    answer = await write(
        llm, "What colour has it?", passage("Grass is green."), passage("The sky is blue.\n\nCows eat grass.", 2)
    )
    assert answer.text == "The sky is blue. [2]"
    assert (answer.finish_reason, answer.usage.cost_usd, answer.model) == ("stop", 0.0, "extractive")


async def test_further_sentences_within_the_gap_come_when_they_add_words_of_the_question() -> None:
    scorer = Scripted({"Third": 7.0, "First": 5.5, "Second": 4.9, "Fourth": 6.0, "Fifth": 5.9})
    text = "First one floats.\n\nSecond one sinks.\n\nThird one here.\n\nFourth one here.\n\nFifth one burns."
    answer = await write(ExtractiveWriter(scorer), "What floats, sinks or burns?", passage(text))
    assert answer.text == "First one floats. [1] Third one here. [1] Fifth one burns. [1]"
    scorer = Scripted({"Third": 9.0, "First": 2.9})
    answer = await write(ExtractiveWriter(scorer), "What floats, sinks or burns?", passage(text))
    assert answer.text == "Third one here. [1]"


async def test_all_passages_are_read_where_none_is_near() -> None:
    far = passage("The hall is new.\n\nEach tour lasts an hour.\n\nDogs stay outside.", 2, "d2")
    far = far.model_copy(update={"scores": {"rerank": -5.9}})
    near = passage("Tickets are sold before the tour.").model_copy(update={"scores": {"rerank": -1.0}})
    scorer = Scripted({"lasts": 7.0})
    answer = await write(ExtractiveWriter(scorer), "How long is a tour?", near, far)
    assert answer.text == "Each tour lasts an hour. [2]"
    sure = near.model_copy(update={"scores": {"rerank": 3.0}})
    await write(ExtractiveWriter(silent := Scripted({"lasts": 7.0})), "How long is a tour?", sure, far)
    assert not any("lasts" in text for text in silent.asked)


async def test_below_the_calibrated_threshold_it_does_not_know() -> None:
    answer = await write(ExtractiveWriter(Scripted({}, default=-6.1)), "How is grass?", passage("Grass is green."))
    assert answer.text.startswith(I_DONT_KNOW)
    assert "-6.0" in answer.reason
    weak = await write(ExtractiveWriter(Scripted({}, default=-1.2)), "How is grass?", passage("Grass is green."))
    assert weak.text.startswith(I_DONT_KNOW)
    assert "the evidence scores 3.6, below 4.5 " in weak.reason


async def test_a_refusal_shows_what_was_searched_what_is_missing_and_what_is_nearest() -> None:
    answer = await write(ExtractiveWriter(Scripted({}, default=-7)), "Why is Fiji warm?", passage("Grass is green."))
    assert answer.text.split("\n\n") == [
        I_DONT_KNOW,
        "Searched: the nearest 1 passage of 1 document: “d1”.",
        "Not found in them: “Fiji”, “warm”.",
        "Nearest to the question:",
        "- d1: “Grass is green.”",
    ]
    assert answer.reason == "best passage scores -7.0, below -6.0"


async def test_verbs_that_say_little_and_parts_of_codes_are_not_called_missing() -> None:
    writer = ExtractiveWriter(Scripted({}, default=-7.0))
    answer = await write(writer, "Who came with fault DC-455?", passage("Fault DC-431: the fuse was old."))
    assert "Not found in them: “DC-455”." in answer.text


async def test_a_question_whose_words_are_all_there_needs_less_of_the_ranker() -> None:
    scorer = Scripted({}, default=1.0)
    held = await write(ExtractiveWriter(scorer), "Is the grass green?", passage("The grass is green."))
    assert held.text == "The grass is green. [1]"
    strange = await write(ExtractiveWriter(scorer), "Is the wine dry?", passage("The grass is green."))
    assert strange.text.startswith(I_DONT_KNOW)


async def test_a_weak_answer_is_called_uncertain() -> None:
    answer = await write(ExtractiveWriter(Scripted({}, default=1.9)), "How is grass?", passage("Grass is green."))
    assert (answer.text, answer.reason) == ("Grass is green. [1]", "low confidence")


async def test_an_uncalibrated_reranker_never_refuses_and_says_so() -> None:
    answer = await write(
        ExtractiveWriter(Scripted({}, default=-11.0, name="other/x")), "How is it?", passage("Grass is green.")
    )
    assert answer.text == "Grass is green. [1]"
    assert "uncalibrated reranker other/x" in answer.reason


@pytest.mark.parametrize("name", ["Xenova/ms-marco-MiniLM-L-12-v2", "roma/ms-marco-minilm-l12-int8"])
def test_thresholds_belong_to_a_model(name: str) -> None:
    assert thresholds_of(name) == thresholds_of("ms-marco-MiniLM-L-12-v2")
    assert thresholds_of("Xenova/ms-marco-MiniLM-L-6-v2") is None
    assert thresholds_of("BAAI/bge-reranker-base") is None


async def test_headings_questions_figures_and_fragments_are_never_quoted() -> None:
    text = "# Install it now\n\nHow do I install it?\n\n![logo](x.png)\n\nToo short.\n\nUse the package manager."
    answer = await write(ExtractiveWriter(Scripted({}, default=3.0)), "How is it?", passage(text))
    assert answer.text == "Use the package manager. [1]"
    only_headings = await write(ExtractiveWriter(Scripted({}, default=3.0)), "How is it?", passage("# A title"))
    assert only_headings.text.startswith(I_DONT_KNOW)


@pytest.mark.parametrize(
    ("quote", "echo"),
    [
        ('{"text": "Which port does it use?", "top_k": 5,', True),
        ("- Which port does it use", True),
        ("Which port does it use? It uses 8000, or the one that ROMA_PORT names in the environment.", False),
        ("It uses port 8000.", False),
    ],
)
def test_a_quote_that_is_the_question_itself_is_an_echo(quote: str, echo: bool) -> None:
    assert is_echo("Which port does it use?", quote) is echo
    assert not is_echo("??", quote)


async def test_an_echo_of_the_question_is_never_quoted() -> None:
    question = "Which port does it use?"
    scorer = Scripted({'"text"': 9.0, "8000": 8.0})
    text = f'It uses port 8000.\n\n```\n{{"text": "{question}", "top_k": 5,\n```'
    answer = await write(ExtractiveWriter(scorer), question, passage(text))
    assert answer.text == "It uses port 8000. [1]"


async def test_a_lead_in_brings_the_line_that_it_announces() -> None:
    text = "Install it with pip:\n\n```bash\npip install roma-core\n```\nOther words follow here."
    answer = await write(ExtractiveWriter(Scripted({"with pip": 8.0})), "How is it?", passage(text))
    assert answer.text == "Install it with pip: [1]\n\n`pip install roma-core` [1]"


async def test_a_table_row_is_scored_and_quoted_with_its_header() -> None:
    scorer = Scripted({"Variable | Default\nTIMEOUT": 8.0})
    text = "| Variable | Default |\n|---|---|\n| RETRIES | 3 |\n| TIMEOUT | 30 |"
    answer = await write(ExtractiveWriter(scorer), "How is it?", passage(text), passage("x y z w.", 2))
    # The passage itself holds both words apart, so only the row scores high as a candidate.
    assert answer.text.endswith("| TIMEOUT | 30 [1] |") or answer.text.startswith(I_DONT_KNOW)
    scorer.known["RETRIES | 3 |"] = 2.0
    answer = await write(ExtractiveWriter(scorer), "How is it?", passage(text))
    assert answer.text == "| Variable | Default [1] |\n| --- | --- |\n| TIMEOUT | 30 [1] |"


async def test_a_row_among_sentences_stands_under_its_header() -> None:
    scorer = Scripted({"Variable | Default\nTIMEOUT": 8.0, "waits": 7.5, "RETRIES | 3 |": 2.0})
    text = "| Variable | Default |\n|---|---|\n| RETRIES | 3 |\n| TIMEOUT | 30 |\n\nThe client waits until the timeout."
    answer = await write(
        ExtractiveWriter(scorer), "How long is the timeout until which the client waits?", passage(text)
    )
    assert answer.text == (
        "| Variable | Default [1] |\n| --- | --- |\n| TIMEOUT | 30 [1] |\n\nThe client waits until the timeout. [1]"
    )


async def test_the_header_of_a_split_table_comes_from_the_context() -> None:
    scorer = Scripted({"Key | Meaning\nPORT": 8.0, "PORT": 1.0})
    answer = await write(
        ExtractiveWriter(scorer), "How is it?", passage("| PORT | where |", context="Guide\n| Key | Meaning |")
    )
    assert answer.text == "PORT | where [1]"


async def test_the_sources_own_markers_are_escaped_and_links_are_left_alone() -> None:
    text = "Known since 1990 [3] as shown in [the paper](http://x) and [4, 5].\n\nOther words are here."
    answer = await write(ExtractiveWriter(Scripted({"1990": 8.0})), "How is it?", passage(text))
    assert answer.text == r"Known since 1990 \[3] as shown in [the paper](http://x) and \[4, 5]. [1]"
    assert re.findall(r"(?<!\\)\[(\d+)\]", answer.text) == ["1"]
    assert escape_markers(r"done \[3] [1](http://x)") == r"done \[3] [1](http://x)"


async def test_the_same_sentence_in_overlapping_passages_is_quoted_once() -> None:
    twice = (passage("The sky is blue."), passage("The sky is blue.", 2))
    answer = await write(ExtractiveWriter(Scripted({"sky": 8.0})), "How is it?", *twice)
    assert answer.text == "The sky is blue. [1]"


async def test_a_follow_up_is_ranked_with_the_words_that_it_leaves_out() -> None:
    scorer = Scripted({}, default=6.0)
    writer = ExtractiveWriter(scorer)
    await write(writer, "Who built it?", passage("Ada built the bridge."), reading="Who built it? (rope bridge)")
    await write(writer, "Who built it?", passage("Ada built the bridge."), reading="Who built the bridge?")
    assert set(scorer.questions) == {"Who built it? (rope bridge)", "Who built it? (Who built the bridge?)"}


async def test_the_reason_to_quote_is_said_before_the_doubt() -> None:
    writer = ExtractiveWriter(Scripted({}, default=1.9), why="auto: no key is set")
    answer = await write(writer, "How is it?", passage("Grass is green."))
    assert answer.reason == "auto: no key is set; low confidence"


async def test_quotes_are_kept_by_all_that_decides_them(tmp_path: Path) -> None:
    scorer = Scripted({}, default=6.0)
    writer = ExtractiveWriter(scorer, cache=Cache(tmp_path / "c.sqlite"))
    first = await write(writer, "What colour is it?", passage("The sky is blue today."))
    asked = len(scorer.asked)
    again = await write(writer, "What colour is it?", passage("The sky is blue today."))
    assert (again.text, again.reason, len(scorer.asked)) == (first.text, first.reason, asked)
    assert (first.usage.cache_hits, again.usage.cache_hits) == (0, 1)
    other = await write(writer, "What colour is it?", passage("The sky is grey today."))
    assert (other.text, other.usage.cache_hits) == ("The sky is grey today. [1]", 0)


async def test_an_error_of_the_ranker_is_raised() -> None:
    class Broken(Scripted):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            raise EmbeddingError("no model", ErrorCode.EMBEDDING_MODEL)

    with pytest.raises(EmbeddingError):
        await write(ExtractiveWriter(Broken({})), "How is it?", passage("Grass is green."))


async def test_without_a_reranker_word_overlap_decides() -> None:
    llm = ExtractiveWriter()
    sky = passage("The sky is blue today.\n\nGrass is green.")
    assert (await write(llm, "What colour has the sky?", sky)).text == "The sky is blue today. [1]"
    assert (await write(llm, "Who wrote Hamlet?", sky)).text.startswith(I_DONT_KNOW)
    assert (await write(llm, "Anything?")).text.startswith(I_DONT_KNOW)
    assert llm.fingerprint.endswith("overlap")


async def test_overlap_scores_lie_between_nothing_and_all() -> None:
    assert await OverlapRanker().scores("the red fox", ["red fox", "red", "cow"]) == pytest.approx(
        [1.0, 0.398, 0.0], abs=0.001
    )
    assert await OverlapRanker().scores("what is the", ["the"]) == [0.0]


async def test_a_sentence_is_scored_in_its_surroundings_and_quoted_alone() -> None:
    text = "## Default\n\nNo test times out. Set one:\n\n- a **timeout** in [seconds](http://x)\n- or none"
    chunk = passage(text).chunk.model_copy(update={"title": "Usage", "uri": "file:///docs/pytest-timeout.rst"})
    options = quotable_units([passage(text).model_copy(update={"chunk": chunk})])
    assert options[0].scored_text == "pytest-timeout: Usage\nDefault\nNo test times out."
    assert options[0].quote == "No test times out."
    for option in options:
        start = option.document_place[1]
        assert chunk.text[start : start + len(option.quote)] == option.quote


@pytest.mark.parametrize(
    ("uri", "title", "subject"),
    [
        ("file:///a/click.md", "Click", "Click"),
        ("file:///a/rank_bm25.md", "Rank-BM25: two lines", "Rank-BM25: two lines"),
        ("https://x.org/guide/", "Intro", "guide: Intro"),
        ("https://x.org/", "Intro", "Intro"),
        ("gdrive://1", "Plan", "Plan"),
    ],
)
def test_the_subject_is_the_title_and_the_files_name_when_it_says_more(uri: str, title: str, subject: str) -> None:
    found = passage("It works everywhere.")
    chunk = found.chunk.model_copy(update={"title": title, "uri": uri})
    [option] = quotable_units([found.model_copy(update={"chunk": chunk})])
    assert option.surroundings[0] == subject


async def test_a_short_list_is_scored_and_quoted_as_one_under_its_lead_in() -> None:
    text = "These are implemented:\n\n- Okapi\n- BM25L\n\nThey were taken from a paper."
    scorer = Scripted({"Okapi\nBM25L": 8.0, "- BM25L": 5.0})
    answer = await write(ExtractiveWriter(scorer), "Which are there?", passage(text))
    assert answer.text == "These are implemented: [1]\n\nOkapi [1]\n\nBM25L [1]"
    assert not [t for t in scorer.asked if t.endswith("\nOkapi")]


async def test_the_items_of_a_long_list_stand_for_themselves_under_its_lead_in() -> None:
    text = "It speaks:\n\n" + "\n".join(f"- Tongue{i}" for i in range(12))
    scorer = Scripted({"It speaks:\nTongue7": 8.0, "- Tongue7": 5.0})
    answer = await write(ExtractiveWriter(scorer), "Which are there?", passage(text))
    assert answer.text == "Tongue7 [1]"
    bare = await write(ExtractiveWriter(Scripted({"Tongue": 8.0})), "Which are there?", passage("- Tongue7"))
    assert bare.text.startswith(I_DONT_KNOW)


async def test_the_sentence_that_goes_on_comes_too_where_it_adds_a_word_of_the_question_and_is_short() -> None:
    best = Scripted({"not safe": 8.0})
    text = "It is not safe. Install the other one against that."
    assert (await write(ExtractiveWriter(best), "Is it safe?", passage(text))).text == "It is not safe. [1]"
    answer = await write(ExtractiveWriter(best), "Is it safe to install?", passage(text))
    assert answer.text == "It is not safe. [1] Install the other one against that. [1]"
    longer = f"It is not safe. Install {'word ' * 40}."
    answer = await write(ExtractiveWriter(best), "Is it safe to install?", passage(longer))
    assert answer.text == "It is not safe. [1]"


async def test_the_sentence_that_goes_on_comes_too_where_it_alone_states_what_is_asked() -> None:
    text = "The crossing to the island is slow. It takes four hours."
    answer = await write(ExtractiveWriter(Scripted({"slow": 8.0})), "How many hours to the island?", passage(text))
    assert answer.text == "The crossing to the island is slow. [1] It takes four hours. [1]"


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Who runs the ferry?", "Ina Brandt runs the ferry. [1]"),
        ("Why is the ferry safe?", "Ina Brandt runs the ferry. [1] Her deputy is Tom Reed. [1]"),
    ],
    ids=["all is stated", "a word is open"],
)
async def test_a_sentence_that_scores_better_with_the_next_one_stays_alone_where_it_states_all_that_is_asked(
    question: str, text: str
) -> None:
    ranker = Scripted({"Ina Brandt runs the ferry. Her deputy": 9.0, "Ina Brandt runs": 7.0})
    answer = await write(
        ExtractiveWriter(ranker), question, passage("Ina Brandt runs the ferry. Her deputy is Tom Reed.")
    )
    assert answer.text == text


NOTE = "The ferry leaves at seven. Dogs travel free. Jackets are under the seats. Bookings close at noon. It rains."


def note(text: str, score: float, *, title: str = "") -> ScoredChunk:
    found = passage(text).model_copy(update={"scores": {"rerank": score}})
    return found.model_copy(update={"chunk": found.chunk.model_copy(update={"title": title or found.chunk.title})})


@pytest.mark.parametrize(
    ("best", "is_answered"), [(-3.0, True), (-8.0, False)], ids=["stands out of its note", "scores as its note"]
)
async def test_a_sentence_that_stands_out_of_a_note_of_many_things_answers(best: float, is_answered: bool) -> None:
    writer = ExtractiveWriter(Scripted({"Dogs": best}))
    answer = await write(writer, "Does my dog pay?", note(NOTE, -8.0))
    assert (answer.text == "Dogs travel free. [1]") is is_answered
    assert answer.text.startswith(I_DONT_KNOW) is not is_answered


@pytest.mark.parametrize(
    ("question", "remark"),
    [("Do dogs travel free?", ""), ("Do dogs travel by train?", "low confidence")],
    ids=["all words", "not all words"],
)
async def test_standing_out_makes_certain_what_has_all_words_of_the_question(question: str, remark: str) -> None:
    answer = await write(ExtractiveWriter(Scripted({"Dogs": 1.0})), question, note(NOTE, -8.0))
    assert (answer.text, answer.reason) == ("Dogs travel free. [1]", remark)


async def test_a_sentence_of_long_prose_gains_nothing_by_standing_out_of_its_passage() -> None:
    long = " ".join(f"{sentence[:-1]} {'and so on ' * 5}." for sentence in NOTE.split(". "))
    writer = ExtractiveWriter(Scripted({"Dogs": -3.0}))
    assert (await write(writer, "Does my dog pay?", note(long, -8.0))).text.startswith(I_DONT_KNOW)


class Pointing:
    """Embeds in two dimensions: a question points along the first one, a text by the first fragment that it holds."""

    def __init__(self, cosines: dict[str, float], name: str = BUNDLED) -> None:
        self.cosines, self.name = cosines, name
        self.read: list[str] = []

    async def embed(self, texts: Sequence[str]) -> EmbeddingResult:
        self.read += texts
        cosines = [next((c for fragment, c in self.cosines.items() if fragment in text), 0.5) for text in texts]
        return EmbeddingResult(np.array([[c, (1 - c * c) ** 0.5] for c in cosines], dtype=np.float32))

    async def embed_query(self, text: str) -> EmbeddingResult:
        return EmbeddingResult(np.array([[1.0, 0.0]], dtype=np.float32))


@pytest.mark.parametrize(
    ("cosines", "is_answered"),
    [({"Dogs": 0.7}, True), ({"Dogs": 0.51}, False), ({"Dogs": 0.7, "Jackets": 0.8}, False)],
    ids=["nearest by far", "hardly nearer", "another is nearer"],
)
async def test_a_sentence_of_a_note_answers_where_the_embedder_finds_it_too(
    cosines: dict[str, float], is_answered: bool
) -> None:
    writer = ExtractiveWriter(Scripted({"Dogs": -7.0}), embedder=Pointing(cosines))
    answer = await write(writer, "Is there a fare for pets?", note(NOTE, -9.0))
    assert (answer.text == "Dogs travel free. [1]") is is_answered
    assert answer.text.startswith(I_DONT_KNOW) is not is_answered
    assert ("low confidence" in answer.reason) is is_answered


async def test_what_ranker_and_embedder_agree_on_has_to_state_what_is_asked() -> None:
    writer = ExtractiveWriter(Scripted({"Jackets": -7.0}), embedder=Pointing({"Jackets": 0.9}))
    assert (await write(writer, "How much is a jacket?", note(NOTE, -9.0))).text.startswith(I_DONT_KNOW)


@pytest.mark.parametrize("asked", ["owner", "vet"])
async def test_models_agree_on_nothing_where_the_thing_that_somebody_has_is_not_spoken_of(asked: str) -> None:
    text = "Rex barks at the gate. His owner is away. Jackets are worn. Tickets are sold on board. The bar is shut."
    writer = ExtractiveWriter(Scripted({"Rex": -7.0}), embedder=Pointing({"Rex": 0.9}))
    answer = await write(writer, f"Is the {asked} of Rex at the gate?", note(text, -9.0))
    assert answer.text.startswith(I_DONT_KNOW) is (asked == "vet")


@pytest.mark.parametrize(
    ("text", "is_answered"),
    [
        ("**SLO**: the target that a service keeps.", False),
        ("**SLA**: what a provider owes.", True),
        ("A service level agreement is what a provider owes.", True),
    ],
    ids=["another acronym", "the acronym", "its words"],
)
async def test_an_acronym_is_defined_by_what_has_or_spells_it(text: str, *, is_answered: bool) -> None:
    answer = await write(
        ExtractiveWriter(Scripted({"service": 9.0, "provider": 9.0})), "What is an SLA?", note(text, 9.0)
    )
    assert answer.text.startswith(I_DONT_KNOW) is not is_answered


async def test_models_agree_on_nothing_that_is_said_of_another_name() -> None:
    writer = ExtractiveWriter(Scripted({"SLO": -7.0}), embedder=Pointing({"SLO": 0.9}))
    text = "An SLO is a target. Jackets are worn. Tickets are sold on board. The bar is shut."
    assert (await write(writer, "What is an SLA?", note(text, -9.0))).text.startswith(I_DONT_KNOW)


async def test_the_embedder_reads_nothing_where_the_ranker_is_sure_or_where_it_was_not_measured() -> None:
    beside = Pointing({"Dogs": 0.9})
    await write(ExtractiveWriter(Scripted({"Dogs": 6.0}), embedder=beside), "Do dogs travel free?", note(NOTE, 5.0))
    strange = Pointing({"Dogs": 0.9}, name="openai:text-embedding-3-small")
    writer = ExtractiveWriter(Scripted({"Dogs": -7.0}), embedder=strange)
    assert (await write(writer, "Is there a fare for pets?", note(NOTE, -9.0))).text.startswith(I_DONT_KNOW)
    assert beside.read == strange.read == []
    assert writer.scorer == ExtractiveWriter(Scripted({})).scorer


async def test_of_a_long_note_the_embedder_reads_the_best_sentences() -> None:
    text = " ".join(["Dogs travel free.", *(f"Cabin {number} is shut." for number in range(40))])
    beside = Pointing({"Dogs": 0.7})
    answer = await write(
        ExtractiveWriter(Scripted({"Dogs": -7.0}), embedder=beside), "Any fare for pets?", note(text, -9.0)
    )
    assert answer.text == "Dogs travel free. [1]"
    assert len(beside.read) == MOST_AGREEING


async def test_the_embedder_reads_on_only_while_it_may_agree() -> None:
    text = " ".join(["Dogs travel free.", *(f"Cabin {number} is shut." for number in range(40))])
    for cosines in ({"Dogs": 0.51}, {"Dogs": 0.7, "Cabin": 0.8}):  # hardly nearer, and another is nearer
        beside = Pointing(cosines)
        ranker = Scripted({"Dogs": -7.0})
        answer = await write(ExtractiveWriter(ranker, embedder=beside), "Any fare for pets?", note(text, -9.0))
        assert answer.text.startswith(I_DONT_KNOW)
        assert len(beside.read) == AGREEING_STEP


MANUAL = f"{NOTE} It weighs two kilos. Rinse it daily."


class Titled(Scripted):
    """Scores nothing well for a question that does not name the thing."""

    async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        scores = await super().scores(question, texts)
        return scores if "Nebel" in question else [self.default] * len(texts)


@pytest.mark.parametrize(
    ("best", "is_answered"), [(8.0, True), (2.5, False)], ids=["above the others", "as the others"]
)
async def test_a_pronoun_is_ranked_as_the_thing_that_the_only_document_is_about(best: float, is_answered: bool) -> None:
    ranker = Titled({"two kilos": best}, default=2.0)
    answer = await write(ExtractiveWriter(ranker), "Is it heavy?", note(MANUAL, -9.0, title="Nebel 3"))
    assert (answer.text == "It weighs two kilos. [1]") is is_answered
    assert answer.text.startswith(I_DONT_KNOW) is not is_answered
    assert ranker.questions[0] == "Is Nebel 3 heavy?"


async def test_a_pronoun_stays_with_several_documents_and_in_a_conversation() -> None:
    ranker = Scripted({"two kilos": 8.0})
    await write(
        ExtractiveWriter(ranker), "What does it weigh?", note(MANUAL, 1.0, title="Nebel"), passage("Cows.", 2, "d2")
    )
    await write(
        ExtractiveWriter(ranker), "What does it weigh?", note(MANUAL, 1.0, title="Nebel"), reading="weight pump"
    )
    await write(ExtractiveWriter(ranker), "What does it weigh?", note(MANUAL, 1.0, title="d1.md"))
    assert not [question for question in ranker.questions if "Nebel" in question or "d1" in question]


async def test_an_answer_under_a_question_in_bold_is_read_with_it() -> None:
    faq = "**Can I keep hens?**\nUp to six. Cockerels are forbidden.\n\n**Is there a tap?**\nBy the gate."
    ranker = Scripted({"hens?**": 8.0, "Can I keep hens": 8.0})
    answer = await write(ExtractiveWriter(ranker), "How many hens may I keep?", passage(faq))
    assert answer.text == "Up to six. [1]"


async def test_passages_far_below_the_best_one_are_not_read() -> None:
    near, far = passage("Grass is always green."), passage("The sea is always blue.", 2, document="d2")
    scored = [p.model_copy(update={"scores": {"rerank": s}}) for p, s in ((near, 6.0), (far, 1.0))]
    scorer = Scripted({}, default=5.0)
    answer = await write(ExtractiveWriter(scorer), "What colour is it?", *scored)
    assert answer.text == "Grass is always green. [1]"
    assert not [t for t in scorer.asked if "sea" in t]


async def test_far_passages_are_read_when_the_best_one_holds_nothing_to_quote() -> None:
    title, text = passage("# Only a title"), passage("The sea is always blue.", 2, document="d2")
    scored = [p.model_copy(update={"scores": {"rerank": s}}) for p, s in ((title, 6.0), (text, 1.0))]
    answer = await write(ExtractiveWriter(Scripted({}, default=5.0)), "What colour is it?", *scored)
    assert answer.text == "The sea is always blue. [2]"


async def test_a_name_that_nothing_quoted_is_about_counts_against_an_answer() -> None:
    text = "The variable OFF turns telemetry off."
    scorer = Scripted({"telemetry": 1.0})
    answer = await write(ExtractiveWriter(scorer), "What turns telemetry off in Grafana?", passage(text))
    assert answer.text.startswith(I_DONT_KNOW)
    named = passage(text).chunk.model_copy(update={"title": "Grafana"})
    about = passage(text).model_copy(update={"chunk": named})
    answer = await write(ExtractiveWriter(scorer), "What turns telemetry off in Grafana?", about)
    assert answer.text == f"{text} [1]"


def test_marks_are_no_words_for_the_scorer() -> None:
    assert (
        plain_text("**Won** the [prize](https://a.b/c) `x_y` <b>here</b> https://a.b/winner")
        == "Won the prize x_y here"
    )


OTTER = "Otters live at the weir.\n\n![An otter holds a crab in both paws](otter.jpg)\n\nThey hunt at dusk."


async def test_a_question_about_a_picture_is_answered_by_its_words_and_place() -> None:
    scorer = Scripted({"Picture\nAn otter": 9.0, "![An otter": 9.0})
    answer = await write(ExtractiveWriter(scorer), "What does the otter on the picture hold?", passage(OTTER))
    assert answer.text == "Picture in “d1”:\n\nAn otter holds a crab in both paws [1]"


async def test_other_questions_are_not_answered_by_pictures() -> None:
    scorer = Scripted({"An otter holds": 9.0, "hunt": 5.0})
    answer = await write(ExtractiveWriter(scorer), "When do the otters hunt?", passage(OTTER))
    assert "crab" not in answer.text


async def test_a_question_after_several_things_gets_the_sentences_that_state_them() -> None:
    text = "`h2` brings HTTP/2.\n\nThe client speaks HTTP/1.1 as well.\n\nThe client is fast."
    scorer = Scripted({"h2": 8.0, "HTTP/1.1": 7.0, "fast": 7.0})
    answer = await write(ExtractiveWriter(scorer), "Which versions of HTTP does the client speak?", passage(text))
    assert answer.text == "`h2` brings HTTP/2. [1] The client speaks HTTP/1.1 as well. [1]"


REBELLION = (
    "In 1854 there was a rebellion of the miners at Ballarat against the taxes and fees that the government of the "
    "colony asked for each claim, whether gold was found on it or not."
)
ENDING = "Troops of the crown had put an end to the whole affair by the following spring. A dog barked."


async def test_the_next_sentence_comes_where_only_both_together_answer() -> None:
    class Together(Scripted):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            return [9.0 if REBELLION in t and "Troops" in t else 5.0 if REBELLION in t else -9.0 for t in texts]

    question, found = "Who ended the rebellion at Ballarat?", passage(f"{REBELLION} {ENDING}")
    answer = await write(ExtractiveWriter(Together({})), question, found)
    assert "Troops of the crown" in answer.text and "dog" not in answer.text
    alone = await write(ExtractiveWriter(Scripted({REBELLION: 5.0})), question, found)
    assert "Troops" not in alone.text


async def test_the_next_sentence_makes_a_long_answer_certain_and_is_left_out_where_no_value_is_asked() -> None:
    class Together(Scripted):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            return [9.0 if REBELLION in t and "Troops" in t else 1.0 if REBELLION in t else -9.0 for t in texts]

    found = passage(f"{REBELLION} {ENDING}")
    answer = await write(ExtractiveWriter(Together({})), "Why did Ballarat rise against the troops?", found)
    assert answer.text == f"{REBELLION} [1]"
    assert "low confidence" not in answer.reason


@pytest.mark.parametrize(("before", "is_answered"), [(100, True), (1, False)])
async def test_a_passage_longer_than_the_ranker_reads_is_judged_by_its_best_sentence(
    before: int, is_answered: bool
) -> None:
    text = f"{'Grass is green. ' * before}\n\nIts tentacles catch prey."
    found = passage(text).model_copy(update={"scores": {"rerank": -9.2}})
    answer = await write(ExtractiveWriter(Scripted({"tentacles": 8.0})), "What do its tentacles catch?", found)
    assert answer.text.startswith("Its tentacles catch prey. [1]") is is_answered


@pytest.mark.parametrize(("opening", "is_known"), [("Malaysia has schools.", True), ("Borneo has schools.", False)])
async def test_a_name_that_only_the_passage_has_counts_for_half(opening: str, is_known: bool) -> None:
    text = f"{opening}\n\nTeaching is in the Chinese language in primary schools."
    scorer = Scripted({"Teaching": 1.5}, default=1.0)
    question = "What language is used in primary schools in Malaysia?"
    answer = await write(ExtractiveWriter(scorer), question, passage(text))
    assert answer.text.startswith(I_DONT_KNOW) is not is_known


async def test_how_much_less_asks_for_a_number() -> None:
    text = (
        "The engine was praised by the committee for its economy.\n\nThe new engine used 30 % less steam than before."
    )
    scorer = Scripted({"praised": 6.0, "30 %": 5.0})
    answer = await write(ExtractiveWriter(scorer), "How much less steam did the engine use?", passage(text))
    assert "30 % less steam" in answer.text


async def test_no_pair_is_read_twice_for_one_answer() -> None:
    read: list[tuple[str, str]] = []

    class Counting(Scripted):
        async def scores(self, question: str, texts: Sequence[str]) -> list[float]:
            read.extend((question, text) for text in texts)
            return await super().scores(question, texts)

    scripted = Counting({REBELLION: 5.0})
    await write(ExtractiveWriter(scripted), "Who ended the rebellion at Ballarat?", passage(f"{REBELLION} {ENDING}"))
    assert any(REBELLION in text and "Troops" in text and "dog" not in text for _, text in read), (
        "the next one is tried"
    )
    assert len(read) == len(set(read))


@pytest.mark.parametrize(
    ("rest", "read"), [(" and went on with it to the far end of the bay that summer", 8), ("", 12)]
)
async def test_of_many_long_sentences_those_are_read_that_have_words_of_the_question(rest: str, read: int) -> None:
    sentences = [f"Crew number {number} rowed past the old lighthouse{rest}." for number in range(11)]
    answering = f"The regatta of the harbour was won by the crew from Garrow{rest}."
    ranker = Scripted({"Garrow": 6.0})
    found = passage(" ".join([*sentences, answering]))
    answer = await write(ExtractiveWriter(ranker), "Who won the regatta of the harbour?", found)
    assert "Garrow" in answer.text
    alone = [text for text in ranker.asked if sum(each in text for each in (*sentences, answering)) == 1]
    assert len(set(alone)) == read

"""The extractive provider: verbatim quotes with markers, refusals, and sensible handling of READMEs."""

import re
from collections.abc import Sequence

import pytest

from roma_core.errors import ErrorCode, LLMError
from roma_core.llm.base import I_DONT_KNOW, LLMRequest, Message, complete
from roma_core.llm.extractive import ExtractiveLLM, calibration_of, echoes, escape_markers, names, overlap_scores
from roma_core.llm.quotable import candidates, plain
from roma_core.types import Chunk, ScoredChunk

LOGITS = "roma/ms-marco-l12-int8 (ms-marco-MiniLM-L-12-v2)"


def passage(text: str, rank: int = 1, document: str = "d1", start: int = 0, context: str = "") -> ScoredChunk:
    chunk = Chunk(
        id=f"{document}-{start}", document_id=document, uri=f"file:///{document}.md", title=document, text=text,
        start=start, end=start + len(text), context=context,
    )  # fmt: skip
    return ScoredChunk(chunk=chunk, score=1.0 / rank, rank=rank, retriever="hybrid")


class Scripted:
    """Scores a text by the first of the given fragments that it holds."""

    def __init__(self, scores: dict[str, float], default: float = -9.0) -> None:
        self.scores, self.default, self.asked = scores, default, list[str]()

    async def __call__(self, question: str, texts: Sequence[str]) -> list[float]:
        self.asked += texts
        return [next((v for k, v in self.scores.items() if k in t), self.default) for t in texts]


def ask(question: str, *passages: ScoredChunk) -> LLMRequest:
    return LLMRequest(messages=(Message(role="user", content=question),), question=question, passages=passages)


async def test_the_best_sentence_is_quoted_word_for_word_with_its_marker() -> None:
    scorer = Scripted({"blue": 6.0})
    llm = ExtractiveLLM(scorer, LOGITS)
    answer = await complete(
        llm, ask("colour?", passage("Grass is green."), passage("The sky is blue.\n\nCows eat grass.", 2))
    )
    assert answer.text == "The sky is blue. [2]"
    assert (answer.finish_reason, answer.usage.cost_usd, answer.provider) == ("stop", 0.0, "extractive")


async def test_up_to_three_sentences_within_the_gap_come_in_document_order() -> None:
    scorer = Scripted({"Third": 7.0, "First": 5.5, "Second": 4.9, "Fourth": 6.0, "Fifth": 5.9})
    text = "First one here.\n\nSecond one here.\n\nThird one here.\n\nFourth one here.\n\nFifth one here."
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("q", passage(text)))
    assert answer.text == "Third one here. [1] Fourth one here. [1] Fifth one here. [1]"
    scorer = Scripted({"Third": 7.0, "First": 3.9})
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("q", passage(text)))
    assert answer.text == "Third one here. [1]"


async def test_below_the_calibrated_threshold_it_does_not_know() -> None:
    answer = await complete(ExtractiveLLM(Scripted({}, default=-1.9), LOGITS), ask("q", passage("Grass is green.")))
    assert answer.text == I_DONT_KNOW
    assert "-1.8" in answer.reason
    weak = await complete(ExtractiveLLM(Scripted({}, default=1.7), LOGITS), ask("q", passage("Grass is green.")))
    assert weak.text == I_DONT_KNOW
    assert "the evidence scores 3.4, below 3.5" in weak.reason


async def test_a_weak_answer_is_called_uncertain() -> None:
    answer = await complete(ExtractiveLLM(Scripted({}, default=2.7), LOGITS), ask("q", passage("Grass is green.")))
    assert (answer.text, answer.reason) == ("Grass is green. [1]", "low confidence")


async def test_an_uncalibrated_reranker_never_refuses_and_says_so() -> None:
    answer = await complete(ExtractiveLLM(Scripted({}, default=-11.0), "other/x"), ask("q", passage("Grass is green.")))
    assert answer.text == "Grass is green. [1]"
    assert "uncalibrated reranker other/x" in answer.reason


@pytest.mark.parametrize("name", ["Xenova/ms-marco-MiniLM-L-12-v2", "roma/ms-marco-minilm-l12-int8"])
def test_thresholds_belong_to_a_model(name: str) -> None:
    assert calibration_of(name) == calibration_of("ms-marco-MiniLM-L-12-v2")
    assert calibration_of("Xenova/ms-marco-MiniLM-L-6-v2") is None
    assert calibration_of("BAAI/bge-reranker-base") is None


async def test_headings_questions_figures_and_fragments_are_never_quoted() -> None:
    text = "# Install it now\n\nHow do I install it?\n\n![logo](x.png)\n\nToo short.\n\nUse the package manager."
    answer = await complete(ExtractiveLLM(Scripted({}, default=3.0), LOGITS), ask("q", passage(text)))
    assert answer.text == "Use the package manager. [1]"
    only_headings = await complete(ExtractiveLLM(Scripted({}, default=3.0), LOGITS), ask("q", passage("# A title")))
    assert only_headings.text == I_DONT_KNOW


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
    assert echoes("Which port does it use?", quote) is echo
    assert not echoes("??", quote)


async def test_an_echo_of_the_question_is_never_quoted() -> None:
    question = "Which port does it use?"
    scorer = Scripted({'"text"': 9.0, "8000": 8.0})
    text = f'It uses port 8000.\n\n```\n{{"text": "{question}", "top_k": 5,\n```'
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask(question, passage(text)))
    assert answer.text == "It uses port 8000. [1]"


async def test_a_lead_in_brings_the_line_that_it_announces() -> None:
    text = "Install it with pip:\n\n```bash\npip install roma-core\n```\nOther words follow here."
    answer = await complete(ExtractiveLLM(Scripted({"with pip": 8.0}), LOGITS), ask("q", passage(text)))
    assert answer.text == "Install it with pip: [1]\n\n`pip install roma-core` [1]"


async def test_a_table_row_is_scored_with_its_header_and_quoted_alone() -> None:
    scorer = Scripted({"Variable | Default\nTIMEOUT": 8.0})
    text = "| Variable | Default |\n|---|---|\n| RETRIES | 3 |\n| TIMEOUT | 30 |"
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("q", passage(text), passage("x y z w.", 2)))
    # The passage itself holds both words apart, so only the row scores high as a candidate.
    assert answer.text.endswith("TIMEOUT | 30 [1]") or answer.text == I_DONT_KNOW
    scorer.scores["RETRIES | 3 |"] = 2.0
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("q", passage(text)))
    assert answer.text == "TIMEOUT | 30 [1]"


async def test_the_header_of_a_split_table_comes_from_the_context() -> None:
    scorer = Scripted({"Key | Meaning\nPORT": 8.0, "PORT": 1.0})
    answer = await complete(
        ExtractiveLLM(scorer, LOGITS), ask("q", passage("| PORT | where |", context="Guide\n| Key | Meaning |"))
    )
    assert answer.text == "PORT | where [1]"


async def test_the_sources_own_markers_are_escaped_and_links_are_left_alone() -> None:
    text = "Known since 1990 [3] as shown in [the paper](http://x) and [4, 5].\n\nOther words are here."
    answer = await complete(ExtractiveLLM(Scripted({"1990": 8.0}), LOGITS), ask("q", passage(text)))
    assert answer.text == r"Known since 1990 \[3] as shown in [the paper](http://x) and \[4, 5]. [1]"
    assert re.findall(r"(?<!\\)\[(\d+)\]", answer.text) == ["1"]
    assert escape_markers(r"done \[3] [1](http://x)") == r"done \[3] [1](http://x)"


async def test_the_same_sentence_in_overlapping_passages_is_quoted_once() -> None:
    twice = (passage("The sky is blue."), passage("The sky is blue.", 2))
    answer = await complete(ExtractiveLLM(Scripted({"sky": 8.0}), LOGITS), ask("q", *twice))
    assert answer.text == "The sky is blue. [1]"


async def test_without_a_question_it_refuses_to_play_a_language_model() -> None:
    bare = LLMRequest(messages=(Message(role="user", content="plan this"),))
    with pytest.raises(LLMError) as caught:
        await complete(ExtractiveLLM(), bare)
    assert caught.value.code is ErrorCode.LLM_BAD_REQUEST
    with pytest.raises(LLMError):
        await complete(ExtractiveLLM(), ask("q", passage("x")).model_copy(update={"json_schema": {"type": "object"}}))


async def test_without_a_reranker_word_overlap_decides() -> None:
    llm = ExtractiveLLM()
    sky = passage("The sky is blue today.\n\nGrass is green.")
    assert (await complete(llm, ask("What colour has the sky?", sky))).text == "The sky is blue today. [1]"
    assert (await complete(llm, ask("Who wrote Hamlet?", sky))).text == I_DONT_KNOW
    assert (await complete(llm, ask("Anything?"))).text == I_DONT_KNOW
    assert llm.fingerprint.endswith("overlap")


async def test_overlap_scores_lie_between_nothing_and_all() -> None:
    assert await overlap_scores("the red fox", ["red fox", "red", "cow"]) == pytest.approx([1.0, 0.398, 0.0], abs=0.001)
    assert await overlap_scores("what is the", ["the"]) == [0.0]


async def test_a_sentence_is_scored_in_its_surroundings_and_quoted_alone() -> None:
    text = "## Default\n\nNo test times out. Set one:\n\n- a **timeout** in [seconds](http://x)\n- or none"
    chunk = passage(text).chunk.model_copy(update={"title": "Usage", "uri": "file:///docs/pytest-timeout.rst"})
    options = candidates([passage(text).model_copy(update={"chunk": chunk})])
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
    [option] = candidates([found.model_copy(update={"chunk": chunk})])
    assert option.surroundings[0] == subject


async def test_a_short_list_is_scored_and_quoted_as_one_under_its_lead_in() -> None:
    text = "These are implemented:\n\n- Okapi\n- BM25L\n\nThey were taken from a paper."
    scorer = Scripted({"Okapi\nBM25L": 8.0, "- BM25L": 5.0})
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("which?", passage(text)))
    assert answer.text == "These are implemented: [1]\n\nOkapi [1]\n\nBM25L [1]"
    assert not [t for t in scorer.asked if t.endswith("\nOkapi")]


async def test_the_items_of_a_long_list_stand_for_themselves_under_its_lead_in() -> None:
    text = "It speaks:\n\n" + "\n".join(f"- Tongue{i}" for i in range(12))
    scorer = Scripted({"It speaks:\nTongue7": 8.0, "- Tongue7": 5.0})
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("which?", passage(text)))
    assert answer.text == "Tongue7 [1]"
    bare = await complete(ExtractiveLLM(Scripted({"Tongue": 8.0}), LOGITS), ask("which?", passage("- Tongue7")))
    assert bare.text == I_DONT_KNOW


async def test_the_sentence_that_goes_on_from_the_best_one_comes_too_while_that_is_short() -> None:
    text = "It is not safe. Install the other one against that."
    best = Scripted({"not safe": 8.0})
    answer = await complete(ExtractiveLLM(best, LOGITS), ask("safe?", passage(text)))
    assert answer.text == "It is not safe. [1] Install the other one against that. [1]"
    longer = f"It is not safe. {'Word ' * 40}."
    answer = await complete(ExtractiveLLM(best, LOGITS), ask("safe?", passage(longer)))
    assert answer.text == "It is not safe. [1]"


async def test_passages_far_below_the_best_one_are_not_read() -> None:
    near, far = passage("Grass is always green."), passage("The sea is always blue.", 2, document="d2")
    scored = [p.model_copy(update={"scores": {"rerank": s}}) for p, s in ((near, 6.0), (far, 1.0))]
    scorer = Scripted({}, default=5.0)
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("colour?", *scored))
    assert answer.text == "Grass is always green. [1]"
    assert not [t for t in scorer.asked if "sea" in t]


async def test_far_passages_are_read_when_the_best_one_holds_nothing_to_quote() -> None:
    title, text = passage("# Only a title"), passage("The sea is always blue.", 2, document="d2")
    scored = [p.model_copy(update={"scores": {"rerank": s}}) for p, s in ((title, 6.0), (text, 1.0))]
    answer = await complete(ExtractiveLLM(Scripted({}, default=5.0), LOGITS), ask("colour?", *scored))
    assert answer.text == "The sea is always blue. [2]"


async def test_a_name_that_nothing_quoted_is_about_counts_against_an_answer() -> None:
    text = "The variable OFF turns telemetry off."
    scorer = Scripted({"telemetry": 3.0})
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("What turns telemetry off in Grafana?", passage(text)))
    assert answer.text == I_DONT_KNOW
    named = passage(text).chunk.model_copy(update={"title": "Grafana"})
    about = passage(text).model_copy(update={"chunk": named})
    answer = await complete(ExtractiveLLM(scorer, LOGITS), ask("What turns telemetry off in Grafana?", about))
    assert answer.text == f"{text} [1]"


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("Which year did NASA trust attrs?", ["NASA"]),
        ("may I set load_dotenv or idnaError in python3?", ["load_dotenv", "idnaError", "python3"]),
        ("Who Wrote The First Edition?", []),
        ("who wrote it", []),
    ],
)
def test_names_are_what_a_question_capitalises_or_writes_like_code(question: str, named: list[str]) -> None:
    assert names(question) == named


def test_marks_are_no_words_for_the_scorer() -> None:
    assert plain("**Won** the [prize](https://a.b/c) `x_y` <b>here</b> https://a.b/winner") == "Won the prize x_y here"

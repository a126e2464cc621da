"""Thoughts and tokens of the template are told from the answer, however the text is cut."""

import pytest

from roma_core.llm.providers.thinking import AnswerFilter

CASES = {
    "<think>so</think>\n\nYes [1].": ("Yes [1].", "so"),
    "<think>\n\n</think>\n\nYes.": ("Yes.", "\n\n"),
    "Hm, so</think>Yes": ("Yes", "Hm, so"),
    "plain <b>x</b> [1] a < b": ("plain <b>x</b> [1] a < b", ""),
    "`<think>` is a tag": ("`<think>` is a tag", ""),
    "say <think> and go on": ("say <think> and go on", ""),
    "Sure. <think>hm</think>Yes": ("Sure. Yes", "hm"),
    "<Think>a</Think>b": ("b", "a"),
    "<think>never closed": ("", "never closed"),
    "<think>a</think><answer>B</answer>": ("B", "a"),
    "the <answer> tag": ("the <answer> tag", ""),
    "[THINK]x[/THINK]Hi": ("Hi", "x"),
    "<|channel|>analysis<|message|>We need<|end|><|start|>assistant<|channel|>final<|message|>Yes.<|return|>": (
        "Yes.",
        "We need",
    ),
    "<|channel|>final<|message|>Only.": ("Only.", ""),
    "analysisWe need it.assistantfinalYes.": ("Yes.", "We need it."),
    "analysis of data": ("analysis of data", ""),
    "Hello.<|im_end|>\n<|im_start|>user\nmore": ("Hello.", ""),
    "<|im_start|>assistant\nHi": ("Hi", ""),
    "<start_of_turn>model\nHi<end_of_turn>": ("Hi", ""),
    "Hello</s>": ("Hello", ""),
    "a <s>old</s> new": ("a <s>old</s> new", ""),
    "  lead": ("  lead", ""),
    "a [": ("a [", ""),
    "<": ("<", ""),
    "   ": ("   ", ""),
}


def read(text: str, size: int) -> tuple[str, str]:
    answer = reasoning = ""
    answer_filter = AnswerFilter()
    pieces = [text[place : place + size] for place in range(0, len(text), size)]
    parts = [part for piece in pieces for part in answer_filter.feed(piece)]
    for part in [*parts, *answer_filter.close()]:
        if part.kind == "text":
            answer += part.text
        elif part.kind == "reasoning":
            reasoning += part.text
        else:
            answer, reasoning = "", reasoning + answer
    return answer, reasoning


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("text", CASES)
def test_only_the_answer_is_the_answer(text: str, size: int) -> None:
    assert read(text, size) == CASES[text]


def test_what_follows_the_end_of_a_turn_is_counted() -> None:
    answer_filter = AnswerFilter()
    answer_filter.feed("Hello.<|im_end|> more")
    answer_filter.close()
    assert answer_filter.dropped_chars == len("more")


def test_plain_text_is_passed_on_at_once() -> None:
    answer_filter = AnswerFilter()
    assert [part.text for part in answer_filter.feed("Hello")] == ["Hello"]
    assert [part.text for part in answer_filter.feed(" world")] == [" world"]

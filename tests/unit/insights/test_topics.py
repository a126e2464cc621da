"""Questions that share words are a topic, in any script, however many there are."""

from __future__ import annotations

from roma_core.insights import cluster_questions

FERRIES = ["What does a ferry pay for a landing?", "Landing fee of a ferry?", "How much is the ferry landing fee?"]
LEAVE = ["How many days of annual leave do I have?", "Can annual leave be carried over?", "annual leave carry over"]


def test_questions_that_share_words_are_one_topic_and_others_none() -> None:
    topics = cluster_questions([*FERRIES, "Who painted the lighthouse?", *LEAVE])
    assert [topic.members for topic in topics] == [(4, 5, 6), (0, 1, 2)] or [
        set(topic.members) for topic in topics
    ] == [{0, 1, 2}, {4, 5, 6}]
    names = " ".join(topic.name for topic in topics)
    assert "ferry" in names and "leave" in names
    assert "the" not in names.split() and "what" not in names.split()


def test_an_equal_question_asked_again_is_a_topic_of_its_own() -> None:
    (topic,) = cluster_questions(["Is the harbour open?", "is the HARBOUR open", "Who built the quay?"])
    assert topic.members == (0, 1)
    assert topic.example == "Is the harbour open?"


def test_scripts_without_blanks_are_compared_too() -> None:
    questions = ["年次有給休暇は何日ありますか", "年次有給休暇の繰り越し", "港はいつ閉まりますか"]
    (topic,) = cluster_questions(questions)
    assert topic.members == (0, 1)


def test_without_words_there_is_no_topic() -> None:
    assert cluster_questions([]) == []
    assert cluster_questions(["?", "…", "", "the of and"]) == []


def test_the_order_of_the_questions_decides_nothing() -> None:
    questions = [*FERRIES, *LEAVE]
    groups = {frozenset(questions[place] for place in topic.members) for topic in cluster_questions(questions)}
    turned = list(reversed(questions))
    again = {frozenset(turned[place] for place in topic.members) for topic in cluster_questions(turned)}
    assert groups == again == {frozenset(FERRIES), frozenset(LEAVE)}


def test_ten_thousand_questions_fall_into_their_subjects() -> None:
    subjects = [f"subject{letter}{other}" for letter in "abcdefghij" for other in "klmnopqrst"]
    questions = [f"What about {subjects[number % 100]} in case {number % 7}?" for number in range(10_000)]
    topics = cluster_questions(questions)
    assert sum(len(topic.members) for topic in topics) == 10_000
    assert len(topics) == 100
    for topic in topics:
        assert len({subjects[place % 100] for place in topic.members}) == 1

"""Questions in clusters by the words that they share, without a model and without a word leaving the machine. Pure.

A question is a vector of its content words, each weighed by how rare it is among the questions (TF-IDF). Questions are
gathered around leaders, the most frequent first, and then go to the nearest centre (spherical k-means with the leaders
as its start). Equal questions count as often as they were asked.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from roma_core.languages import UNSPACED
from roma_core.markup.questions import content_words, split_words, stem_word
from roma_core.types import Noun

LEAST_LIKENESS = 0.25
"""Cosine from which a question joins a topic."""
ROUNDS = 2
NAME_WORDS = 3
MOST_WORDS = 24
"""Rarest words of a question that are compared: a pasted page is no question with a thousand words."""

Vector = Mapping[str, float]


class Topic(Noun):
    """Questions that share words: a name of their commonest words, and each question's place in the given order."""

    name: str
    example: str
    """The question nearest to the centre."""
    members: tuple[int, ...]


def cluster_questions(questions: Sequence[str]) -> list[Topic]:
    """Return the topics of at least two different or repeated questions, the largest first.

    A question that shares its words with no other is in no topic.

    >>> topics = cluster_questions(["Ferry fee?", "What is the ferry fee?", "Who built the quay?"])
    >>> [(topic.name, topic.members) for topic in topics]
    [('fee, ferry', (0, 1))]
    """
    words = [_find_words(question) for question in questions]
    groups: dict[frozenset[str], list[int]] = {}
    for place, found in enumerate(words):
        if found:
            groups.setdefault(frozenset(found), []).append(place)
    vectors = _weigh(groups)
    order = sorted(groups, key=lambda key: (-len(groups[key]), groups[key][0]))
    centres = _choose_leaders(order, vectors)
    assigned: dict[frozenset[str], int] = {}
    for _ in range(ROUNDS):
        assigned = _assign(order, vectors, centres)
        centres = _find_centres(assigned, vectors, groups, len(centres))
    return _describe(assigned, vectors, centres, groups, questions)


def _find_words(question: str) -> set[str]:
    """Return the content words of a question; of scripts without blanks, each pair of neighbours."""
    words = content_words(UNSPACED.sub(" ", question))
    for run in UNSPACED.findall(question):
        words |= {run[at : at + 2] for at in range(max(1, len(run) - 1))}
    return words


def _weigh(groups: Mapping[frozenset[str], Sequence[int]]) -> dict[frozenset[str], Vector]:
    """Return each group of equal questions as a unit vector."""
    spread = Counter(word for words in groups for word in words)
    vectors: dict[frozenset[str], Vector] = {}
    for words in groups:
        rarest = sorted(words, key=lambda word: (spread[word], word))[:MOST_WORDS]
        vectors[words] = _scale({word: 1 + math.log(len(groups) / spread[word]) for word in rarest})
    return vectors


def _scale(vector: Mapping[str, float]) -> dict[str, float]:
    length = math.sqrt(sum(weight * weight for weight in vector.values()))
    return {word: weight / length for word, weight in vector.items()} if length else {}


def _choose_leaders(order: Iterable[frozenset[str]], vectors: Mapping[frozenset[str], Vector]) -> list[Vector]:
    leaders: list[Vector] = []
    held: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for key in order:
        if _find_nearest(vectors[key], held) is not None:
            continue
        for word, weight in vectors[key].items():
            held[word].append((len(leaders), weight))
        leaders.append(vectors[key])
    return leaders


def _find_nearest(vector: Vector, held: Mapping[str, Sequence[tuple[int, float]]]) -> int | None:
    """Return the number of the nearest centre, the first of several; None when none is near."""
    likeness: dict[int, float] = defaultdict(float)
    for word, weight in vector.items():
        for number, other in held.get(word, ()):
            likeness[number] += weight * other
    best = min(likeness, key=lambda number: (-likeness[number], number), default=None)
    return best if best is not None and likeness[best] >= LEAST_LIKENESS else None


def _assign(
    order: Iterable[frozenset[str]], vectors: Mapping[frozenset[str], Vector], centres: Sequence[Vector]
) -> dict[frozenset[str], int]:
    held: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for number, centre in enumerate(centres):
        for word, weight in centre.items():
            held[word].append((number, weight))
    assigned = {key: _find_nearest(vectors[key], held) for key in order}
    return {key: number for key, number in assigned.items() if number is not None}


def _find_centres(
    assigned: Mapping[frozenset[str], int],
    vectors: Mapping[frozenset[str], Vector],
    groups: Mapping[frozenset[str], Sequence[int]],
    count: int,
) -> list[Vector]:
    sums: list[dict[str, float]] = [defaultdict(float) for _ in range(count)]
    for key, number in assigned.items():
        for word, weight in vectors[key].items():
            sums[number][word] += weight * len(groups[key])
    return [_scale(total) for total in sums]


def _describe(
    assigned: Mapping[frozenset[str], int],
    vectors: Mapping[frozenset[str], Vector],
    centres: Sequence[Vector],
    groups: Mapping[frozenset[str], Sequence[int]],
    questions: Sequence[str],
) -> list[Topic]:
    members: dict[int, list[frozenset[str]]] = {}
    for key, number in assigned.items():
        members.setdefault(number, []).append(key)
    topics: list[Topic] = []
    for number, keys in members.items():
        places = sorted(place for key in keys for place in groups[key])
        if len(places) < 2:
            continue
        centre = centres[number]
        nearest = max(keys, key=lambda key: (_compare(vectors[key], centre), -groups[key][0]))
        shared = Counter(word for key in keys for word in vectors[key])
        common = [word for word in centre if len(keys) == 1 or shared[word] > 1]
        best = sorted(common, key=lambda word: (-centre[word], word))[:NAME_WORDS]
        example = questions[groups[nearest][0]]
        name = ", ".join(_spell(word, example) for word in best)
        topics.append(Topic(name=name or example, example=example, members=tuple(places)))
    return sorted(topics, key=lambda topic: (-len(topic.members), topic.name))


def _compare(vector: Vector, other: Vector) -> float:
    return sum(weight * other.get(word, 0.0) for word, weight in vector.items())


def _spell(stem: str, example: str) -> str:
    """Return a stem as the example writes it."""
    return next((word for word in split_words(example) if stem_word(word) == stem), stem)

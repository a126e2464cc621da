"""The verdict of a citation against human labels (WiCE), on claims altered on purpose, and what it costs.

``ROMA_ENTAILMENT=FOLDER python -m bench.citations`` measures an entailment model of yours beside the check, too.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import groupby, product
from pathlib import Path
from typing import Any

from bench.report import ROOT, write
from roma_core.citations import verify_claim
from roma_core.entailment import ENTAILED_FROM, EntailmentModel, make_entailment
from roma_core.markup.sentences import split_sentences
from roma_core.rerank import LocalReranker
from roma_core.types import PROVEN
from tests.attacks import ATTACKS, FORM, PARAPHRASE, Case, alter, make_cases, read_passages
from tests.claim_kinds import KindClaim, read_kinds

SHARED = Path(os.environ.get("ROMA_SHARED") or ROOT.parent / "shared") / "data"
LABELS = ("not_supported", "partially_supported", "supported")
CLASS_OF = {"verbatim": 2, "supported": 2, "partial": 1, "contradicted": 0, "unsupported": 0, "unchecked": 0}
CORPORA = ("squad2_dev", "pubmedqa", "clapnq")
SEED = 7
EACH = 200
EACH_LOGIT = 24

Row = dict[str, Any]


def main() -> None:
    if not (SHARED / "wice").is_dir():
        print("bench citations: the WiCE data is not here (ROMA_SHARED); nothing was measured", file=sys.stderr)
        return
    write("citations", "Citation verdicts against human labels", wice(), WICE_NOTE)
    write("citations_attacks", "Citation verdicts on altered claims", attacks(), ATTACKS_NOTE)
    write("citations_kinds", "Citation verdicts on kinds of change", kinds(), KINDS_NOTE)
    write("citations_cost", "Cost of checking an answer", answer_cost(), COST_NOTE)


WICE_NOTE = """WiCE (Kamoi et al., EMNLP 2023): sentences of Wikipedia with the pages that they cite, labelled by
people. The whole page is the passage, so the quote has to be found too. Macro F1 over supported, partially
supported and not supported; *false support* is the share of not supported claims that are called supported or
verbatim; AUROC tells supported from not supported claims by the score alone. The cross-encoder reads the quote that
the check found. Thresholds of both were chosen on dev; both halves were seen while the rules were made, so test is
no untouched set. The last column mixes the two scores: where it does not clearly beat the column before it, the
cross-encoder's time is not worth spending on each citation."""
ATTACKS_NOTE = """Sentences of SQuAD 2.0 dev, PubMedQA and CLAPNQ as claims about their own passage, altered by
the seeded functions of `tests/attacks.py`. *Accepts* is the share that is called verbatim or supported: bad for
an attack, good for a control. The fuzzy matcher is difflib's ratio over words with the most similar sentence;
the cross-encoder is the bundled one on claim and passage. Both accept from the score that 98 % of the claims
changed in form alone reach. The rules were made while these families were in view; the sentences were not
looked at but where a family missed its goal."""
KINDS_NOTE = """Small texts and claims written by hand, by kind of change: `tests/claim_kinds.txt`. *Accepted* is called
verbatim or supported. The kinds whose names end in *two* were written after the rules were made for the first ones,
over other texts; what the check got wrong in them was then mended where a rule of its kind could. From *chat minutes*
on, the texts are of kinds that the rules had not seen (minutes, leaflets, clauses, tickets, mails, logs), and the
claims are what language models write from them. From *label and value lines* on, texts and claims were written together
with the rules for them: they guard these rules and do not say how far they reach."""
COST_NOTE = """One process, sentences of SQuAD 2.0 dev cited to their own paragraphs, nothing cached before."""


def lines(name: str) -> Iterator[Row]:
    with gzip.open(SHARED / name, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


# --- WiCE ------------------------------------------------------------------------------------------------------------


def wice() -> list[Row]:
    found = {split: [judged(row) for row in lines(f"wice/claim_{split}.jsonl.gz")] for split in ("dev", "test")}
    logits = {split: asyncio.run(cross_encoder(rows)) for split, rows in found.items()}
    gold = {split: [LABELS.index(row["label"]) for row in rows] for split, rows in found.items()}
    model = make_entailment(os.environ.get("ROMA_ENTAILMENT", "none"))
    bars = best_bars(logits["dev"], gold["dev"])
    rows: list[Row] = []
    for split in ("dev", "test"):
        ours = [CLASS_OF[row["support"].verdict] for row in found[split]]
        scores = [row["support"].score for row in found[split]]
        theirs = [by_bars(x, bars) for x in logits[split]]
        mixed = [score + 0.02 * x for score, x in zip(scores, logits[split], strict=True)]
        rows += [
            measures(f"ROMA's check, {split}", gold[split], ours, scores)
            | {"AUROC with logit": auroc(mixed, gold[split])},
            measures(f"cross-encoder logit, {split}", gold[split], theirs, logits[split]),
            measures(f"always *partial*, {split}", gold[split], [1] * len(ours), None),
        ]
        if model is not None:
            confirmed = asyncio.run(confirm(model, found[split]))
            rows.append(measures(f"ROMA's check with {model.name}, {split}", gold[split], confirmed, None))
    return rows


async def confirm(model: EntailmentModel, rows: Sequence[Row]) -> list[int]:
    """Return the classes with ``model`` confirming what the check leaves open, as ``ROMA_ENTAILMENT`` does."""
    classes: list[int] = []
    for row in rows:
        support = row["support"]
        is_confirmed = False
        if support.is_open:
            [probability] = await model.entail([(row["quote"], row["claim"])])
            is_confirmed = probability >= ENTAILED_FROM
        classes.append(CLASS_OF["supported" if is_confirmed else support.verdict])
    return classes


def judged(row: Row) -> Row:
    passage = "\n\n".join(row["evidence"])
    found = verify_claim(row["claim"], passage, row["evidence"][0])
    return {"label": row["label"], "claim": row["claim"], "support": found, "quote": passage[found.start : found.end]}


async def cross_encoder(rows: Sequence[Row]) -> list[float]:
    reranker = LocalReranker()
    return [(await reranker.scores(row["claim"], [row["quote"]]))[0] for row in rows]


def by_bars(score: float, bars: tuple[float, float]) -> int:
    return sum(score >= bar for bar in bars)


def best_bars(scores: Sequence[float], gold: Sequence[int]) -> tuple[float, float]:
    """The two thresholds with the best macro F1."""
    cuts = sorted(scores)[:: max(1, len(scores) // 40)]
    pairs = [(low, high) for low, high in product(cuts, cuts) if low <= high]
    return max(pairs, key=lambda bars: sum(f1(gold, [by_bars(s, bars) for s in scores])))


def f1(gold: Sequence[int], given: Sequence[int]) -> list[float]:
    """F1 of each class: 2 TP / (2 TP + FP + FN)."""
    hits = Counter(g for g, p in zip(gold, given, strict=True) if g == p)
    sizes = Counter(gold) + Counter(given)
    return [2 * hits[c] / sizes[c] if sizes[c] else 0.0 for c in range(len(LABELS))]


def auroc(scores: Sequence[float], gold: Sequence[int]) -> float:
    """Chance that a supported claim scores above a not supported one; ties count half."""
    high = [s for s, g in zip(scores, gold, strict=True) if g == 2]
    low = [s for s, g in zip(scores, gold, strict=True) if g == 0]
    return sum((h > b) + 0.5 * (h == b) for h, b in product(high, low)) / (len(high) * len(low))


def measures(name: str, gold: Sequence[int], given: Sequence[int], scores: Sequence[float] | None) -> Row:
    parts = f1(gold, given)
    wrong = [p for g, p in zip(gold, given, strict=True) if g == 0]
    return {
        "method": name,
        "n": len(gold),
        "macro F1": sum(parts) / len(parts),
        "F1 supported": parts[2],
        "F1 partial": parts[1],
        "F1 not": parts[0],
        "false support": sum(p == 2 for p in wrong) / len(wrong),
        "AUROC": auroc(scores, gold) if scores is not None else None,
    }


# --- altered claims --------------------------------------------------------------------------------------------------


def attacks() -> list[Row]:
    """Measure every family of attacks and controls: ROMA's check, a fuzzy matcher and the cross-encoder beside it."""
    passages = [p for name in CORPORA for p in read_passages(SHARED, name)]
    cases = make_cases(passages, SEED)
    families = [("attack", name, change, limit) for name, (limit, change) in ATTACKS.items()]
    families += [("form", name, change, 0.99) for name, change in FORM.items()]
    families += [("paraphrase", name, change, 0.95) for name, change in PARAPHRASE.items()]
    altered = {name: alter(cases, change, EACH, SEED) for _, name, change, _ in families}
    fuzzy = {name: [best_ratio(case) for case in made] for name, made in altered.items()}
    logits = {name: asyncio.run(logits_of(made[:EACH_LOGIT])) for name, made in altered.items()}
    fuzzy_bar = low_quantile([score for name in FORM for score in fuzzy[name]])
    logit_bar = low_quantile([score for name in FORM for score in logits[name]])
    rows: list[Row] = []
    for group, name, _, limit in families:
        found = [verify_claim(case.claim, case.passage, case.title).verdict for case in altered[name]]
        counts = Counter(found)
        rows.append(
            {
                "kind": group,
                "claim": name,
                "n": len(found),
                "goal": f"<= {limit:g}" if group == "attack" else f">= {limit:g}",
                "ROMA accepts": (counts["verbatim"] + counts["supported"]) / len(found),
                "partial": counts["partial"] / len(found),
                "contradicted": counts["contradicted"] / len(found),
                "unsupported": counts["unsupported"] / len(found),
                "fuzzy matcher accepts": sum(score >= fuzzy_bar for score in fuzzy[name]) / len(found),
                "cross-encoder accepts": sum(score >= logit_bar for score in logits[name]) / len(logits[name]),
            }
        )
    return rows


def kinds() -> list[Row]:
    """Measure the kinds of change and of honest claims that were written by hand."""
    rows: list[Row] = []
    for name, claims in groupby(read_kinds(), key=lambda claim: claim.kind):
        held = list(claims)
        attacks_made = [claim for claim in held if claim.is_attack]
        controls = [claim for claim in held if not claim.is_attack]
        rows.append(
            {
                "kind": name,
                "attacks": len(attacks_made),
                "goal": f"<= {held[0].limit:g}",
                "attacks accepted": share_accepted(attacks_made),
                "honest": len(controls),
                "honest accepted": share_accepted(controls),
            }
        )
    return rows


def share_accepted(claims: Sequence[KindClaim]) -> float:
    accepted = [verify_claim(claim.claim, claim.passage).verdict in PROVEN for claim in claims]
    return sum(accepted) / len(accepted)


def best_ratio(case: Case) -> float:
    """Return the likeness (difflib, words) of a claim and the sentence of its passage that is most like it."""
    claim = case.claim.casefold().split()
    sentences = (unit.of(case.passage).casefold().split() for unit in split_sentences(case.passage))
    return max((SequenceMatcher(None, claim, sentence, autojunk=False).ratio() for sentence in sentences), default=0.0)


async def logits_of(cases: Sequence[Case]) -> list[float]:
    reranker = LocalReranker()
    return [(await reranker.scores(case.claim, [case.passage]))[0] for case in cases]


def low_quantile(scores: Sequence[float]) -> float:
    """Return the score that 98 % of the claims reach."""
    return sorted(scores)[len(scores) // 50]


def answer_cost() -> list[Row]:
    """Measure the processor time of checking an answer of five sentences, each cited to a passage of its own."""
    cases = make_cases(list(read_passages(SHARED, "squad2_dev")), SEED)[:500]
    times: list[float] = []
    for begin in range(0, len(cases), 5):
        start = time.process_time()
        for case in cases[begin : begin + 5]:
            verify_claim(case.claim, case.passage, case.title)
        times.append((time.process_time() - start) * 1000)
    times.sort()
    return [
        {
            "answers": len(times),
            "sentences each": 5,
            "median, ms CPU": times[len(times) // 2],
            "p95, ms CPU": times[int(len(times) * 0.95)],
            "goal, ms": 150,
        }
    ]


if __name__ == "__main__":
    main()

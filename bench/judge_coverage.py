"""Do the corrected scores of a judge hold the truth as often as they promise, also with clustered answers?"""

from __future__ import annotations

import numpy as np

from bench import report
from roma_core.evals.judge.calibration import LabelledGrade, corrected_rate, prediction_powered_mean
from roma_core.evals.judge.model import GRADES, PASS_GRADE

RUNS = 1500
RATES = (0.5, 0.8, 0.95)
"""True share of good answers."""
LABELS = {"50 x 1": (50, 1), "200 x 1": (200, 1), "40 x 5": (40, 5), "20 x 5": (20, 5)}
"""Clusters of answers that people graded, and answers in each."""
ANSWERS = {"200 x 1": (200, 1), "40 x 5": (40, 5), "10 x 20": (10, 20)}
ALIKE = 0.3
SENSITIVITY, SPECIFICITY = 0.9, 0.8
GOOD, BAD = GRADES[1], GRADES[0]
NOTE = (
    "Share of the runs in which the 95 % interval holds the truth: pass rate after Rogan and Gladen / mean grade by "
    "prediction-powered inference / the judge's own pass rate, uncorrected. A judge with sensitivity 0.9 and "
    "specificity 0.8; answers of a cluster are alike by 0.3 (beta-binomial)."
)
Design = tuple[int, int]


def draw_answers(rng: np.random.Generator, design: Design, rate: float) -> tuple[np.ndarray, list[str]]:
    """Return which answers are good, and the cluster of each."""
    clusters, size = design
    odds = (1 - ALIKE) / ALIKE
    shares = rng.beta(rate * odds, (1 - rate) * odds, clusters) if size > 1 else np.full(clusters, rate)
    names = [f"d{number}" for number in range(clusters) for _ in range(size)]
    return (rng.random((clusters, size)) < shares[:, None]).ravel(), names


def judge_answers(rng: np.random.Generator, good: np.ndarray) -> list[float]:
    """Return the grades of the judge."""
    passes = np.where(good, rng.random(len(good)) < SENSITIVITY, rng.random(len(good)) >= SPECIFICITY)
    grades: list[float] = np.where(passes, GOOD, BAD).tolist()
    return grades


def measure_coverage(labels: Design, answers: Design, rate: float, runs: int = RUNS) -> tuple[float, float, float]:
    """Return how often the truth is held: by the corrected pass rate, the corrected mean, and without correction."""
    rng = np.random.default_rng(1)
    mean = BAD + (GOOD - BAD) * rate
    held = np.zeros(3)
    for _ in range(runs):
        good, names = draw_answers(rng, labels, rate)
        known = [
            LabelledGrade(person=GOOD if is_good else BAD, judge=grade, cluster=name)
            for is_good, grade, name in zip(good, judge_answers(rng, good), names, strict=True)
        ]
        alone, clusters = draw_answers(rng, answers, rate)
        grades = judge_answers(rng, alone)
        by_rate = corrected_rate(grades, clusters, known)
        by_mean = prediction_powered_mean(known, grades, clusters, GRADES)
        share = float(np.mean([grade >= PASS_GRADE for grade in grades]))
        half = 1.96 * (share * (1 - share) / len(grades)) ** 0.5
        held += [by_rate.low <= rate <= by_rate.high, by_mean.low <= mean <= by_mean.high, abs(share - rate) <= half]
    rates = held / runs
    return float(rates[0]), float(rates[1]), float(rates[2])


def main() -> None:
    rows = []
    for labels, design in LABELS.items():
        for answers, other in ANSWERS.items():
            row = {"labelled": labels, "graded by the judge": answers}
            for rate in RATES:
                shares = measure_coverage(design, other, rate)
                row[f"truth {rate:g}"] = " / ".join(f"{share:.3f}" for share in shares)
            rows.append(row)
            print(row, flush=True)
    report.write("judge_coverage", f"Corrected scores of a judge: coverage over {RUNS} runs", rows, NOTE, ["numpy"])

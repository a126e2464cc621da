"""Text from pictures: rapidocr (extra ``ocr``) and, for the scripts that it cannot read, tesseract where installed.

rapidocr's bundled models read Latin, Chinese and Japanese and answer *nothing or noise, without an error,* for other
scripts. So the script is asked for first (tesseract's orientation and script detection), and when no engine can read
it that is said in a warning rather than passed over.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import json
import math
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from roma_core.parsers.pdf.page import PageContent, Style, Word
from roma_core.parsers.sandbox import deadline

if TYPE_CHECKING:
    from PIL.Image import Image

DPI = 150
"""Resolution at which pages are drawn for OCR."""
MIN_CONFIDENCE = 0.5
MIN_SKEW, MAX_SKEW = math.radians(0.3), math.radians(20)
"""Scans are hardly ever more aslant; a level page is left as it is."""
Quad = Sequence[tuple[float, float]]
"""Corners of a line: top left, top right, bottom right, bottom left."""
READABLE = 0.8
"""A page whose mean confidence is below this is tried the other way up."""
SURE = 0.9
"""From this mean confidence on rapidocr is believed whatever script the page seems to be in: it has 0.98 on clean Latin
pages, 0.78 to 0.84 on the noise that it makes of Greek and Cyrillic ones."""

RAPID_SCRIPTS = frozenset({"Latin", "Han", "Japanese", "HanS", "HanT", "Fraktur"})
LANGUAGES: dict[str, tuple[str, ...]] = {
    "Arabic": ("ara", "fas", "urd"),
    "Armenian": ("hye",),
    "Bengali": ("ben",),
    "Cyrillic": ("rus", "ukr", "bul", "srp"),
    "Devanagari": ("hin", "mar", "nep"),
    "Georgian": ("kat",),
    "Greek": ("ell",),
    "Gujarati": ("guj",),
    "Hangul": ("kor",),
    "Hebrew": ("heb",),
    "Korean": ("kor",),
    "Latin": ("eng", "deu", "fra", "spa", "ita", "por", "nld"),
    "Tamil": ("tam",),
    "Telugu": ("tel",),
    "Thai": ("tha",),
}
"""tesseract's language packs by script, those most in use first."""


@dataclass(frozen=True)
class OcrLine:
    """A line that was read. Box in pixels of the upright picture, confidence 0..1."""

    text: str
    x0: float
    top: float
    x1: float
    bottom: float
    confidence: float


@dataclass(frozen=True)
class OcrResult:
    """Lines of a picture; ``turns`` quarter turns clockwise made it upright."""

    lines: tuple[OcrLine, ...]
    turns: int = 0
    warning: str | None = None

    @property
    def confidence(self) -> float:
        return fmean(line.confidence for line in self.lines) if self.lines else 0.0

    def scale(self, factor: float) -> OcrResult:
        """Return the result with its boxes multiplied by ``factor``."""
        lines = [
            replace(n, x0=n.x0 * factor, top=n.top * factor, x1=n.x1 * factor, bottom=n.bottom * factor)
            for n in self.lines
        ]
        return replace(self, lines=tuple(lines))

    def to_json(self) -> str:
        """Return the result as JSON; ``from_json`` reads it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> OcrResult:
        fields = json.loads(text)
        return cls(tuple(OcrLine(**line) for line in fields["lines"]), fields["turns"], fields["warning"])


@dataclass(frozen=True)
class Sight:
    """Result of a first look: quarter turns clockwise that make the page upright, and its script."""

    turns: int = 0
    script: str | None = None


def available() -> bool:
    """Return whether any engine is installed."""
    return _has_rapidocr() or bool(tesseract_languages())


def read(image: Image) -> OcrResult:
    """Text lines of ``image`` (any size, any quarter turn). Never raises for what it cannot read: it warns.

    The detected script only orders the engines, because it is wrong for every tenth page or so; what an engine says of
    its own confidence decides.
    """
    picture = image.convert("RGB")
    sight = look(picture)
    picture = _turn(picture, sight.turns)
    foreign = sight.script not in {None, *RAPID_SCRIPTS}
    packs = _packs(sight.script or "Latin")
    results: list[OcrResult] = []
    if packs and (foreign or not _has_rapidocr()):
        results.append(OcrResult(tuple(_tesseract(picture, packs)), sight.turns))
    if _has_rapidocr() and not any(r.confidence >= READABLE for r in results):
        results.append(_upright(picture, sight.turns))
    best = max(results, key=lambda r: r.confidence, default=OcrResult(()))
    if best.confidence >= SURE or (best.confidence >= 0.6 and (packs or not foreign)):
        return best
    return OcrResult(best.lines if packs or not foreign else (), best.turns, _unread(sight.script if foreign else None))


def _unread(script: str | None) -> str:
    if script is None:
        return "could hardly be read by OCR, or holds no text"
    pack = LANGUAGES.get(script, (script.lower(),))[0]
    return f"seems to be in {script} script, which no OCR here reads: install tesseract with the language pack {pack!r}"


def look(picture: Image) -> Sight:
    """Orientation and script by tesseract; nothing known where it is not installed or not sure."""
    if "osd" not in tesseract_languages():
        return Sight()
    done = _run_tesseract(picture, ["--psm", "0", "-l", "osd"])
    facts = dict(re.findall(r"^([A-Z][\w ]+): +([\w.]+)$", done, re.MULTILINE))
    sure_of_script = float(facts.get("Script confidence", 0)) >= 1.0
    sure_of_turn = float(facts.get("Orientation confidence", 0)) >= 2.0
    turns = int(facts.get("Rotate", 0)) // 90 if sure_of_turn else 0
    return Sight(turns, facts.get("Script") if sure_of_script else None)


def _upright(picture: Image, turns: int) -> OcrResult:
    """Return the reading of the picture as it stands, turned when its lines run upwards or give little sense."""
    result = OcrResult(tuple(_rapidocr(picture)), turns)
    if _is_sideways(result.lines):
        picture, turns = _turn(picture, 1), (turns + 1) % 4
        result = OcrResult(tuple(_rapidocr(picture)), turns)
    if result.confidence >= READABLE or not result.lines:
        return result
    other = OcrResult(tuple(_rapidocr(_turn(picture, 2))), (turns + 2) % 4)
    return max(result, other, key=lambda r: r.confidence)


def _is_sideways(lines: Sequence[OcrLine]) -> bool:
    """Return whether most of the text stands in boxes that are taller than wide."""
    total = sum(len(line.text) for line in lines)
    tall = sum(len(line.text) for line in lines if line.bottom - line.top > 1.5 * (line.x1 - line.x0))
    return 2 * tall > total


def _turn(picture: Image, turns: int) -> Image:
    from PIL.Image import Transpose

    clockwise = {1: Transpose.ROTATE_270, 2: Transpose.ROTATE_180, 3: Transpose.ROTATE_90}
    return picture.transpose(clockwise[turns]) if turns else picture


@functools.cache
def _has_rapidocr() -> bool:
    return importlib.util.find_spec("rapidocr") is not None


@functools.cache
def _engine() -> Any:
    from rapidocr import RapidOCR

    # The direction classifier turns upright lines upside down now and then; whole pages are turned here instead.
    return RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )


def _rapidocr(picture: Image) -> Iterable[OcrLine]:
    import numpy as np

    found = _engine()(np.asarray(picture)[:, :, ::-1])
    if found.boxes is None or found.txts is None:
        return
    boxes = [[(float(x), float(y)) for x, y in box] for box in found.boxes]
    angle = skew(boxes)
    for box, text, score in zip(boxes, found.txts, found.scores, strict=True):
        if text.strip() and score >= MIN_CONFIDENCE:
            x0, top, x1, bottom = _straight(box, angle, picture.size)
            yield OcrLine(text.strip(), x0, top, x1, bottom, round(float(score), 3))


def skew(boxes: Sequence[Quad]) -> float:
    """Return the angle in radians at which the long lines of a page rise to the right; 0 when it is level."""
    angles: list[float] = []
    for (x0, y0), (x1, y1), _, (x3, y3) in boxes:
        width, height = math.hypot(x1 - x0, y1 - y0), math.hypot(x3 - x0, y3 - y0)
        if width >= 4 * height:
            angles.append(math.atan2(y1 - y0, x1 - x0))
    if len(angles) < 3:
        return 0.0
    angle = median(angles)
    return angle if MIN_SKEW < abs(angle) < MAX_SKEW else 0.0


def _straight(box: Quad, angle: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Return the upright rectangle of a line on the page turned back by ``angle`` about its middle.

    The recogniser has straightened each line already; only the places are turned, so that lines have baselines.
    """
    if not angle:
        xs, ys = [x for x, _ in box], [y for _, y in box]
        return min(xs), min(ys), max(xs), max(ys)
    middle_x, middle_y = size[0] / 2, size[1] / 2
    cos, sin = math.cos(-angle), math.sin(-angle)
    turned = [
        (
            middle_x + (x - middle_x) * cos - (y - middle_y) * sin,
            middle_y + (x - middle_x) * sin + (y - middle_y) * cos,
        )
        for x, y in box
    ]
    xs, ys = sorted(x for x, _ in turned), sorted(y for _, y in turned)
    return (xs[0] + xs[1]) / 2, (ys[0] + ys[1]) / 2, (xs[2] + xs[3]) / 2, (ys[2] + ys[3]) / 2


@functools.cache
def tesseract_languages() -> frozenset[str]:
    """Installed language packs of tesseract; empty without tesseract."""
    program = shutil.which("tesseract")
    if program is None:
        return frozenset()
    done = subprocess.run([program, "--list-langs"], capture_output=True, text=True, timeout=20, check=False)  # noqa: S603
    return frozenset(done.stdout.split("\n")[1:]) - {""}


def _packs(script: str) -> tuple[str, ...]:
    wanted = (f"script/{script}", *LANGUAGES.get(script, ()))
    return tuple(pack for pack in wanted if pack in tesseract_languages())[:3]


def _run_tesseract(picture: Image, options: Sequence[str]) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "BMP")
    program = shutil.which("tesseract") or "tesseract"
    limit = max(1.0, min(deadline.remaining_s(), 120.0))
    done = subprocess.run(  # noqa: S603 - a program found on PATH, no shell, input by pipe
        [program, "stdin", "stdout", "--dpi", str(DPI), *options],
        input=buffer.getvalue(),
        capture_output=True,
        timeout=limit,
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")


def _tesseract(picture: Image, packs: Sequence[str]) -> list[OcrLine]:
    """Lines out of tesseract's table: level, page, block, par, line, word, left, top, width, height, conf, text."""
    groups: dict[tuple[str, ...], list[list[str]]] = {}
    for row in _run_tesseract(picture, ["-l", "+".join(packs), "--psm", "3", "tsv"]).split("\n")[1:]:
        cells = row.split("\t")
        if len(cells) == 12 and cells[0] == "5" and cells[11].strip():
            groups.setdefault(tuple(cells[1:5]), []).append(cells)
    return [_tesseract_line(words) for words in groups.values()]


def _tesseract_line(words: list[list[str]]) -> OcrLine:
    boxes = [[float(value) for value in word[6:10]] for word in words]
    return OcrLine(
        " ".join(word[11].strip() for word in words),
        min(b[0] for b in boxes),
        min(b[1] for b in boxes),
        max(b[0] + b[2] for b in boxes),
        max(b[1] + b[3] for b in boxes),
        round(fmean(max(0.0, float(word[10])) for word in words) / 100, 3),
    )


def place(result: OcrResult, page: PageContent, scale: float) -> None:
    """Put the lines on ``page`` (in place) as words. ``scale`` is pixels a point."""
    page.turns = result.turns
    page.strays = []
    heights = [(line.bottom - line.top) / scale for line in result.lines]
    usual = median(heights) if heights else 0.0
    words = [w for line in result.lines for w in _line_words(line, scale, usual)]
    page.words = [replace(word, order=order) for order, word in enumerate(words)]


def _line_words(line: OcrLine, scale: float, usual: float) -> Iterable[Word]:
    """Return the words of a line, each as wide as its share of the characters.

    Type sizes near the usual one are made equal, because the height of a read line depends on which letters it has.
    """
    height = (line.bottom - line.top) / scale
    height = usual if abs(height - usual) <= 0.3 * usual else height
    style = Style(round(0.75 * height, 1))
    step = (line.x1 - line.x0) / max(1, len(line.text)) / scale
    for match in re.finditer(r"\S+", line.text):
        x0 = line.x0 / scale + match.start() * step
        x1 = line.x0 / scale + match.end() * step
        yield Word(match[0], x0, line.top / scale, x1, line.bottom / scale, style, line.confidence)

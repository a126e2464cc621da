"""Fonts for PDF: which of those that are installed have the characters of a text, and cut-down copies of them.

Noto Sans for some twenty scripts comes with the package ``manimgx-fonts``. For Chinese, Japanese and Korean a font of
the machine is used, or that of the package ``manimgx-fonts-cjk``.
"""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

from roma_core.errors import InputError

Weight = Literal["regular", "bold", "italic"]
BASE: Final = "NotoSans[wght].ttf"
ITALIC: Final = "NotoSans-Italic[wght].ttf"
WEIGHTS: Final = {"regular": 400, "bold": 700, "italic": 400}
PACKAGES: Final = ("manimgx_fonts", "manimgx_fonts_cjk")
FOLDERS: Final = ("/System/Library/Fonts", "/Library/Fonts", "C:/Windows/Fonts", "/usr/share/fonts")
"""Folders of fonts where no ``fc-list`` knows them."""
MOST_ASKED: Final = 20
"""Fonts of the machine are asked for at most so many characters."""


@dataclass(frozen=True)
class FontFile:
    """A font in a file; a collection has several."""

    path: Path
    number: int = 0


def find_base(name: str = BASE) -> FontFile:
    """Return the font that texts are set in. Raises ``InputError`` where its package is not installed."""
    for path in _package_fonts():
        if path.name == name:
            return FontFile(path)
    raise InputError("PDF needs the fonts of the extra `ui`: pip install 'roma-core[ui]'.")


def find_fallbacks(text: str) -> tuple[list[FontFile], frozenset[str]]:
    """Return fonts for the characters that the base font has not, and the characters that no font has."""
    missing = {sign for sign in text if _is_drawn(sign)} - read_characters(find_base())
    chosen: list[FontFile] = []
    for font in map(FontFile, _package_fonts()):
        if not missing:
            break
        if font.path.name in {BASE, ITALIC} or font.path.suffix == ".ttc":
            continue
        if has := missing & read_characters(font):
            chosen.append(font)
            missing -= has
    for _ in range(MOST_ASKED):
        font_of_machine = next(_find_elsewhere(min(missing)), None) if missing else None
        if font_of_machine is None:
            break
        chosen.append(font_of_machine)
        missing -= read_characters(font_of_machine)
    return chosen, frozenset(missing)


def require_letters(missing: Iterable[str]) -> None:
    """Raise ``InputError`` when letters have no font; other signs can be written as their number."""
    letters = sorted(sign for sign in missing if unicodedata.category(sign)[0] == "L")
    if letters:
        name = unicodedata.name(letters[0], f"U+{ord(letters[0]):04X}")
        raise InputError(
            f"No font here has “{letters[0]}” ({name}) and {len(letters) - 1} more letters, so no PDF can be written. "
            "Install one (Debian: fonts-noto-cjk for Chinese, Japanese and Korean; or pip install manimgx-fonts-cjk), "
            "or export DOCX or Markdown."
        )


def cut_font(font: FontFile, text: str, weight: Weight = "regular", *, is_plain: bool = False) -> bytes:
    """Return a font with the glyphs of ``text`` alone, in one weight.

    ``is_plain`` leaves out all that joins letters: most of the time goes there, and Latin, Greek and
    Cyrillic need none.
    """
    from fontTools import subset
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    options = subset.Options()
    if is_plain:
        options.layout_features = ["ccmp", "mark", "mkmk"]
    options.notdef_outline = True
    options.glyph_names = False
    options.drop_tables += ["FFTM"]
    with TTFont(font.path, fontNumber=font.number, lazy=True) as loaded:
        cutter = subset.Subsetter(options)
        cutter.populate(text=text + " ")
        cutter.subset(loaded)
        if "fvar" in loaded:
            axes = {axis.axisTag: axis.defaultValue for axis in loaded["fvar"].axes}
            if "wght" in axes:
                axes["wght"] = WEIGHTS[weight]
            instancer.instantiateVariableFont(loaded, axes, inplace=True)
        if "CFF2" in loaded:
            _convert_outlines(loaded)
        file = io.BytesIO()
        loaded.save(file)
        return file.getvalue()


def _convert_outlines(font: Any) -> None:
    """Replace outlines of variable fonts (CFF2), which PDF does not know, by those of CFF."""
    from fontTools.cffLib.CFF2ToCFF import convertCFF2ToCFF

    convertCFF2ToCFF(font)


@functools.lru_cache(64)
def read_characters(font: FontFile) -> frozenset[str]:
    """Return the characters that a font has."""
    from fontTools.ttLib import TTFont

    with TTFont(font.path, fontNumber=font.number, lazy=True) as loaded:
        return frozenset(map(chr, loaded.getBestCmap() or {}))


def _is_drawn(sign: str) -> bool:
    return unicodedata.category(sign)[0] not in "ZC"


@functools.cache
def _package_fonts() -> tuple[Path, ...]:
    """Return the fonts of packages, the base font first."""
    paths: list[Path] = []
    for package in PACKAGES:
        spec = find_spec(package)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            paths += sorted(Path(folder).glob("*.tt[fc]"))
    return tuple(sorted(paths, key=lambda path: path.name != BASE))


def _find_elsewhere(sign: str) -> Iterator[FontFile]:
    """Yield fonts that have a character: of the machine, then collections of packages."""
    lister = shutil.which("fc-list")
    fonts = _ask_fontconfig(lister, sign) if lister else _list_folders()
    collections = [path for path in _package_fonts() if path.suffix == ".ttc"]
    fonts += [FontFile(path, number) for path in collections for number in range(4)]
    for font in fonts:
        if _can_be_embedded(font) and sign in read_characters(font):
            yield font


def _ask_fontconfig(lister: str, sign: str) -> list[FontFile]:
    listed = subprocess.run(  # noqa: S603  (fontconfig's own program, with a number)
        [lister, f":charset={ord(sign):x}", "--format", "%{file}\t%{index}\t%{style[0]}\n"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    rows = [line.split("\t") for line in listed.stdout.splitlines() if line.count("\t") == 2]
    rows.sort(key=lambda row: (row[2] not in {"Regular", "Book"}, "Sans" not in row[0], row[0]))
    return [FontFile(Path(file), int(index) & 0xFFFF) for file, index, _ in rows if index.isdigit()]


def _list_folders() -> list[FontFile]:
    folders = [folder for name in FOLDERS if (folder := Path(name)).is_dir()]
    paths: Sequence[Path] = [path for folder in folders for path in sorted(folder.rglob("*.[to]t[fc]"))]
    return [FontFile(path) for path in paths]


def _can_be_embedded(font: FontFile) -> bool:
    """Return whether a font can be read and is one of outlines, not of pictures."""
    from fontTools.ttLib import TTFont, TTLibError

    try:
        with TTFont(font.path, fontNumber=font.number, lazy=True) as loaded:
            return any(table in loaded for table in ("glyf", "CFF ", "CFF2"))
    except (OSError, TTLibError):
        return False

"""Files of the page: all are served, vendored ones are as npm gave them, and one module holds them for notebooks."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from roma_core.theme import COLOURS, VERDICT_LOOKS, write_css
from roma_core.types import VERDICT_WORDS
from roma_core.ui.chat.assets import NAMES, bundle, find_asset, read_page, read_styles

STATIC = Path(str(files("roma_core.ui.chat").joinpath("static")))


def test_every_module_that_a_module_imports_is_served_and_every_file_is_listed() -> None:
    for name in NAMES:
        asset = find_asset(name)
        assert asset is not None
        for imported in re.findall(r'from "\./([^"]+)"', asset.data.decode()):
            assert imported in NAMES, (name, imported)
    page = read_page().decode()
    for address in re.findall(r'(?:href|src)="/console/assets/([^"]+)"', page):
        assert find_asset(address) is not None, address
    on_disk = {
        path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".svg"}
    }
    assert on_disk == set(NAMES)


@pytest.mark.parametrize(
    "name", ["", "../assets.py", "/etc/passwd", "vendor/../app.js", "index.html", "app.js/", "APP.js"]
)
def test_no_other_file_is_served(name: str) -> None:
    assert find_asset(name) is None


def test_what_is_vendored_has_the_checksum_and_the_licence_that_are_written_down() -> None:
    vendored = (STATIC / "vendor" / "VENDORED.md").read_text()
    for path in (STATIC / "vendor").glob("*.js"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() in vendored, path.name
    assert (STATIC / "vendor" / "LICENSE-htm.txt").exists() and (STATIC / "vendor" / "LICENSE-preact.txt").exists()


def test_html_enters_the_page_in_one_place() -> None:
    """All of it is the server's; every other way is forbidden by the policy, and is not even tried."""
    ways = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|dangerouslySetInnerHTML"
    )
    found = {path.name: ways.findall(path.read_text()) for path in STATIC.glob("*.js")}
    assert {name: hits for name, hits in found.items() if hits} == {"dom.js": ["dangerouslySetInnerHTML"]}


def test_the_page_has_no_script_or_style_of_its_own() -> None:
    page = read_page().decode()
    assert not re.search(r"<style|style=|<script(?![^>]*src=)|\son\w+=", page)


def test_nothing_of_the_page_names_another_host() -> None:
    for name in NAMES:
        asset = find_asset(name)
        assert asset is not None
        known = asset.data.decode().replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|//cdn", known), name


def test_a_notebook_gets_one_module_with_everything(tmp_path: Path) -> None:
    module = bundle()
    assert not re.search(r"^(import|export (?!default))", module, re.MULTILINE)
    assert "export default" in module and ".roma-badge" in read_styles()
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    place = tmp_path / "chat.mjs"
    place.write_text(module)
    script = f"const m = await import({str(place)!r}); process.exit(typeof m.default.render === 'function' ? 0 : 1)"
    assert subprocess.run([node, "--input-type=module", "-e", script], check=False).returncode == 0


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_can_be_read_on_its_ground_in_light_and_dark(scheme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1."""
    grounds = ["page", "surface", "raised", "warning-soft", "danger-soft"]
    pairs = [("text", ground) for ground in grounds] + [("muted", ground) for ground in grounds[:3]]
    pairs += [("accent", "page"), ("accent", "surface"), ("on-mark", "mark")]
    pairs += [("on-accent", look.colour) for look in VERDICT_LOOKS.values()]
    for text, ground in pairs:
        assert contrast(COLOURS[text][scheme], COLOURS[ground][scheme]) >= 4.5, (text, ground)


def test_each_verdict_has_a_look_and_unproven_ones_differ_in_colour_shape_and_sign() -> None:
    assert set(VERDICT_LOOKS) == set(VERDICT_WORDS)
    proven = VERDICT_LOOKS["supported"]
    for verdict in ("partial", "contradicted", "unsupported"):
        look = VERDICT_LOOKS[verdict]
        assert look.colour != proven.colour and look.radius != proven.radius and look.sign
        assert f'[data-verdict="{verdict}"]' in write_css(".roma")

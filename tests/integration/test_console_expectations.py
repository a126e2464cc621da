"""What people expect of a chat, in a real Chromium: compare, bring files, be offered questions, read code."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.console import CHROMIUM, WAIT_MS, Open, Service, ask, box_of, is_in_view, wait_for_answer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


def test_two_answers_to_one_question_stand_side_by_side(page: Any, console: Service) -> None:
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    before = len(console.asked)
    turn.get_by_label("Compare with another answer").click()
    turn.get_by_label("Written for").select_option("executive")
    turn.get_by_role("button", name="Compare", exact=True).click()
    sides = turn.locator(".roma-beside")
    sides.nth(1).get_by_text("End of the answer").wait_for()
    assert sides.nth(1).locator("h3").inner_text() == "Written for: Decision makers"
    assert len(console.asked) == before + 1, "the first answer is the recorded one"
    sides.nth(1).locator(".roma-badge").first.click()
    page.locator(".roma-reader mark").first.wait_for()


def test_a_file_is_brought_read_and_asked_about_alone(page: Any, console: Service, tmp_path: Path) -> None:
    good, bad = tmp_path / "pumps.md", tmp_path / "broken.pdf"
    good.write_text("# Pumps\n\nThe pump of Lund moves 40 litres a minute.\n")
    bad.write_bytes(b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog")
    page.locator("input[type=file]").set_input_files([str(good), str(bad)])
    rows = page.get_by_role("list", name="Added documents").get_by_role("listitem")
    rows.get_by_text("It can be asked about now.").wait_for()
    broken = rows.filter(has_text="broken.pdf")
    page.locator(".roma-upload[data-good=false]").wait_for()
    assert "can be asked" not in broken.inner_text() and len(broken.inner_text()) > len("broken.pdf") + 10
    rows.get_by_role("button", name="Ask only this document").click()
    page.get_by_role("button", name="Only pumps.md").wait_for()
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    assert turn.get_by_text("in chosen documents").count() == 1
    assert turn.locator(".roma-source-title", has_text="Manual").count() == 0, "other documents are not looked at"


def test_questions_are_offered_while_one_types(page: Any) -> None:
    ask(page, "When does the green valve open?")
    wait_for_answer(page)
    from playwright.sync_api import expect

    box = box_of(page)
    box.press_sequentially("gre val")
    page.get_by_role("option", name="When does the green valve open?").wait_for()
    box.press("ArrowDown")
    page.locator("[role=option][aria-selected=true]").wait_for()
    box.press("Enter")
    expect(box).to_have_value("When does the green valve open?", timeout=WAIT_MS)
    assert page.locator(".roma-turn").count() == 1, "it is filled in, not asked"
    box.fill("gre va")
    listed = page.locator("#roma-suggestions [role=option]")
    listed.first.wait_for()
    box.press("Escape")
    listed.first.wait_for(state="detached")
    assert box.input_value() == "gre va"


def test_a_question_is_changed_and_asked_again(page: Any) -> None:
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    turn.hover()
    turn.get_by_label("Change this question").click()
    assert box_of(page).input_value() == "When does the valve open?"
    ask(page, "When does the old valve open?")
    wait_for_answer(page, 1)


RICH = (
    "| Name | Value |\n|---|--:|\n| =1+1 | -5 |\n| a, b | 2 |\n\n$E = mc^2$ costs from $5 to $6.\n\n"
    "```python\ndef f(x):\n    return x\n```\n\n$$\\int_0^1 x\\,dx$$\n\n$\\href{javascript:window.pwned=1}{x}$ [1]"
)


def test_code_formulas_and_tables_are_set_for_reading(open_page: Open, console_corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(console_corpus, tmp_path / ".roma")
    with Service(tmp_path / ".roma", rule=lambda request: RICH).running() as service:
        page = open_page(service.address, accept_downloads=True)
        ask(page, "Show me all kinds")
        turn = wait_for_answer(page)
        turn.locator(".katex-display").wait_for()
        assert "from $5 to $6" in turn.inner_text()
        assert turn.locator(".katex-display").count() == 1
        assert turn.locator("a[href^='javascript']").count() == 0 and page.evaluate("window.pwned") is None
        assert turn.locator(".hl-keyword").first.inner_text() == "def"
        assert turn.locator("td.roma-right").first.evaluate("e => getComputedStyle(e).textAlign") == "end"
        with page.expect_download() as saved:
            turn.get_by_role("button", name="Save as CSV").click()
        text = Path(saved.value.path()).read_text(encoding="utf-8-sig")
        assert text.splitlines() == ["Name,Value", "'=1+1,-5", '"a, b",2'], "no cell is a formula for a spreadsheet"
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        turn.get_by_role("button", name="Copy", exact=True).click()
        turn.get_by_role("button", name="Copied").wait_for()
        assert page.evaluate("navigator.clipboard.readText()") == "def f(x):\n    return x\n"


def test_what_stands_below_an_answer_does_not_push_it_off_the_screen(
    open_page: Open, console_corpus: Path, tmp_path: Path
) -> None:
    shutil.copytree(console_corpus, tmp_path / ".roma")
    with Service(tmp_path / ".roma", rule=lambda request: "I don't know.").running() as service:
        page = open_page(service.address, viewport={"width": 900, "height": 480})
        ask(page, "Who painted the valve?")
        turn = wait_for_answer(page)
        turn.locator(".roma-nearest").wait_for()
        frame = page.locator(".roma-scroll")
        assert is_in_view(turn.locator(".roma-question"), frame)
        assert is_in_view(turn.locator(".roma-answer"), frame)
        page.reload()
        turn = wait_for_answer(page)
        assert is_in_view(turn.locator(".roma-answer"), page.locator(".roma-scroll"))


def press_until(page: Any, key: str, selector: str) -> None:
    """Press a key until what has the focus is of a kind."""
    for _ in range(80):
        page.keyboard.press(key)
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{key} does not come to {selector}")


def test_the_keyboard_alone_is_enough_to_ask_check_and_rate(page: Any) -> None:
    page.locator(".roma-example").first.wait_for()
    page.keyboard.type("When does the valve open?")  # the box has the focus
    page.keyboard.press("Enter")
    turn = wait_for_answer(page)
    press_until(page, "Shift+Tab", ".roma-answer .roma-badge")
    assert "opens at 3 bar" in page.get_by_role("tooltip").inner_text(), "the focus shows the card as the pointer does"
    page.keyboard.press("Enter")
    page.locator(".roma-reader mark").first.wait_for()
    assert page.evaluate("!!document.activeElement.closest('.roma-reader')"), "the focus goes to what was opened"
    page.keyboard.press("Escape")
    page.locator(".roma-reader").wait_for(state="detached")
    assert page.evaluate("document.activeElement.className") == "roma-badge"
    press_until(page, "Tab", "[aria-label='A good answer']")
    page.keyboard.press("Space")
    turn.get_by_text("Thank you.").wait_for()
    press_until(page, "Tab", "#roma-question")


NAMED = {"button", "link", "combobox", "textbox", "checkbox", "listbox", "region", "complementary", "navigation"}


def read_tree(page: Any) -> list[tuple[str, str, bool]]:
    """Return role, name, and whether it is read out when it changes, of each node that a screen reader is given."""
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    tree = []
    for node in nodes:
        if not node["ignored"]:
            is_live = any(one["name"] == "live" for one in node.get("properties", []))
            tree.append((node["role"]["value"], node.get("name", {}).get("value", ""), is_live))
    return tree


def test_a_screen_reader_is_given_names_verdicts_and_the_end(page: Any) -> None:
    ask(page, "When does the valve open?")
    badge = wait_for_answer(page).locator(".roma-answer .roma-badge").first
    badge.focus()
    badge.press("Enter")
    page.locator(".roma-reader mark").first.wait_for()
    tree = read_tree(page)
    assert [role for role, name, _ in tree if role in NAMED and not name] == []
    named = {(role, name) for role, name, _ in tree}
    assert ("link", "Source 1: partly supported") in named, "the badge says its verdict, not its sign"
    for place in (("navigation", "Conversations"), ("region", "Sources"), ("complementary", "Source")):
        assert place in named
    assert ("heading", "You asked: When does the valve open?") in named and ("combobox", "Your question") in named
    assert any(is_live for *_, is_live in tree)
    assert any(name.startswith("The answer is complete.") for _, name, _ in tree), "its end is read out"


def test_at_twice_the_size_everything_is_within_reach(open_page: Open, console: Service) -> None:
    size = {"width": 640, "height": 400}  # 1280 x 800 at 200 %
    page = open_page(console.address, viewport=size)
    page.locator(".roma-example").first.wait_for()

    def is_seen(element: Any) -> bool:
        box = element.bounding_box()
        return box["y"] >= 0 and box["y"] + box["height"] <= size["height"] and box["x"] + box["width"] <= size["width"]

    assert is_seen(box_of(page))
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    assert is_seen(box_of(page))
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    turn.locator(".roma-answer .roma-badge").first.click()
    page.locator(".roma-reader mark").first.wait_for()
    assert is_seen(page.get_by_label("Close the source"))
    assert is_in_view(page.locator(".roma-reader mark").first, page.locator(".roma-reader-body"))


def test_a_second_tab_follows_the_same_answer(open_page: Open, page: Any, console: Service) -> None:
    ask(page, "When does the second valve open?")
    page.locator(".roma-answer").get_by_text("The valve").wait_for()
    before = len(console.asked)
    other = open_page(console.address, page.url.removeprefix(console.address))
    for tab in (page, other):
        assert "End of the answer" in wait_for_answer(tab).inner_text()
        assert tab.locator(".roma-turn").count() == 1
    assert len(console.asked) == before, "it is not asked again"

"""The console in a real Chromium: words stream, badges show proof, answers survive, and hostile text stays text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from roma_core.types import Principal
from tests.console import (
    ATTACK,
    CHROMIUM,
    PHONE,
    Open,
    Service,
    ask,
    box_of,
    finished,
    is_in_view,
    make_settings,
    wait_for_answer,
)

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt-get install chromium)"),
]


def test_frontend_renders_streaming_tokens(page: Any, console: Service) -> None:
    question = f"When does the valve open, word by word? {ATTACK}"
    ask(page, question)
    seen: set[str] = set()
    answer = page.locator(".roma-answer").first
    while not page.locator(".roma-actions").count():
        if answer.count():
            seen.add(answer.inner_text())
        page.wait_for_timeout(30)
    assert len(seen) > 3, f"the answer did not show progressively: {seen}"
    assert page.locator(".roma-question").first.evaluate("e => e.lastChild.textContent") == question
    page.wait_for_timeout(200)  # time for an attack to act
    assert page.title() == "ROMA", "text from a model, a document or a person ran as code"
    elsewhere = [url for url in page.requested if not url.startswith((console.address, "data:", "blob:"))]
    assert elsewhere == [], "the console asked another host"


def test_loading_spinner_during_query(page: Any) -> None:
    ask(page, "What happens slowly?")
    turn = page.locator(".roma-turn[aria-busy=true]")
    turn.locator(".roma-pulse").first.wait_for()
    turn.get_by_text("Writing …").wait_for()
    assert turn.locator(".roma-stage").count() > 2, "the stages that are done stay with their times"
    page.get_by_text("The valve opens").first.wait_for()
    turn.get_by_role("button", name="Stop").click()
    page.get_by_text("This answer was stopped.").wait_for()
    assert "The valve opens" in page.locator(".roma-answer").inner_text(), "what was written stays"


def test_citation_badges_rendered(page: Any) -> None:
    ask(page, "What did the keeper of the lighthouse write down about elephants?")
    turn = wait_for_answer(page)
    badges = turn.locator(".roma-answer .roma-badge")
    looks = badges.evaluate_all(
        """all => all.map(e => {
            const look = getComputedStyle(e);
            return [e.dataset.verdict, look.backgroundColor, look.borderRadius];
        })"""
    )
    verdicts = [look[0] for look in looks]
    assert verdicts[-1] == "unsupported" and verdicts[0] != "unsupported"
    assert looks[0][1] != looks[-1][1] and looks[0][2] != looks[-1][2], "colour and shape differ by verdict"
    summary = turn.locator(".roma-summary")
    assert "of 2 statements proven" in summary.inner_text() and "1 not supported" in summary.inner_text()
    summary.click()
    assert page.evaluate("document.activeElement.dataset.verdict") == "unsupported"


def test_citation_click_opens_source(page: Any) -> None:
    ask(page, "When does the valve open?")
    turn = wait_for_answer(page)
    badge = turn.locator(".roma-answer .roma-badge").first
    badge.hover()
    card = page.get_by_role("tooltip")
    card.wait_for()
    assert "opens at 3 bar" in card.inner_text() and "Manual" in card.inner_text()
    badge.click()
    reader = page.get_by_role("complementary", name="Source")
    mark = reader.locator("mark").first
    mark.wait_for()
    assert "opens at 3 bar" in "".join(reader.locator("mark").all_inner_texts())
    assert is_in_view(mark, reader.locator(".roma-reader-body"))
    assert page.locator(".roma-turn").is_visible(), "the source stands beside the answer"
    page.keyboard.press("Escape")
    reader.wait_for(state="detached")
    assert page.evaluate("document.activeElement.className") == "roma-badge", "the focus is where it was"


def test_a_citation_of_a_pdf_marks_its_exact_words_on_the_page(page: Any) -> None:
    ask(page, "What did the keeper of the lighthouse write down?")
    badge = wait_for_answer(page).locator(".roma-answer .roma-badge").first
    badge.focus()
    badge.press("Enter")  # by keyboard
    words = page.locator(".roma-box")
    words.first.wait_for()
    assert words.first.get_attribute("data-exact") == "true"
    assert is_in_view(words.first, page.locator(".roma-reader-body"))
    sheet = page.locator(".roma-sheet", has=words).first
    assert sheet.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") > 500
    area, picture = words.first.bounding_box(), sheet.bounding_box()
    assert area["height"] < picture["height"] / 30, "a box holds a line of words, not a block"
    page.get_by_role("button", name="Text", exact=True).click()
    assert "weather" in "".join(page.locator(".roma-reader mark").all_inner_texts())


def test_the_reader_has_an_address_of_its_own(open_page: Open, page: Any, console: Service) -> None:
    ask(page, "When does the valve open?")
    address = wait_for_answer(page).locator(".roma-answer .roma-badge").first.get_attribute("href")
    assert address.startswith("/read/")
    view = open_page(console.address, address)
    view.locator("mark").first.wait_for()
    assert "opens at 3 bar" in "".join(view.locator("mark").all_inner_texts())


def test_follow_up_pill_populates_input(page: Any) -> None:
    ask(page, "When does the valve open?")
    wait_for_answer(page)
    page.get_by_role("button", name="How is the valve cleaned?").click()
    assert box_of(page).input_value() == "How is the valve cleaned?"
    assert page.locator(".roma-turn").count() == 1, "it is filled in, not asked"


def test_agent_failure_renders_alert(page: Any, console: Service) -> None:
    console.cut = True
    ask(page, "Is the valve < 3 bar & *new*?")
    alert = page.get_by_role("alert")
    alert.wait_for()
    assert "The valve opens" in page.locator(".roma-answer").inner_text(), "what was written stays"
    assert "ERR_" not in alert.locator("p").inner_text(), "codes are for those who open the details"
    alert.get_by_role("button", name="Try again").click()
    wait_for_answer(page)
    assert page.locator(".roma-turn").count() == 1, "the answer takes the place of the failure"
    assert console.asked[-2:] == ["Is the valve < 3 bar & *new*?"] * 2


def test_one_question_is_asked_once_however_often_enter_is_pressed(page: Any, console: Service) -> None:
    before = len(console.asked)
    box_of(page).fill("Is the valve pressed twice?")
    page.evaluate(
        """() => {
            const box = document.querySelector("#roma-question");
            const press = (extra) => box.dispatchEvent(
                new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true, ...extra}));
            press({isComposing: true});
            press({});
            press({});
        }"""
    )
    wait_for_answer(page)
    assert console.asked[before:] == ["Is the valve pressed twice?"]


def test_enter_that_ends_a_word_of_an_input_method_does_not_send(page: Any) -> None:
    box_of(page).fill("バルブ")
    box_of(page).evaluate(
        "e => e.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', bubbles: true, isComposing: true}))"
    )
    page.wait_for_timeout(200)
    assert page.locator(".roma-turn").count() == 0 and box_of(page).input_value() == "バルブ"


def test_a_conversation_has_an_address_and_survives_reload_back_and_drafts(page: Any, console: Service) -> None:
    ask(page, "When does the valve open?")
    page.wait_for_url("**/console/c/*")
    address = page.url
    page.get_by_text("The valve opens").first.wait_for()
    page.reload()  # in the middle of the answer
    turn = wait_for_answer(page)
    assert "End of the answer" in turn.inner_text() and page.locator(".roma-turn").count() == 1
    box_of(page).fill("Half a thought")
    page.get_by_role("button", name="New conversation").click()
    page.wait_for_url("**/console")
    assert page.locator(".roma-turn").count() == 0 and box_of(page).input_value() == ""
    page.go_back()
    page.wait_for_url(address)
    wait_for_answer(page)
    assert box_of(page).input_value() == "Half a thought"


def test_a_restarted_server_says_what_was_interrupted_and_goes_on(
    open_page: Open, console_corpus: Path, tmp_path: Path
) -> None:
    shutil.copytree(console_corpus, tmp_path / ".roma")
    service = Service(tmp_path / ".roma")
    with service.running():
        view = open_page(service.address)
        ask(view, "What happens slowly?")
        view.get_by_text("The valve opens").first.wait_for()
    view.get_by_text("Connection lost. Trying again").wait_for()
    with service.running():
        view.get_by_text("ROMA was restarted while it wrote this answer").wait_for()
        assert "The valve opens" in view.locator(".roma-answer").inner_text(), "the words so far are kept"
        view.get_by_role("button", name="Go on").click()
        view.locator(".roma-turn[aria-busy=true]").wait_for()
        view.get_by_role("button", name="Stop the answer").click()
        view.get_by_text("This answer was stopped.").wait_for()
        view.complaints[:] = [said for said in view.complaints if "ERR_" not in said]  # refused connections
        view.context.close()


def test_an_answer_is_rated_with_a_reason_and_its_conversation_renamed_and_deleted(page: Any, console: Service) -> None:
    ask(page, "Is this <b>valve</b> mine?")
    turn = wait_for_answer(page)
    turn.get_by_label("A bad answer").click()
    turn.get_by_role("button", name="Misses something").click()
    turn.get_by_label("Comment").fill("The year")
    turn.get_by_role("button", name="Send").click()
    turn.get_by_text("Thank you.").wait_for()
    (kept,) = [f for f in finished(console.roma.sessions.feedback(Principal.local())) if f.comment]
    assert (kept.rating, kept.comment) == ("down", "Misses something: The year")
    assert kept.session_id.startswith("local:")

    rows = page.get_by_role("navigation", name="Conversations")
    rows.get_by_role("button", name="Rename Is this <b>valve</b> mine?").click()
    rows.get_by_label("Title", exact=True).fill("About <i>valves</i>")
    rows.get_by_role("button", name="Rename", exact=True).click()
    rows.get_by_role("button", name="Delete About <i>valves</i>").click()
    rows.get_by_role("button", name="Delete", exact=True).click()
    page.wait_for_url("**/console")
    rows.get_by_text("About <i>valves</i>").wait_for(state="detached")


def test_on_a_phone_the_conversation_and_the_source_fit(open_page: Open, console: Service) -> None:
    view = open_page(console.address, **PHONE)
    view.get_by_text("2 documents").wait_for()
    ask(view, "When does the valve open?")
    wait_for_answer(view)
    assert view.evaluate("document.documentElement.scrollWidth") <= 390
    view.locator(".roma-answer .roma-badge").first.click()
    view.locator("mark").first.wait_for()
    assert view.locator(".roma-reader").bounding_box()["width"] == 390


def test_each_token_sees_its_own_conversations(open_page: Open, tmp_path: Path) -> None:
    from roma_core.api.tokens import TokenStore

    one, other = (TokenStore(tmp_path).create(name, ["query"])[0] for name in ("one", "other"))
    with Service(tmp_path).running() as service:

        def signed_in(token: str, path: str = "/console") -> Any:
            view = open_page(service.address, path, http_credentials={"username": "me", "password": token})
            box_of(view).wait_for()
            return view

        view = signed_in(one)
        view.get_by_text("There are no documents yet").wait_for()
        ask(view, "What only I asked")
        wait_for_answer(view)
        path = view.url.removeprefix(service.address)
        rows = view.get_by_role("navigation", name="Conversations")
        rows.get_by_text("What only I asked").wait_for()
        for token, seen in ((other, 0), (one, 1)):
            view = signed_in(token, path)
            if seen:
                wait_for_answer(view)
            else:
                view.get_by_text("There are no documents yet").wait_for()
            assert view.get_by_text("What only I asked").first.is_visible() == bool(seen)


async def add_source(workspace: Path, folder: Path, name: str) -> None:
    from roma_core import build_roma

    async with build_roma(make_settings(workspace)) as roma:
        await roma.sources.add(str(folder), name=name)


def test_the_page_of_sources_plans_and_syncs_what_changed(open_page: Open, tmp_path: Path) -> None:
    folder = tmp_path / "papers <i>x"
    folder.mkdir()
    (folder / "one.md").write_text("The valve opens at 3 bar.")
    finished(add_source(tmp_path / "ws", folder, "papers"))
    with Service(tmp_path / "ws").running() as service:
        page = open_page(service.address, "/console/sources")
        page.get_by_role("heading", name="papers").wait_for()
        assert page.get_by_text("never synced").count() == 1
        page.get_by_role("button", name="Plan").click()
        page.get_by_text("1 added").first.wait_for()
        page.get_by_role("cell", name="one.md").wait_for()
        page.get_by_role("button", name="Sync").click()
        page.get_by_text("Synced: 1 added").wait_for()
        (folder / "two.md").write_text("It closes at 2 bar.")
        page.reload()
        page.get_by_text("1 item").wait_for()
        page.get_by_role("button", name="Sync").click()
        page.get_by_text("Synced: 1 added, 1 unchanged").wait_for()

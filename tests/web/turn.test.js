import {beforeEach, expect, test, vi} from "vitest";
import {html, render} from "../../roma_core/ui/chat/static/vendor/preact-htm.js";
import {Turn} from "../../roma_core/ui/chat/static/turn.js";
import {makeCitation, makePlace, makeTurn, settled} from "./values.js";

let root;
beforeEach(() => {
  document.body.replaceChildren();
  root = document.createElement("div");
  document.body.append(root);
});

function show(turn, rest = {}) {
  const actions = {onAgain: vi.fn(), onEdit: vi.fn(), onRate: vi.fn(), onExport: vi.fn(), onCompare: vi.fn(), onOpen: vi.fn(),
    onFollowUp: vi.fn(), onPassage: vi.fn(), onStop: vi.fn(), ...rest};
  render(html`<${Turn} turn=${turn} isLast=${true} choices=${{}} ...${actions} />`, root);
  return actions;
}

test("who waits sees the stages with their times, and the titles of what is read", () => {
  const stages = [
    {type: "stage", stage: "retrieved", says: "Looking for passages …", at_ms: 10, titles: []},
    {type: "stage", stage: "writing", says: "Writing …", at_ms: 250, titles: ["Valve manual", "<b>Pumps</b>"]},
  ];
  show({id: "t", state: "running", question: "Which?", blocks: [], stages});
  expect(root.querySelector(".roma-stage").textContent).toContain("240 ms");
  expect([...root.querySelectorAll(".roma-found li")].map((item) => item.textContent)).toEqual(["Valve manual", "<b>Pumps</b>"]);
});

test("a source stands once, with its places in it", () => {
  const places = [makePlace(), makePlace({marker: 2, place: "page 9", citations: [1]})];
  const {onOpen} = show(makeTurn({citations: [makeCitation(), makeCitation({marker: 2})], sources: [{document: "d1", title: "Manual", places}]}));
  expect(root.querySelectorAll(".roma-source")).toHaveLength(1);
  const buttons = root.querySelectorAll(".roma-place");
  expect([...buttons].map((button) => button.textContent.replace(/\s+/g, " ").trim())).toEqual(["1 page 3", "2 page 9"]);
  buttons[1].click();
  expect(onOpen.mock.calls[0][1]).toBe(1);
});

test("a place says how many quotes stand there and what is not proven", () => {
  const places = [makePlace({verdict: "unsupported", words: "2 quotes, not supported for 1 of 2 statements"})];
  show(makeTurn({sources: [{document: "d1", title: "Manual", places}]}));
  expect(root.querySelector(".roma-place .roma-badge").dataset.verdict).toBe("unsupported");
  expect(root.querySelector(".roma-place").textContent).toContain("2 quotes, not supported for 1 of 2 statements");
});

test("sources that disagree stand side by side with the words that differ, and only whole words", () => {
  const citations = [makeCitation({quote: "In 2003 it opened at 3 bar."}), makeCitation({document: "d2", quote: "It opens at 5 bar."})];
  show(makeTurn({citations, conflicts: [{kind: "number", citations: [0, 1], words: [["3", "2003"], ["5", "2003"]]}]}));
  const sides = root.querySelectorAll(".roma-conflict .roma-side");
  expect(sides).toHaveLength(2);
  expect([...sides[0].querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["3"]);
  expect([...sides[1].querySelectorAll("mark")].map((mark) => mark.textContent)).toEqual(["5"]);
  expect(sides[0].textContent).toContain("In 2003 it opened at 3 bar.");
});

test("words with signs of a pattern are marked as they are", () => {
  const citations = [makeCitation({quote: "It costs (about) $5.00 + tax."}), makeCitation({document: "d2", quote: "$6.00"})];
  show(makeTurn({citations, conflicts: [{kind: "number", citations: [0, 1], words: [["$5.00"], ["$6.00"]]}]}));
  expect(root.querySelector(".roma-conflict mark").textContent).toBe("$5.00");
});

test("what was taken out is said", () => {
  show(makeTurn({removed: [{text: "It is green.", verdict: "unsupported", verdict_words: "not supported"}]}));
  const removed = root.querySelector(".roma-removed");
  expect(removed.textContent).toContain("1 statement was taken out, because no source proves it");
  expect(removed.querySelector("s").textContent).toBe("It is green.");
});

test("the summary leads to what is not proven", () => {
  const blocks = ['<p>Green <a class="roma-badge" data-verdict="unsupported" data-citation="0" tabindex="0">1</a></p>'];
  show(makeTurn({blocks, proof: "0 of 1 statement proven, 1 not supported", verdicts: {unsupported: 1}}));
  Element.prototype.scrollIntoView = vi.fn();
  root.querySelector(".roma-jump").click();
  expect(document.activeElement.dataset.verdict).toBe("unsupported");
});

test("hostile words of titles and questions are text", () => {
  const attack = '<img src=x onerror="window.pwned=1">';
  show(makeTurn({question: attack, sources: [{document: "d1", title: attack, places: [makePlace()]}]}));
  expect(root.querySelector("img")).toBeNull();
  expect(root.querySelector(".roma-source-title").textContent).toBe(attack);
});

test("related questions are offered below the last answer, without its follow-ups", async () => {
  const find = vi.fn(() => Promise.resolve(["How is it cleaned?", "Who made it?"]));
  const {onFollowUp} = show(makeTurn({follow_ups: ["How is it cleaned?"]}), {findRelated: find});
  await settled();
  await settled();
  const group = root.querySelector("[aria-label='Related questions']");
  expect([...group.querySelectorAll("button")].map((button) => button.textContent)).toEqual(["Who made it?"]);
  group.querySelector("button").click();
  expect(onFollowUp).toHaveBeenCalledWith("Who made it?");
});

test("a failure says what to do and keeps its code apart", () => {
  const failure = {message: "It took too long; ask again.", code: "ERR_LLM_TIMEOUT", can_retry: true, retry_after_s: null, request_id: "r", is_access: false};
  const {onAgain} = show({...makeTurn(), state: "failed", failure});
  const alert = root.querySelector("[role=alert]");
  expect(alert.querySelector("p").textContent).toBe("It took too long; ask again.");
  alert.querySelector("button").click();
  expect(onAgain).toHaveBeenCalled();
});

test("an answer is copied as Markdown", async () => {
  const write = vi.fn(() => Promise.resolve());
  Object.defineProperty(navigator, "clipboard", {value: {writeText: write}, configurable: true});
  show(makeTurn({markdown: "**At** 3 bar [1]"}));
  root.querySelector("[aria-label='Copy as Markdown']").click();
  await settled();
  await settled();
  expect(write).toHaveBeenCalledWith("**At** 3 bar [1]");
  expect(root.querySelector(".roma-actions").textContent).toContain("Copied.");
});

test("who waits for a model that thinks sees how far its thoughts are", () => {
  const stages = [{type: "stage", stage: "writing", says: "Thinking: 120 words …", at_ms: 10, titles: []}];
  show({id: "t", state: "running", question: "Which?", blocks: [], stages});
  expect(root.querySelector("[data-now=true]").textContent).toContain("Thinking: 120 words …");
});

test("the card of a badge shows the rows of a table one below another", async () => {
  const quote = "Dues in\nEUR:\n\n| Boat | Dues |\n| --- | ---: |\n| Ferry | 97 |";
  const blocks = ['<p>97 <a class="roma-badge" data-verdict="supported" data-citation="0" tabindex="0">1</a></p>'];
  show(makeTurn({blocks, citations: [makeCitation({quote})]}));
  root.querySelector(".roma-answer .roma-badge").dispatchEvent(new FocusEvent("focusin", {bubbles: true}));
  await settled();
  expect(root.querySelector(".roma-card blockquote").textContent).toBe("Dues in EUR:\n\n| Boat | Dues |\n| Ferry | 97 |");
});

test("the focus shows the card of a badge, and takes it away", async () => {
  const blocks = ['<p>Green <a class="roma-badge" data-verdict="supported" data-citation="0" tabindex="0">1</a></p>'];
  show(makeTurn({blocks}));
  const badge = root.querySelector(".roma-answer .roma-badge");
  badge.dispatchEvent(new FocusEvent("focusin", {bubbles: true}));
  await settled();
  expect(root.querySelector("[role=tooltip]").textContent).toContain("The valve opens at 3 bar.");
  badge.dispatchEvent(new FocusEvent("focusout", {bubbles: true}));
  await settled();
  expect(root.querySelector("[role=tooltip]")).toBeNull();
});

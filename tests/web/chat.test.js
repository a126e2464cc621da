import {beforeEach, expect, test, vi} from "vitest";
import {html, render} from "../../roma_core/ui/chat/static/vendor/preact-htm.js";
import {Chat} from "../../roma_core/ui/chat/static/chat.js";
import {makeTurn, settled} from "./values.js";

const STATE = {
  workspace: "handbooks", version: "1", personas: ["general", "technical"], user: {name: "local", may_sign_out: false},
  choices: {persona: ["general", "technical"]}, may_ingest: true, may_audit: false, health: "ok", unwell: [], documents: 2,
  collections: [{name: "main", documents: 2}], questions: ["What is a valve?"],
};
let root, client;

beforeEach(() => {
  document.body.replaceChildren();
  localStorage.clear();
  root = document.createElement("div");
  document.body.append(root);
  client = {
    state: vi.fn(() => Promise.resolve(STATE)),
    conversations: vi.fn(() => Promise.resolve([])),
    conversation: vi.fn(() => Promise.resolve({id: "c", turns: [], earlier: 0})),
    ask: vi.fn(() => Promise.resolve({id: "t1"})),
    follow: vi.fn(async (id, onUpdate) => onUpdate({type: "end", turn: makeTurn({id})})),
    suggestions: vi.fn(() => Promise.resolve(["What is a valve?", "What is a vault?"])),
    related: vi.fn(() => Promise.resolve([])),
    compare: vi.fn(),
    upload: vi.fn(),
  };
});

async function show(conversation = "") {
  const route = {conversation, go: vi.fn(), hrefOf: (id) => `/console/c/${id}`};
  render(html`<${Chat} client=${client} route=${route} />`, root);
  for (let round = 0; round < 5; round += 1) await settled();
  return route;
}

const box = () => root.querySelector("#roma-question");
async function type(text) {
  box().value = text;
  box().dispatchEvent(new Event("input", {bubbles: true}));
  await settled();
}
async function press(key, extra = {}) {
  box().dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...extra}));
  await settled();
}

test("Enter twice asks once, with one key", async () => {
  await show();
  await type("When does the valve open?");
  box().dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
  box().dispatchEvent(new KeyboardEvent("keydown", {key: "Enter", bubbles: true, cancelable: true}));
  await settled();
  expect(client.ask).toHaveBeenCalledTimes(1);
  expect(client.ask.mock.calls[0][1].text).toBe("When does the valve open?");
});

test("Enter that ends a word of an input method sends nothing", async () => {
  await show();
  await type("バルブ");
  await press("Enter", {isComposing: true});
  expect(client.ask).not.toHaveBeenCalled();
  expect(box().value).toBe("バルブ");
});

test("a question that was offered is taken by the arrow keys and Enter, and is not asked yet", async () => {
  await show();
  await type("what is");
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(root.querySelectorAll("[role=option]")).toHaveLength(2);
  await press("ArrowDown");
  await press("ArrowDown");
  expect(box().getAttribute("aria-activedescendant")).toBe("roma-suggestion-1");
  await press("Enter");
  expect(box().value).toBe("What is a vault?");
  expect(client.ask).not.toHaveBeenCalled();
});

test("a connection that is lost is said, and the same key is sent again", async () => {
  client.ask = vi.fn().mockRejectedValueOnce(new TypeError("network")).mockResolvedValue({id: "t1"});
  await show();
  await type("When does the valve open?");
  await press("Enter");
  await settled();
  expect(root.textContent).toContain("Connection lost. Trying again");
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(client.ask).toHaveBeenCalledTimes(2);
  expect(client.ask.mock.calls[0][2]).toBe(client.ask.mock.calls[1][2]);
  expect(root.textContent).not.toContain("Connection lost");
});

test("a question is changed with the collections and documents that it was confined to", async () => {
  const turn = makeTurn({filters: {document_id: ["d1"]}});
  client.conversation = vi.fn(() => Promise.resolve({id: "c", turns: [turn], earlier: 0}));
  await show("conversation-1");
  root.querySelector("[aria-label='Change this question']").click();
  await settled();
  expect(box().value).toBe(turn.question);
  expect(root.querySelector(".roma-filters").textContent).toContain("Only “Manual”");
});

test("who may not bring documents sees no button for it", async () => {
  client.state = vi.fn(() => Promise.resolve({...STATE, may_ingest: false}));
  await show();
  expect(root.textContent).not.toContain("Add documents");
});

test("a first look at the documents that failed is tried again by the button", async () => {
  const refusal = Object.assign(new Error("The database is locked."), {status: 500, failure: {message: "The database is locked.", code: "X", can_retry: true}});
  client.state = vi.fn().mockRejectedValueOnce(refusal).mockResolvedValue(STATE);
  await show();
  const alert = root.querySelector("[role=alert]");
  expect(alert.textContent).toContain("The database is locked.");
  alert.querySelector("button").click();
  for (let round = 0; round < 5; round += 1) await settled();
  expect(root.textContent).toContain("2 documents");
});

test("documents that could not be reached are looked for again by the button", async () => {
  const failure = {message: "The store is busy.", code: "X", can_retry: true};
  client.state = vi.fn().mockResolvedValueOnce({...STATE, documents: 0, failure}).mockResolvedValue(STATE);
  await show();
  expect(root.textContent).toContain("The documents cannot be reached. The store is busy.");
  root.querySelector(".roma-welcome button").click();
  for (let round = 0; round < 5; round += 1) await settled();
  expect(root.textContent).toContain("2 documents");
});

test("a screen reader is told each finished block once, and the end", async () => {
  const said = [];
  client.follow = vi.fn(async (id, onUpdate) => {
    const live = root.querySelector("[aria-live=polite]");
    for (const block of ["<p>At <b>3</b> bar &amp; more.</p>", "<p>It closes.</p>"]) {
      onUpdate({type: "words", blocks: [block], text: "", over: true});
      await settled();
      said.push(live.textContent.replace(/\s+/g, " ").trim());
    }
    onUpdate({type: "end", turn: makeTurn({id})});
    await settled();
    said.push(live.textContent);
  });
  await show();
  await type("When?");
  await press("Enter");
  for (let round = 0; round < 9; round += 1) await settled();
  expect(said).toEqual(["At 3 bar & more.", "It closes.", "The answer is complete. 1 of 1 statement proven"]);
});

test("words that come below the screen are led to, once the reader has scrolled up", async () => {
  let give;
  client.follow = vi.fn((id, onUpdate) => new Promise(() => (give = onUpdate)));
  await show();
  const frame = root.querySelector(".roma-scroll");
  Object.defineProperty(frame, "scrollHeight", {value: 2000, configurable: true});
  Object.defineProperty(frame, "clientHeight", {value: 500, configurable: true});
  await type("Tell me all.");
  await press("Enter");
  for (let round = 0; round < 5; round += 1) await settled();
  expect(root.querySelector(".roma-below")).toBeNull();
  frame.scrollTop = 0;
  frame.dispatchEvent(new Event("scroll"));
  give({type: "words", blocks: ["<p>One.</p>"], text: "", over: true});
  for (let round = 0; round < 5; round += 1) await settled();
  root.querySelector(".roma-below").click();
  await settled();
  expect(frame.scrollTop).toBe(2000);
  expect(root.querySelector(".roma-below")).toBeNull();
});

test("a question goes to the chosen collections alone", async () => {
  client.state = vi.fn(() => Promise.resolve({...STATE, collections: [{name: "law", documents: 1}, {name: "main", documents: 2}]}));
  await show();
  root.querySelector(".roma-filters .roma-chip").click();
  await settled();
  await type("When?");
  await press("Enter");
  expect(client.ask.mock.calls[0][1].collections).toEqual(["law"]);
});

test("after a lost connection the answer goes on where it was, and no word is shown twice", async () => {
  const places = [];
  client.follow = vi.fn(async (id, onUpdate, signal, place) => {
    places.push(place);
    if (places.length === 1) {
      onUpdate({type: "words", blocks: ["<p>One.</p>"], text: "Tw", over: true}, "7.1");
      throw new TypeError("network");
    }
    onUpdate({type: "words", blocks: ["<p>Two.</p>"], text: "Three", over: true}, "9.2");
    await new Promise(() => undefined);
  });
  await show();
  await type("When?");
  await press("Enter");
  for (let round = 0; round < 9; round += 1) await settled();
  expect(root.textContent).toContain("Connection lost. Trying again");
  expect(root.querySelector(".roma-answer").textContent).toContain("One.");
  await new Promise((resolve) => setTimeout(resolve, 700));
  expect(places).toEqual(["", "7.1"]);
  expect(root.querySelector(".roma-answer").textContent).toBe("One.Two.Three");
  expect(root.textContent).not.toContain("Connection lost");
});

test("a chosen model and reader go with the question", async () => {
  client.state = vi.fn(() => Promise.resolve({...STATE, choices: {...STATE.choices, llm_model: ["small", "large"]}}));
  await show();
  const [readers, models] = root.querySelectorAll(".roma-composer select");
  models.value = "large";
  models.dispatchEvent(new Event("change", {bubbles: true}));
  readers.value = "technical";
  readers.dispatchEvent(new Event("change", {bubbles: true}));
  await settled();
  await type("When?");
  await press("Enter");
  expect(client.ask.mock.calls[0][1]).toMatchObject({text: "When?", model: "large", persona: "technical"});
});

test("an answer is asked for again with what the question was confined to", async () => {
  const turn = makeTurn({filters: {document_id: ["d1"], collection: ["law"]}});
  client.conversation = vi.fn(() => Promise.resolve({id: "c", turns: [turn], earlier: 0}));
  await show("conversation-1");
  root.querySelector("[aria-label='Answer again']").click();
  await settled();
  expect(client.ask.mock.calls[0][1]).toMatchObject({text: turn.question, documents: ["d1"], collections: ["law"]});
});

test("a draft is kept for the next visit", async () => {
  await show();
  await type("Half a thought");
  render(null, root);
  await show();
  expect(box().value).toBe("Half a thought");
});

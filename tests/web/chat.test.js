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

import {beforeEach, expect, test, vi} from "vitest";
import {html, render} from "../../roma_core/ui/chat/static/vendor/preact-htm.js";
import {History} from "../../roma_core/ui/chat/static/history.js";
import {settled} from "./values.js";

const ITEMS = [{id: "c1", title: "Valves", updated_at: new Date().toISOString(), state: "complete"}];
let root, acts;

beforeEach(() => {
  document.body.replaceChildren();
  root = document.createElement("div");
  document.body.append(root);
  acts = {onOpen: vi.fn(), onNew: vi.fn(), onRename: vi.fn(), onDelete: vi.fn()};
  render(html`<${History} items=${ITEMS} current="" hrefOf=${(id) => `/console/c/${id}`} ...${acts} />`, root);
});

async function press(label) {
  root.querySelector(`[aria-label='${label}']`).click();
  await settled();
}

test.each(["Rename Valves", "Delete Valves"])("Escape closes what %s opened, and the focus comes back to it", async (label) => {
  await press(label);
  expect(document.activeElement.closest(".roma-row-form")).not.toBeNull();
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", {key: "Escape", bubbles: true}));
  await settled();
  await settled();
  expect(document.activeElement.getAttribute("aria-label")).toBe(label);
  expect(acts.onRename).not.toHaveBeenCalled();
  expect(acts.onDelete).not.toHaveBeenCalled();
});

test("the focus does not go with a conversation that is deleted", async () => {
  await press("Delete Valves");
  root.querySelector(".roma-danger").click();
  await settled();
  await settled();
  expect(acts.onDelete).toHaveBeenCalledWith("c1");
  expect(document.activeElement.textContent).toBe("New conversation");
});

test("conversations stand by date, and are found by words of their titles", async () => {
  const old = new Date(Date.now() - 40 * 86400000).toISOString();
  const many = ["One", "Two", "Three", "Four", "Five", "Pumps"].map((title, n) => ({id: title, title, updated_at: n ? old : ITEMS[0].updated_at, state: "complete"}));
  render(html`<${History} items=${many} current="" hrefOf=${(id) => `/console/c/${id}`} ...${acts} />`, root);
  expect([...root.querySelectorAll(".roma-day")].map((day) => day.textContent)).toEqual(["Today", "Earlier"]);
  const search = root.querySelector("[type=search]");
  search.value = "PUM";
  search.dispatchEvent(new Event("input", {bubbles: true}));
  await settled();
  expect([...root.querySelectorAll(".roma-row-title")].map((title) => title.textContent)).toEqual(["Pumps"]);
  search.value = "zz";
  search.dispatchEvent(new Event("input", {bubbles: true}));
  await settled();
  expect(root.textContent).toContain("No conversation has “zz” in its title.");
});

import {beforeEach, expect, test, vi} from "vitest";
import {html, render} from "../../roma_core/ui/chat/static/vendor/preact-htm.js";
import {Reader} from "../../roma_core/ui/chat/static/reader.js";
import {makeCitation, settled} from "./values.js";

const VIEW = {
  document: "d1", title: "Manual", place: "page 3, Care", pages: [], page: null, length: 60, quote: "The valve opens at 3 bar.", web: null,
  part: {start: 0, end: 60, html: "<p><mark>The valve opens at 3 bar.</mark> It closes.</p>"},
};
let root, client, acts;

beforeEach(() => {
  document.body.replaceChildren();
  root = document.createElement("div");
  document.body.append(root);
  acts = {onMove: vi.fn(), onClose: vi.fn(), onOnly: vi.fn()};
  client = {
    source: vi.fn(() => Promise.resolve(VIEW)),
    page: vi.fn(() => Promise.resolve({boxes: [], exact: false})),
    pageImage: vi.fn(() => Promise.resolve("data:,")),
    originalAddress: (id) => `/documents/${id}/original`,
    readerAddress: (id, start, end) => `/read/${id}?start=${start}&end=${end}`,
  };
});

async function show(spans = [makeCitation(), makeCitation({marker: 2, start: 30, end: 40})], index = 0) {
  render(html`<${Reader} client=${client} spans=${spans} index=${index} ...${acts} />`, root);
  for (let round = 0; round < 5; round += 1) await settled();
}

const press = (key) => root.querySelector("aside").dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));

test("it takes the focus, and says title, place and verdict", async () => {
  await show();
  expect(document.activeElement.textContent).toBe("Manual");
  expect(root.textContent).toContain("page 3, Care");
  expect(root.querySelector(".roma-claim").textContent).toContain("supported");
});

test("n and p go to the next and the previous citation, around the end", async () => {
  await show();
  press("n");
  press("p");
  expect(acts.onMove.mock.calls).toEqual([[1], [1]]);
});

test("plus and minus change the size of the pages", async () => {
  client.source = vi.fn(() => Promise.resolve({...VIEW, page: 1, pages: [{number: 1, label: "1", ratio: 0.7}]}));
  await show();
  const width = () => root.querySelector(".roma-sheet").style.width;
  expect(width()).toBe("100%");
  press("+");
  await settled();
  expect(width()).toBe("150%");
  press("-");
  await settled();
  expect(width()).toBe("100%");
});

test("the original and a tab of its own are led to", async () => {
  await show();
  expect(root.querySelector("a[download]").getAttribute("href")).toBe("/documents/d1/original");
  expect(root.querySelector("[aria-label='Open in a tab of its own']").getAttribute("href")).toBe("/read/d1?start=0&end=25");
});

test("a document that has changed since is told of, with the words that were quoted", async () => {
  client.source = vi.fn(() => Promise.resolve({...VIEW, quote: "Other words."}));
  await show();
  expect(root.querySelector("[role=alert]").textContent).toContain("The document has changed since");
  expect(root.querySelector("[role=alert] blockquote").textContent).toBe("The valve opens at 3 bar.");
});

test("a source that did not come is asked for again by the button", async () => {
  client.source = vi.fn().mockRejectedValueOnce(new TypeError("network")).mockResolvedValue(VIEW);
  await show();
  root.querySelector("[role=alert] button").click();
  for (let round = 0; round < 5; round += 1) await settled();
  expect(root.querySelector("[role=alert]")).toBeNull();
  expect(root.querySelector("mark").textContent).toBe("The valve opens at 3 bar.");
});

test("a source that one may not read offers no second try", async () => {
  const refusal = Object.assign(new Error("There is no such document."), {status: 404, failure: {can_retry: false}});
  client.source = vi.fn().mockRejectedValue(refusal);
  await show();
  expect(root.querySelector("[role=alert]").textContent).toContain("There is no such document.");
  expect(root.querySelector("[role=alert] button")).toBeNull();
});

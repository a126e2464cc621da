import {expect, test} from "vitest";
import {enrich, writeField} from "../../roma_core/ui/chat/static/enrich.js";

test.each([
  ["plain", "plain"],
  ["a, b", '"a, b"'],
  ['say "x"', '"say ""x"""'],
  ["=1+1", "'=1+1"],
  ["+cmd", "'+cmd"],
  ["@sum", "'@sum"],
  ["-cmd|calc", "'-cmd|calc"],
  ["-5", "-5"],
  ["-1,5", '"-1,5"'],
])("the cell %j is written as %j", (cell, field) => {
  expect(writeField(cell)).toBe(field);
});

test("code and tables get their tools once", () => {
  const markup = "<div><pre><code>x</code></pre><table><tr><th>a</th></tr><tr><td>1</td></tr></table></div>";
  const box = new DOMParser().parseFromString(markup, "text/html").querySelector("div");
  enrich(box);
  enrich(box);
  expect([...box.querySelectorAll("button")].map((button) => button.textContent)).toEqual(["Copy", "Save as CSV"]);
});

// What HTML of the server gets in the browser: code can be copied, tables saved as CSV, formulas are set.
import {copyText, saveFile} from "./dom.js";

const KATEX = "/console/assets/vendor/katex.min.js";
const STYLES = "/console/assets/vendor/katex.min.css";
const MOST_FORMULA = 4000; // characters; a longer one stays as it was typed
let katex = null;

function makeButton(words, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "roma-small-button";
  button.textContent = words;
  button.addEventListener("click", () => onClick(button));
  return button;
}

function wrap(element, ...buttons) {
  const box = document.createElement("div");
  box.className = "roma-tool-box";
  const bar = document.createElement("div");
  bar.className = "roma-tools";
  bar.append(...buttons);
  element.replaceWith(box);
  box.append(bar, element);
}

function say(button, words) {
  const before = button.textContent;
  button.textContent = words;
  setTimeout(() => (button.textContent = before), 1500);
}

function copyFrom(code) {
  return (button) => copyText(code.textContent).then(() => say(button, "Copied"), () => say(button, "Not allowed"));
}

/** A field of CSV. A text that a spreadsheet would take for a formula begins with an apostrophe. */
export function writeField(text) {
  const plain = text.replace(/\s+/g, " ").trim();
  const safe = /^[=+@\t]|^-(?![\d.,\s]*$)/.test(plain) ? `'${plain}` : plain;
  return /[",\n;]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function writeTable(table) {
  const words = (cell) => {
    const copy = cell.cloneNode(true);
    copy.querySelectorAll(".roma-badge").forEach((badge) => badge.remove());
    return writeField(copy.textContent);
  };
  return [...table.rows].map((row) => [...row.cells].map(words).join(",")).join("\r\n");
}

function saveTable(table) {
  return () => saveFile({name: "table.csv", blob: new Blob(["\ufeff", writeTable(table)], {type: "text/csv"})});
}

async function loadKatex() {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = STYLES;
  document.head.append(link);
  await import(KATEX);
  return globalThis.katex;
}

/** Set a formula; one that KaTeX does not know stays as it was typed. */
async function setFormula(element) {
  const source = element.textContent;
  if (element.dataset.set || source.length > MOST_FORMULA || element.closest(".roma-inline")) return;
  element.dataset.set = "true";
  katex ||= loadKatex();
  const display = element.classList.contains("roma-math-block");
  try {
    const made = document.createElement("span");
    (await katex).render(source, made, {displayMode: display, trust: false, maxExpand: 200, maxSize: 20, strict: "ignore"});
    element.replaceChildren(made);
    element.title = source;
  } catch {
    element.classList.add("roma-math-raw");
  }
}

/** Add the tools to an element that was just filled. */
export function enrich(element) {
  if (!element) return;
  for (const code of element.querySelectorAll("pre")) {
    if (!code.closest(".roma-tool-box")) wrap(code, makeButton("Copy", copyFrom(code)));
  }
  for (const table of element.querySelectorAll("table")) {
    if (!table.closest(".roma-tool-box, .roma-math") && table.rows.length > 1) wrap(table, makeButton("Save as CSV", saveTable(table)));
  }
  element.querySelectorAll(".roma-math").forEach(setFormula);
}

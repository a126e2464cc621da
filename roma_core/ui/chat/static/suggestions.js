// Questions that begin as the typed one: one's own and those of the corpus.
import {html, useEffect, useState} from "./vendor/preact-htm.js";

const WAIT_MS = 180;
const LEAST = 3;

/** Questions near to the one that was asked; a click puts one into the box. */
export function Related({question, others, find, onPick}) {
  const [found, setFound] = useState([]);
  useEffect(() => {
    let isOver = false;
    find(question).then((questions) => isOver || setFound(questions.filter((one) => !others.includes(one))), () => undefined);
    return () => {
      isOver = true;
    };
  }, [question]);
  if (!found.length) return null;
  return html`<div class="roma-follow-ups" role="group" aria-label="Related questions"><span class="roma-muted">Related</span>
    ${found.map((one) => html`<button type="button" class="roma-follow-up" dir="auto" onClick=${() => onPick(one)}>${one}</button>`)}</div>`;
}

/** Return what the question box needs to offer questions: the list, the keys, and what a screen reader is told. */
export function useSuggestions(client, text, onPick) {
  const [found, setFound] = useState([]);
  const [active, setActive] = useState(-1);
  const [dismissed, setDismissed] = useState("");
  useEffect(() => {
    setActive(-1);
    if (text.trim().length < LEAST || text.includes("\n") || !client.suggestions) {
      setFound([]);
      return undefined;
    }
    let isOver = false;
    const timer = setTimeout(() => {
      client.suggestions(text).then((questions) => isOver || setFound(questions), () => isOver || setFound([]));
    }, WAIT_MS);
    return () => {
      isOver = true;
      clearTimeout(timer);
    };
  }, [text]);
  const isOpen = found.length > 0 && dismissed !== text && !found.includes(text);
  const pick = (question) => {
    setFound([]);
    onPick(question);
  };
  /** Handle a key; true when it was one of the list. */
  const onKey = (event) => {
    if (!isOpen) return false;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      const step = event.key === "ArrowDown" ? 1 : -1;
      setActive((now) => Math.max(-1, Math.min(found.length - 1, now + step)));
    } else if (event.key === "Enter" && active >= 0 && !event.isComposing) pick(found[active]);
    else if (event.key === "Escape") setDismissed(text);
    else return false;
    event.preventDefault();
    event.stopPropagation();
    return true;
  };
  const box = {
    role: "combobox",
    "aria-autocomplete": "list",
    "aria-expanded": String(isOpen),
    "aria-controls": "roma-suggestions",
    "aria-activedescendant": isOpen && active >= 0 ? `roma-suggestion-${active}` : undefined,
  };
  const list = html`<ul id="roma-suggestions" class="roma-suggestions" role="listbox" aria-label="Questions like this" hidden=${!isOpen}>
    ${isOpen && found.map((question, index) => html`<li id=${`roma-suggestion-${index}`} role="option" dir="auto"
      aria-selected=${String(index === active)} onMouseDown=${(event) => { event.preventDefault(); pick(question); }}>${question}</li>`)}</ul>`;
  return {list, onKey, box};
}

// What all parts of the chat share: the one way from text to HTML, icons, and small helpers.
import {html, useEffect, useLayoutEffect, useMemo, useRef} from "./vendor/preact-htm.js";

// HTML enters the page here alone, and all of it was cleaned by the server. The page's policy forbids every other way.
const policy = globalThis.trustedTypes?.createPolicy
  ? globalThis.trustedTypes.createPolicy("roma", {createHTML: (text) => text})
  : {createHTML: (text) => text};

/** For whom an answer is written, by the name of the persona. */
export const PERSONAS = {general: "Everybody", technical: "Experts", executive: "Decision makers"};

/** Show HTML that the server has cleaned. `onFill` gets the element whenever it was filled. */
export function Safe({of, onFill, ...rest}) {
  const trusted = useMemo(() => ({__html: policy.createHTML(of)}), [of]);
  const box = useRef(null);
  useLayoutEffect(() => onFill?.(box.current), [of]);
  return html`<div ...${rest} ref=${box} dangerouslySetInnerHTML=${trusted} />`;
}

const PATHS = {
  menu: "M3 6h18M3 12h18M3 18h18",
  close: "M6 6l12 12M18 6L6 18",
  send: "M4 12l16-8-6 16-3-7z",
  stop: "M7 7h10v10H7z",
  copy: "M9 9h10v11H9zM6 15H5V4h10v2",
  again: "M4 12a8 8 0 1 1 2.500 5.800M4 19v-6h6",
  up: "M7 11v9H4v-9zM7 11l4-7c1.500 0 2.500 1 2 3l-.5 3H19l-1.500 8.500a1.800 1.800 0 0 1-1.700 1.500H7",
  down: "M7 13V4H4v9zM7 13l4 7c1.500 0 2.500-1 2-3l-.5-3H19l-1.500-8.500A1.800 1.800 0 0 0 15.800 4H7",
  next: "M9 5l7 7-7 7",
  previous: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  edit: "M4 20h4L19 9l-4-4L4 16z",
  bin: "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
  moon: "M20 14.500A8 8 0 1 1 9.500 4a6.500 6.500 0 0 0 10.500 10.500z",
  file: "M6 3h8l4 4v14H6zM14 3v4h4",
  beside: "M4 5h7v14H4zM13 5h7v14h-7z",
  save: "M12 4v11M7 11l5 5 5-5M5 20h14",
  open: "M14 4h6v6M20 4l-9 9M18 14v6H4V6h6",
};

/** A drawn sign; the button around it has the words. */
export function Icon({name}) {
  return html`<svg class="roma-icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;
}

/** A button with a drawn sign and words for those who do not see it. */
export function IconButton({icon, label, ...rest}) {
  return html`<button type="button" class="roma-icon-button" aria-label=${label} title=${label} ...${rest}>
    <${Icon} name=${icon} /></button>`;
}

/** A random id, also on pages without TLS, where `crypto.randomUUID` is missing. */
export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Small values that the browser keeps; it may refuse to. */
export const kept = {
  get(name) {
    try {
      return localStorage.getItem("roma:" + name);
    } catch {
      return null;
    }
  },
  set(name, value) {
    try {
      if (value) localStorage.setItem("roma:" + name, value);
      else localStorage.removeItem("roma:" + name);
    } catch {
      return;
    }
  },
};

/** "12:40", "yesterday", "3 March". */
export function sayDate(iso) {
  const date = new Date(iso);
  if (isNaN(date.getTime())) return "";
  const days = Math.floor((startOfDay(new Date()) - startOfDay(date)) / 86400000);
  if (days <= 0) return date.toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});
  if (days === 1) return "yesterday";
  return date.toLocaleDateString([], {day: "numeric", month: "long"});
}

export function startOfDay(date) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
}

export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** Keep the newest version of a function behind a name that never changes. */
export function useStable(action) {
  const latest = useRef(action);
  latest.current = action;
  return useMemo(() => (...values) => latest.current(...values), []);
}

/** Call `action` on Escape while something is open. */
export function useEscape(action) {
  const stable = useStable(action);
  useEffect(() => {
    const listen = (event) => {
      if (event.key === "Escape" && !event.isComposing) stable(event);
    };
    document.addEventListener("keydown", listen);
    return () => document.removeEventListener("keydown", listen);
  }, []);
}

/** Wait, unless the signal ends it. */
export function sleep(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

/** Save a file: `{name, blob}`. */
export function saveFile({name, blob}) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const box = document.createElement("textarea"); // pages without TLS have no clipboard
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}

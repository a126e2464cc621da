// The page: which of its views an address means, and light or dark.
import {html, render, useEffect, useState} from "./vendor/preact-htm.js";
import {Chat} from "./chat.js";
import {kept} from "./dom.js";
import {makeHttpClient} from "./http.js";
import {Reader} from "./reader.js";

const client = makeHttpClient();
const root = document.getElementById("roma");

function setTheme(name) {
  if (name) root.dataset.theme = name;
  else delete root.dataset.theme;
  document.documentElement.dataset.theme = name || "";
}

function switchTheme() {
  const isDark = root.dataset.theme === "dark" || (!root.dataset.theme && matchMedia("(prefers-color-scheme: dark)").matches);
  const name = isDark ? "light" : "dark";
  kept.set("theme", name);
  setTheme(name);
}

function conversationOf(path) {
  return path.match(/^\/console\/c\/([A-Za-z0-9-]+)$/)?.[1] || "";
}

const hrefOf = (id) => (id ? `/console/c/${id}` : "/console");

function Console() {
  const [conversation, setConversation] = useState(conversationOf(location.pathname));
  useEffect(() => {
    const onBack = () => setConversation(conversationOf(location.pathname));
    addEventListener("popstate", onBack);
    return () => removeEventListener("popstate", onBack);
  }, []);
  const go = (id) => {
    if (hrefOf(id) !== location.pathname) history.pushState(null, "", hrefOf(id));
    setConversation(id);
  };
  return html`<${Chat} client=${client} route=${{conversation, go, hrefOf}} theme=${switchTheme} />`;
}

function ReadingPage() {
  const query = new URLSearchParams(location.search);
  const number = (name) => (query.has(name) ? Number(query.get(name)) : null);
  const span = {document: location.pathname.split("/")[2], start: number("start"), end: number("end")};
  return html`<main class="roma-reading-page"><${Reader} client=${client} spans=${[span]} index=${0} /></main>`;
}

setTheme(kept.get("theme"));
render(location.pathname.startsWith("/read/") ? html`<${ReadingPage} />` : html`<${Console} />`, root);

// The sidebar: conversations by date, to search, open, rename and delete.
import {html, useLayoutEffect, useRef, useState} from "./vendor/preact-htm.js";
import {IconButton, sayDate, startOfDay} from "./dom.js";

function dayOf(iso) {
  const days = Math.floor((startOfDay(new Date()) - startOfDay(new Date(iso))) / 86400000);
  if (days <= 0) return "Today";
  if (days === 1) return "Yesterday";
  return days < 7 ? "Last seven days" : "Earlier";
}

function Row({item, current, hrefOf, onOpen, onRename, onDelete}) {
  const [mode, setMode] = useState("");
  const [title, setTitle] = useState(item.title);
  const done = () => setMode("");
  const row = useRef(null);
  const opened = useRef(""); // what was open, whose button gets the focus back
  useLayoutEffect(() => {
    const next = mode ? "[data-first]" : opened.current && `[data-mode=${opened.current}]`;
    if (next) row.current?.querySelector(next)?.focus();
    opened.current = mode;
  }, [mode]);
  if (mode === "rename") {
    const save = (event) => {
      event.preventDefault();
      done();
      if (title.trim() && title !== item.title) onRename(item.id, title.trim());
    };
    return html`<li ref=${row}><form class="roma-row-form" onSubmit=${save}>
      <input aria-label="Title" maxlength="200" value=${title} onInput=${(e) => setTitle(e.target.value)}
        onKeyDown=${(e) => e.key === "Escape" && done()} data-first />
      <button type="submit" class="roma-small-button">Rename</button>
      <button type="button" class="roma-small-button" onClick=${done}>Cancel</button>
    </form></li>`;
  }
  if (mode === "delete") {
    return html`<li ref=${row}><div class="roma-row-form" role="alertdialog" aria-label=${`Delete ${item.title}?`}
      onKeyDown=${(e) => e.key === "Escape" && done()}>
      <span>Delete with all its answers?</span>
      <button type="button" class="roma-small-button roma-danger" data-first
        onClick=${() => { opened.current = ""; done(); onDelete(item.id); }}>Delete</button>
      <button type="button" class="roma-small-button" onClick=${done}>Cancel</button>
    </div></li>`;
  }
  const open = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onOpen(item.id);
  };
  return html`<li class="roma-row" ref=${row}>
    <a class="roma-row-link" href=${hrefOf(item.id)} onClick=${open} dir="auto"
      aria-current=${item.id === current ? "page" : undefined}>
      <span class="roma-row-title">${item.title}</span>
      <span class="roma-row-date"><bdi>${item.state === "running" ? "being answered" : sayDate(item.updated_at)}</bdi></span>
    </a>
    <span class="roma-row-actions">
      <${IconButton} icon="edit" label=${`Rename ${item.title}`} data-mode="rename" onClick=${() => setMode("rename")} />
      <${IconButton} icon="bin" label=${`Delete ${item.title}`} data-mode="delete" onClick=${() => setMode("delete")} />
    </span>
  </li>`;
}

export function History({items, current, hrefOf, onOpen, onNew, onRename, onDelete}) {
  const [sought, setSought] = useState("");
  const first = useRef(null);
  const remove = (id) => {
    first.current?.focus(); // the row that had the focus goes
    onDelete(id);
  };
  const wanted = sought.trim().toLowerCase();
  const shown = items.filter((item) => item.title.toLowerCase().includes(wanted));
  const groups = [];
  for (const item of shown) {
    const day = dayOf(item.updated_at);
    if (!groups.length || groups.at(-1).day !== day) groups.push({day, items: []});
    groups.at(-1).items.push(item);
  }
  return html`<nav class="roma-history" aria-label="Conversations">
    <button type="button" class="roma-button roma-wide" ref=${first} onClick=${onNew}>New conversation</button>
    ${items.length > 5 && html`<input type="search" class="roma-search" placeholder="Search conversations"
      aria-label="Search conversations" value=${sought} onInput=${(e) => setSought(e.target.value)} />`}
    ${groups.map((group) => html`<section key=${group.day}>
      <h2 class="roma-day">${group.day}</h2>
      <ul class="roma-rows">${group.items.map((item) => html`<${Row} key=${item.id} item=${item} current=${current}
        hrefOf=${hrefOf} onOpen=${onOpen} onRename=${onRename} onDelete=${remove} />`)}</ul>
    </section>`)}
    ${wanted && !shown.length && html`<p class="roma-muted">No conversation has “${sought}” in its title.</p>`}
  </nav>`;
}

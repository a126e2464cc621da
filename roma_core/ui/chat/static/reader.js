// The source beside the answer: its text with the exact words marked, or its pages with boxes around them.
import {html, useEffect, useRef, useState} from "./vendor/preact-htm.js";
import {Icon, IconButton, Safe, useEscape} from "./dom.js";
import {enrich} from "./enrich.js";

const ZOOMS = [100, 150, 200, 300];

/** A page with boxes; its picture is fetched when it comes near the screen. */
function PageSheet({client, document: id, page, start, end, zoom, isCited, onShown}) {
  const [image, setImage] = useState("");
  const [marks, setMarks] = useState({boxes: [], exact: false});
  const [trouble, setTrouble] = useState("");
  const [isNear, setNear] = useState(isCited);
  const sheet = useRef(null);
  useEffect(() => {
    if (isNear || !globalThis.IntersectionObserver) return undefined;
    const observer = new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && setNear(true), {
      rootMargin: "400px",
    });
    observer.observe(sheet.current);
    return () => observer.disconnect();
  }, [isNear]);
  useEffect(() => {
    if (!isNear) return undefined;
    let isOver = false;
    const keep = (set) => (value) => isOver || set(value);
    client.pageImage(id, page.number).then(keep(setImage), keep((error) => setTrouble(error.message)));
    client.page(id, page.number, start, end).then(keep(setMarks), () => undefined);
    return () => {
      isOver = true;
    };
  }, [isNear, id, page.number, start, end]);
  const first = marks.boxes.length > 0;
  useEffect(() => {
    if (isCited && first && image) onShown(sheet.current.querySelector(".roma-box"));
  }, [isCited, first, image]);
  const percent = (value) => `${(value * 100).toFixed(3)}%`;
  return html`<figure class="roma-sheet" ref=${sheet} style=${{width: `${zoom}%`, aspectRatio: String(page.ratio)}}>
    ${image && !trouble && html`<img src=${image} alt=${`Page ${page.label}`} loading="lazy"
      onError=${() => setTrouble("The picture of this page cannot be drawn: its source has changed or cannot be read.")} />`}
    ${!trouble && marks.boxes.map(([left, top, right, bottom]) => html`<span class="roma-box"
      data-exact=${String(marks.exact)} style=${{
        left: percent(left), top: percent(top), width: percent(right - left), height: percent(bottom - top)}} />`)}
    <figcaption>${trouble || `Page ${page.label}`}${first && !marks.exact && !trouble ? ": the words stand in the marked part" : ""}</figcaption>
  </figure>`;
}

/** The pages around the cited one; more of them by a button. */
function PageStrip({client, view, start, end, zoom, onShown}) {
  const at = Math.max(0, view.pages.findIndex((page) => page.number === view.page));
  const [range, setRange] = useState([at, at + 1]);
  useEffect(() => setRange([Math.max(0, at - 1), at + 2]), [view.document, at]);
  const [from, to] = range;
  return html`<div class="roma-strip">
    ${from > 0 && html`<button type="button" class="roma-small-button" onClick=${() => setRange([Math.max(0, from - 3), to])}>
      Earlier pages</button>`}
    ${view.pages.slice(from, to).map((page) => html`<${PageSheet} key=${page.number} client=${client}
      document=${view.document} page=${page} start=${start} end=${end} zoom=${zoom}
      isCited=${page.number === view.page} onShown=${onShown} />`)}
    ${to < view.pages.length && html`<button type="button" class="roma-small-button" onClick=${() => setRange([from, to + 3])}>
      Later pages</button>`}
  </div>`;
}

/** The text around the cited words; more of it by a button. */
function TextPart({client, view, onShown}) {
  const [more, setMore] = useState([]);
  const body = useRef(null);
  useEffect(() => setMore([]), [view]);
  useEffect(() => {
    const mark = body.current?.querySelector("mark");
    if (mark) onShown(mark);
  }, [view]);
  const end = more.length ? more.at(-1).end : view.part.end;
  const load = () => client.sourceFrom(view.document, end).then((next) => setMore([...more, next.part]));
  return html`<div class="roma-reading" ref=${body} dir="auto">
    ${view.part.start > 0 && html`<p class="roma-muted">… the document begins earlier.</p>`}
    <${Safe} class="roma-text" of=${view.part.html} onFill=${enrich} />
    ${more.map((part) => html`<${Safe} key=${part.start} class="roma-text" of=${part.html} onFill=${enrich} />`)}
    ${end < view.length && html`<button type="button" class="roma-small-button" onClick=${load}>Read on</button>`}
  </div>`;
}

/**
 * The source pane. `spans` are the citations of the answer, `index` the one that is shown; `onMove` goes to another
 * and `onClose` closes the pane. Without `onClose` it is a page of its own.
 */
export function Reader({client, spans, index, onMove, onClose, onOnly}) {
  const span = spans[index];
  const [view, setView] = useState(null);
  const [trouble, setTrouble] = useState(null);
  const [choice, setChoice] = useState("page");
  const [zoom, setZoom] = useState(0);
  const [attempt, setAttempt] = useState(0);
  const heading = useRef(null);
  const scroller = useRef(null);
  useEffect(() => {
    let isOver = false;
    setTrouble(null);
    client.source(span.document, span.start, span.end).then(
      (found) => isOver || setView(found),
      (error) => isOver || setTrouble(error),
    );
    return () => {
      isOver = true;
    };
  }, [span.document, span.start, span.end, attempt]);
  useEffect(() => {
    if (onClose) heading.current?.focus({preventScroll: true});
  }, [span.document, span.start, span.end]);
  useEscape(() => onClose && onClose());
  const move = (by) => onMove && spans.length > 1 && onMove((index + by + spans.length) % spans.length);
  const onKey = (event) => {
    if (event.target.tagName === "INPUT" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "n" || event.key === "]") move(1);
    else if (event.key === "p" || event.key === "[") move(-1);
    else if (event.key === "+") setZoom((now) => Math.min(ZOOMS.length - 1, now + 1));
    else if (event.key === "-") setZoom((now) => Math.max(0, now - 1));
  };
  const reveal = (element) => {
    const box = scroller.current;
    if (!box || !element) return;
    const inside = element.getBoundingClientRect();
    const frame = box.getBoundingClientRect();
    box.scrollTop += inside.top - frame.top - Math.max(24, (frame.height - inside.height) / 3);
  };
  const isPage = choice === "page" && view?.pages.length > 0;
  return html`<aside class="roma-reader" aria-label="Source" onKeyDown=${onKey}>
    <header class="roma-reader-head">
      <div class="roma-reader-title">
        <h2 tabindex="-1" ref=${heading} dir="auto">${view?.title || span.title || "Source"}</h2>
        <p class="roma-muted">${view ? view.place : "Opening …"}</p>
      </div>
      ${onClose && html`<${IconButton} icon="close" label="Close the source" onClick=${onClose} />`}
    </header>
    ${span.verdict && html`<div class="roma-claim"><span class="roma-badge" data-verdict=${span.verdict}>${span.marker}</span>
      <b>${span.verdict_words}</b>${span.claim ? html`: <span dir="auto">${span.claim}</span>` : ""}
      ${span.decided_by?.length > 0 && html`<details class="roma-fine"><summary>Why</summary>${span.decided_by.join("; ")}</details>`}
      ${span.by_roma && html` <span class="roma-muted">(ROMA found this source; the answer did not name one)</span>`}</div>`}
    <div class="roma-reader-bar">
      ${onMove && spans.length > 1 && html`<span class="roma-group">
        <${IconButton} icon="previous" label="Previous citation (p)" onClick=${() => move(-1)} />
        <span>${index + 1} of ${spans.length}</span>
        <${IconButton} icon="next" label="Next citation (n)" onClick=${() => move(1)} /></span>`}
      ${view?.pages.length > 0 && html`<span class="roma-group" role="group" aria-label="Show as">
        <button type="button" class="roma-small-button" aria-pressed=${String(isPage)} onClick=${() => setChoice("page")}>Pages</button>
        <button type="button" class="roma-small-button" aria-pressed=${String(!isPage)} onClick=${() => setChoice("text")}>Text</button></span>`}
      ${isPage && html`<span class="roma-group">
        <${IconButton} icon="minus" label="Smaller" onClick=${() => setZoom(Math.max(0, zoom - 1))} />
        <${IconButton} icon="plus" label="Larger" onClick=${() => setZoom(Math.min(ZOOMS.length - 1, zoom + 1))} /></span>`}
      ${view && onOnly && html`<button type="button" class="roma-small-button" onClick=${() => onOnly(view)}>Ask only this document</button>`}
      ${view && html`<span class="roma-group roma-end">
        ${view.web && html`<a class="roma-small-button" href=${view.web} target="_blank" rel="noopener noreferrer">Website</a>`}
        ${client.originalAddress(span.document) && html`<a class="roma-small-button" href=${client.originalAddress(span.document)} download>Original</a>`}
        ${onClose && client.readerAddress(span.document) && html`<a class="roma-icon-button" target="_blank" aria-label="Open in a tab of its own"
          title="Open in a tab of its own" href=${client.readerAddress(span.document, span.start, span.end)}><${Icon} name="open" /></a>`}</span>`}
    </div>
    <div class="roma-reader-body" ref=${scroller} tabindex="0" role="region" aria-label="Text of the source">
      ${trouble && html`<div class="roma-alert" role="alert"><p>${trouble.message}</p>
        ${(trouble.failure?.can_retry ?? true) && html`<button type="button" class="roma-button" onClick=${() => setAttempt(attempt + 1)}>Try again</button>`}
        ${span.quote && html`<p>The answer quoted:</p><blockquote dir="auto">${span.quote}</blockquote>`}</div>`}
      ${view && span.quote && view.quote !== span.quote && html`<div class="roma-alert" role="alert">
        <p>The document has changed since; the answer quoted:</p><blockquote dir="auto">${span.quote}</blockquote></div>`}
      ${view && !trouble && (isPage
        ? html`<${PageStrip} client=${client} view=${view} start=${span.start} end=${span.end} zoom=${ZOOMS[zoom]} onShown=${reveal} />`
        : html`<${TextPart} client=${client} view=${view} onShown=${reveal} />`)}
    </div>
  </aside>`;
}

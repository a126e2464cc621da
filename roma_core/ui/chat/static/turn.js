// One question with its answer: the work while it is done, the words as they come, and the proof.
import {html, Component, useRef, useState} from "./vendor/preact-htm.js";
import {copyText, count, Icon, IconButton, Safe} from "./dom.js";
import {Compare} from "./compare.js";
import {enrich} from "./enrich.js";
import {ExportMenu} from "./exports.js";
import {Related} from "./suggestions.js";

/** @typedef {import("../wire").components["schemas"]} Schemas */

const UNPROVEN = ["contradicted", "unsupported", "partial", "unchecked"];
const SIGNS = {supported: "✓", unchecked: "–"}; // of the others the theme has them
const REASONS = ["Wrong", "Not what the source says", "Misses something", "Old source", "Hard to read"];

/** Words of an unfinished block: its signs would be noise for a moment. They are shown as text, never as HTML. */
function tidy(text) {
  return text
    .replace(/^#{1,6} +/gm, "")
    .replace(/^(\s*)[-*+] +/gm, "$1• ")
    .replace(/\*\*|__|`/g, "")
    .replace(/ ?\[\d+\]/g, "");
}

/** The question, what it was confined to, and a way to change its words. */
function Asked({turn, onEdit}) {
  const filters = Object.entries(turn.filters || {});
  const confined = filters.map(([name, values]) => (name === "collection" ? `in ${[].concat(values).join(", ")}` : "in chosen documents"));
  return html`<div class="roma-asked">
    <h2 class="roma-question"><span class="roma-hidden">You asked: </span><span dir="auto">${turn.question}</span></h2>
    ${turn.state !== "running" && html`<${IconButton} icon="edit" label="Change this question" onClick=${() => onEdit(turn)} />`}
    </div>${confined.length > 0 && html`<p class="roma-muted">${confined.join(", ")}</p>`}`;
}

function Stages({stages, isRunning}) {
  if (!stages?.length) return isRunning ? html`<p class="roma-stage"><span class="roma-pulse" />Sending the question …</p>` : null;
  const seconds = (ms) => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`);
  return html`<ol class="roma-stages">${stages.map((stage, index) => {
    const next = stages[index + 1];
    const isNow = isRunning && !next;
    return html`<li class="roma-stage" data-now=${String(isNow)}><span class=${isNow ? "roma-pulse" : "roma-dot"} />
      <span>${stage.says}</span>${next && html`<span class="roma-muted">${seconds(next.at_ms - stage.at_ms)}</span>`}
      ${stage.titles?.length > 0 && html`<ul class="roma-found" aria-label="Documents that are read">
        ${stage.titles.map((title) => html`<li dir="auto">${title}</li>`)}</ul>`}</li>`;
  })}</ol>`;
}

const RULE = /\n\|(?:\s*:?-+:?\s*\|)+(?=\n|$)/g;

/** The beginning and the end of a long quote; of its lines the rows of a table and paragraphs stand by themselves. */
function shorten(quote) {
  const words = quote.replace(RULE, "").replace(/(?<!\n)\n(?![|\n])/g, " ");
  return words.length > 400 ? `${words.slice(0, 200)} … ${words.slice(-200)}` : words;
}

/** The card that a badge shows while the pointer or the focus is on it. */
/** @param {{card: {citation: Schemas["CitationView"], left: number, top: number}}} props */
function HoverCard({card}) {
  if (!card) return null;
  const {citation, left, top} = card;
  return html`<div class="roma-card" role="tooltip" style=${{left: `${left}px`, top: `${top}px`}}>
    <p class="roma-card-title" dir="auto">${citation.title}</p>
    ${citation.place && html`<p class="roma-muted">${citation.place}</p>`}
    <blockquote dir="auto">${shorten(citation.quote)}</blockquote>
    <p><span class="roma-badge" data-verdict=${citation.verdict}>${citation.marker}</span> ${citation.verdict_words}</p>
  </div>`;
}

/** "4 of 5 statements proven, 1 not supported": a click leads to the next one that is not. */
/** @param {{turn: Schemas["AnsweredTurn"], onJump: () => void}} props */
function Summary({turn, onJump}) {
  if (!turn.proof) return null;
  const worst = UNPROVEN.find((verdict) => turn.verdicts[verdict]) || "supported";
  const isProven = worst === "supported";
  const words = html`<span class="roma-badge" data-verdict=${worst} aria-hidden="true">${SIGNS[worst] || ""}</span> ${turn.proof}`;
  if (isProven || turn.removed.length === turn.verdicts[worst]) return html`<p class="roma-summary">${words}</p>`;
  return html`<button type="button" class="roma-summary roma-jump" onClick=${onJump}>${words}<span class="roma-muted">show</span></button>`;
}

/** A place in a source: its number by the verdict that is farthest from proven, and how many quotes stand there. */
/** @param {{place: Schemas["PlaceView"], onOpen: (index: number) => void, children?: unknown}} props */
function Place({place, onOpen, children}) {
  return html`<button type="button" class="roma-place" data-citation=${place.citations[0]} title=${place.quote.slice(0, 300)}
    onClick=${() => onOpen(place.citations[0])}>
    <span class="roma-badge" data-verdict=${place.verdict}>${place.marker}</span>${" "}
    ${children}${" "}
    ${place.place && html`<span class="roma-muted">${place.place}</span>`}${" "}
    ${place.words && html`<span class="roma-verdict">${place.words}</span>`}</button>`;
}

/** A chip for each source; its places are in it. */
/** @param {{sources: Schemas["SourceView"][], onOpen: (index: number) => void}} props */
function Sources({sources, onOpen}) {
  if (!sources?.length) return null;
  return html`<section aria-label="Sources"><ul class="roma-sources">${sources.map((source) => {
    const title = html`<span class="roma-source-title" dir="auto">${source.title}</span>`;
    if (source.places.length === 1) return html`<li class="roma-source"><${Place} place=${source.places[0]} onOpen=${onOpen}>${title}<//></li>`;
    return html`<li class="roma-source">${title}${source.places.map((place) => html`<${Place} place=${place} onOpen=${onOpen} />`)}</li>`;
  })}</ul></section>`;
}

/** Text with some of its words marked. */
function marked(text, words) {
  const signs = words.filter(Boolean).map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  if (!signs.length) return text;
  const parts = text.split(new RegExp(`(?<![\\p{L}\\p{N}])(${signs.join("|")})(?![\\p{L}\\p{N}])`, "iu"));
  return parts.map((part, index) => (index % 2 ? html`<mark>${part}</mark>` : part));
}

/** What sources say against each other, side by side, with the words that differ. */
/** @param {{turn: Schemas["AnsweredTurn"], onOpen: (index: number) => void}} props */
function Conflicts({turn, onOpen}) {
  if (!turn.conflicts?.length) return null;
  return html`<section class="roma-conflicts" aria-label="Sources that disagree">
    <h3>${turn.conflicts.length === 1 ? "Two sources disagree" : "Sources disagree"}</h3>
    ${turn.conflicts.map((conflict) => html`<div class="roma-conflict">${conflict.citations.map((index, side) => {
      const citation = turn.citations[index];
      const others = conflict.words[1 - side];
      return html`<button type="button" class="roma-side" onClick=${() => onOpen(index)}>
        <span><span class="roma-badge" data-verdict=${citation.verdict}>${citation.marker}</span>${" "}
          <span class="roma-source-title" dir="auto">${citation.title}</span></span>
        ${citation.place && html`<span class="roma-muted">${citation.place}</span>`}
        <span dir="auto">“${marked(citation.quote, conflict.words[side].filter((word) => !others.includes(word)))}”</span></button>`;
    })}</div>`)}
  </section>`;
}

/** @param {{removed: Schemas["RemovedView"][]}} props */
function Removed({removed}) {
  if (!removed?.length) return null;
  const verb = removed.length === 1 ? "was" : "were";
  return html`<details class="roma-removed"><summary>${count(removed.length, "statement")} ${verb} taken out, because no source proves ${removed.length === 1 ? "it" : "them"}</summary>
    <ul>${removed.map((one) => html`<li dir="auto"><s>${one.text}</s> <span class="roma-verdict">${one.verdict_words}</span></li>`)}</ul></details>`;
}

/** @param {{turn: Schemas["AnsweredTurn"], onPassage: (passage: Schemas["PassageView"]) => void}} props */
function Nearest({turn, onPassage}) {
  if (!turn.nearest?.length) return null;
  return html`<section class="roma-nearest" aria-label="Nearest passages"><h3>What comes nearest in your sources</h3>
    ${turn.nearest.map((passage) => html`<button type="button" class="roma-side" onClick=${() => onPassage(passage)}>
      <span class="roma-source-title" dir="auto">${passage.title}</span>
      <${Safe} class="roma-text roma-small" of=${passage.html} /></button>`)}
  </section>`;
}

/** @param {{turn: Schemas["UnansweredTurn"], onRetry: () => void}} props */
function Trouble({turn, onRetry}) {
  const {failure, advice} = turn;
  if (!failure && !advice) return null;
  const wait = failure?.retry_after_s ? ` Wait ${Math.ceil(failure.retry_after_s)} s first.` : "";
  const words = turn.state === "interrupted" ? "Go on" : failure ? "Try again" : "Ask again";
  return html`<div class="roma-alert" role="alert" data-kind=${failure && !failure.can_retry ? "error" : "warning"}>
    <p>${advice || failure.message + wait}</p>
    ${(advice || failure.can_retry) && html`<button type="button" class="roma-button" onClick=${onRetry}>${words}</button>`}
    ${failure && html`<details class="roma-fine"><summary>Details for support</summary><code>${failure.code}</code>
      ${failure.request_id && html` <code>${failure.request_id}</code>`}</details>`}
  </div>`;
}

function Thumbs({turn, onRate}) {
  const [isAsking, setAsking] = useState(false);
  const [reasons, setReasons] = useState([]);
  const [comment, setComment] = useState("");
  const [said, setSaid] = useState("");
  const rate = (rating, words, thanks = "Thank you.") =>
    onRate(turn, rating, words).then(() => setSaid(thanks), (error) => setSaid(error.message));
  const up = () => {
    setAsking(false);
    rate("up", "");
  };
  const down = () => {
    setAsking(true);
    rate("down", turn.comment || "", "");
  };
  const send = (event) => {
    event.preventDefault();
    setAsking(false);
    rate("down", [reasons.join(", "), comment.trim()].filter(Boolean).join(": "));
  };
  const toggle = (reason) => setReasons(reasons.includes(reason) ? reasons.filter((one) => one !== reason) : [...reasons, reason]);
  return html`<span class="roma-group">
    <${IconButton} icon="up" label="A good answer" aria-pressed=${String(turn.rating === "up")} onClick=${up} />
    <${IconButton} icon="down" label="A bad answer" aria-pressed=${String(turn.rating === "down")} onClick=${down} />
    <span role="status" class="roma-muted">${said}</span></span>
    ${isAsking && html`<form class="roma-why" onSubmit=${send}><fieldset><legend>What is wrong with it?</legend>
      ${REASONS.map((reason) => html`<button type="button" class="roma-chip" aria-pressed=${String(reasons.includes(reason))}
        onClick=${() => toggle(reason)}>${reason}</button>`)}
      <textarea rows="2" maxlength="3000" aria-label="Comment" placeholder="In your words (optional)" value=${comment}
        onInput=${(e) => setComment(e.target.value)} />
      <button type="submit" class="roma-button">Send</button>
      <button type="button" class="roma-small-button" onClick=${() => setAsking(false)}>Cancel</button></fieldset></form>`}`;
}

function Actions({turn, choices, onAgain, onRate, onExport, onCompare, onOpen}) {
  const [isComparing, setComparing] = useState(false);
  const canCompare = !turn.restored && Object.values(choices || {}).some((values) => values.length > 1);
  const [copied, setCopied] = useState("");
  const copy = () => copyText(turn.markdown).then(() => setCopied("Copied."), () => setCopied("The browser does not let ROMA copy."));
  const seconds = turn.seconds == null ? "" : `${turn.seconds.toFixed(1)} s`;
  const facts = [turn.footnote, seconds].filter(Boolean).join(" · ");
  return html`<div class="roma-actions">
    <${IconButton} icon="copy" label="Copy as Markdown" onClick=${copy} />
    <${IconButton} icon="again" label="Answer again" onClick=${onAgain} />
    ${canCompare && html`<${IconButton} icon="beside" label="Compare with another answer" aria-expanded=${String(isComparing)}
      onClick=${() => setComparing(!isComparing)} />`}
    ${!turn.restored && html`<${ExportMenu} label="Export this answer" write=${(format) => onExport(turn, format)} />`}
    ${turn.answer_id && html`<${Thumbs} turn=${turn} onRate=${onRate} />`}
    <span role="status" class="roma-muted">${copied}</span>
    <span class="roma-muted roma-facts">${facts}</span>
    ${turn.details && html`<details class="roma-fine"><summary>Cost</summary>${turn.details}</details>`}
    ${isComparing && html`<${Compare} choices=${choices} onCompare=${(changes) => onCompare(turn, changes)} onOpen=${onOpen}
      onClose=${() => setComparing(false)} />`}
  </div>`;
}

/** @param {{turn: Schemas["AnsweredTurn"]}} props */
function Notice({turn}) {
  if (!turn.notice) return null;
  return html`<div class="roma-notice"><p>${turn.notice}</p>
    ${turn.notice_details.length > 0 && html`<details class="roma-fine"><summary>Details for support</summary>
      <ul>${turn.notice_details.map((reason) => html`<li>${reason}</li>`)}</ul></details>`}</div>`;
}

function Answer({turn, onOpen, children}) {
  const [card, setCard] = useState(null);
  const box = useRef(null);
  const citationOf = (event) => {
    const badge = event.target.closest?.(".roma-badge[data-citation]");
    return badge ? {badge, citation: turn.citations?.[Number(badge.dataset.citation)]} : null;
  };
  const show = (event) => {
    const found = citationOf(event);
    if (!found?.citation) return;
    const place = found.badge.getBoundingClientRect();
    const frame = box.current.getBoundingClientRect();
    const width = Math.min(340, frame.width);
    const left = Math.max(0, Math.min(place.left - frame.left - 20, frame.width - width));
    setCard({citation: found.citation, left, top: place.bottom - frame.top + 6});
  };
  const hide = () => setCard(null);
  const click = (event) => {
    const found = citationOf(event);
    if (!found?.citation || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    hide();
    onOpen(Number(found.badge.dataset.citation), found.badge);
  };
  return html`<div class="roma-answer" ref=${box} onMouseOver=${show} onMouseOut=${hide} onfocusin=${show}
    onfocusout=${hide} onClick=${click}>${children}<${HoverCard} card=${card} /></div>`;
}

/** A turn. It is drawn again only when its own values change, so earlier turns cost nothing. */
export class Turn extends Component {
  shouldComponentUpdate(next) {
    return next.turn !== this.props.turn || next.isLast !== this.props.isLast || next.choices !== this.props.choices;
  }

  jump = () => {
    const marks = [...this.body.querySelectorAll(UNPROVEN.map((v) => `.roma-answer .roma-badge[data-verdict="${v}"]`).join(","))];
    if (!marks.length) return;
    this.jumped = ((this.jumped ?? -1) + 1) % marks.length;
    const mark = marks[this.jumped];
    mark.scrollIntoView({block: "center"});
    if (mark.tabIndex < 0) mark.tabIndex = -1;
    mark.focus();
    mark.closest(".roma-block")?.animate?.([{background: "var(--roma-mark)"}, {background: "transparent"}], 900);
  };

  open = (index, from) => this.props.onOpen(this.props.turn.citations, index, from);

  render({turn, isLast, choices, onAgain, onEdit, onRate, onExport, onCompare, onOpen, onFollowUp, findRelated, onPassage, onStop}) {
    const isRunning = turn.state === "running";
    const isComplete = turn.state === "complete";
    const words = turn.open ? tidy(turn.open) : "";
    return html`<article class="roma-turn" ref=${(element) => (this.body = element)} aria-busy=${String(isRunning)}>
      <${Asked} turn=${turn} onEdit=${onEdit} />
      ${isRunning && html`<div class="roma-work"><${Stages} stages=${turn.stages} isRunning=${true} />
        ${turn.id && html`<button type="button" class="roma-small-button" onClick=${() => onStop(turn)}><${Icon} name="stop" />Stop</button>`}</div>`}
      ${isComplete && html`<${Summary} turn=${turn} onJump=${this.jump} />`}
      ${isComplete && html`<${Notice} turn=${turn} />`}
      <${Answer} turn=${turn} onOpen=${this.open}>
        ${(turn.blocks || []).map((block, index) => html`<${Safe} key=${index} class="roma-block roma-text" dir="auto" of=${block} onFill=${enrich} />`)}
        ${words && html`<div class="roma-block roma-open" dir="auto">${words}</div>`}
      <//>
      ${isComplete && html`<${Conflicts} turn=${turn} onOpen=${(index) => this.open(index)} />
        <${Removed} removed=${turn.removed} />
        <${Nearest} turn=${turn} onPassage=${onPassage} />
        <${Sources} sources=${turn.sources} onOpen=${(index) => this.open(index)} />`}
      <${Trouble} turn=${turn} onRetry=${() => onAgain(turn)} />
      ${isComplete && html`<${Actions} turn=${turn} onAgain=${() => onAgain(turn)} onRate=${onRate} onExport=${onExport} choices=${choices}
        onCompare=${onCompare} onOpen=${onOpen} />`}
      ${isComplete && isLast && turn.follow_ups.length > 0 && html`<div class="roma-follow-ups" role="group" aria-label="Questions that follow">
        ${turn.follow_ups.map((question) => html`<button type="button" class="roma-follow-up" dir="auto"
          onClick=${() => onFollowUp(question)}>${question}</button>`)}</div>`}
      ${isComplete && isLast && findRelated && html`<${Related} key=${turn.id} question=${turn.question} others=${turn.follow_ups}
        find=${findRelated} onPick=${onFollowUp} />`}
    </article>`;
  }
}

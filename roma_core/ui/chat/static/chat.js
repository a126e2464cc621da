// The chat: conversations, the question box, the answers and the source beside them.
import {html, useEffect, useLayoutEffect, useRef, useState} from "./vendor/preact-htm.js";
import {count, IconButton, kept, newId, PERSONAS, sleep, useStable} from "./dom.js";
import {ExportMenu} from "./exports.js";
import {History} from "./history.js";
import {Reader} from "./reader.js";
import {useSuggestions} from "./suggestions.js";
import {Turn} from "./turn.js";
import {Uploads} from "./uploads.js";

const SHOWN = 20; // turns in the page; earlier ones come by a button, so that 200 are as fast as 5
const RETRY_MS = [500, 1000, 2000, 4000, 5000];
const MARGIN_PX = 24;
const BELOW_PX = 160; // of what stands below an answer, this much is seen with its last words

function isRefusal(error) {
  return typeof error?.status === "number";
}

/** Repeat `work` until it succeeds, fails with words of the server, or is aborted; `onLost` tells of each pause. */
async function persist(work, onLost, signal) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      const value = await work();
      onLost(false);
      return value;
    } catch (error) {
      if (signal?.aborted) throw error;
      const isBusy = isRefusal(error) && error.status === 503 && error.failure.code === "ERR_STOPPED";
      if (isRefusal(error) && !isBusy) {
        onLost(false);
        throw error;
      }
      onLost(true);
      await sleep(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)], signal);
    }
  }
}

/** A stage that is told of again (a model that thinks) has new words and the time at which it began. */
function addStage(stages, event) {
  const last = stages.at(-1);
  return last?.stage === event.stage ? [...stages.slice(0, -1), {...last, says: event.says}] : [...stages, event];
}

/** The question box. Enter sends, Shift+Enter breaks the line; Enter that ends an input method's word does neither. */
function Composer({client, text, onText, onSend, isBusy, onStop, persona, personas, onPersona, model, models, onModel, hint, boxRef}) {
  useLayoutEffect(() => {
    const box = boxRef.current;
    box.style.height = "auto";
    if (box.scrollHeight > 0) box.style.height = `${Math.min(box.scrollHeight, 200)}px`; // 0: not laid out, as off a notebook's screen
  }, [text]);
  const suggestions = useSuggestions(client, text, onText);
  const onKey = (event) => {
    if (suggestions.onKey(event)) return;
    if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
    event.preventDefault();
    onSend();
  };
  return html`<form class="roma-composer" onSubmit=${(event) => { event.preventDefault(); onSend(); }}>
    <label class="roma-hidden" for="roma-question">Your question</label>
    ${suggestions.list}
    <textarea id="roma-question" ...${suggestions.box} ref=${boxRef} rows="1" dir="auto" placeholder="Ask about your documents …" value=${text}
      onInput=${(event) => onText(event.target.value)} onKeyDown=${onKey} enterkeyhint="send" />
    <div class="roma-composer-bar">
      <label class="roma-select">Written for
        <select value=${persona} onChange=${(event) => onPersona(event.target.value)}>
          ${personas.map((name) => html`<option value=${name} selected=${name === persona}>${PERSONAS[name] || name}</option>`)}</select></label>
      ${models.length > 1 && html`<label class="roma-select">Model
        <select value=${model} onChange=${(event) => onModel(event.target.value)}>
          ${models.map((name, index) => html`<option value=${index ? name : ""} selected=${(index ? name : "") === model}>${name}</option>`)}</select></label>`}
      <span class="roma-muted roma-hint" role="status">${hint}</span>
      ${isBusy
        ? html`<${IconButton} icon="stop" label="Stop the answer" class="roma-icon-button roma-send" onClick=${onStop} />`
        : html`<button type="submit" class="roma-icon-button roma-send" aria-label="Ask" title="Ask" disabled=${!text.trim()}>
            <svg class="roma-icon" viewBox="0 0 24 24" aria-hidden="true"><path d="M12 20V5M5 11l7-7 7 7" /></svg></button>`}
    </div></form>`;
}

/** Chips above the box: the collections and the documents that a question is confined to. */
function Filters({collections, chosen, onCollections, documents, onDocuments}) {
  if (collections.length < 2 && !documents.length) return null;
  const toggle = (name) => onCollections(chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]);
  return html`<div class="roma-filters" role="group" aria-label="Ask only these">
    ${collections.length > 1 && html`<span class="roma-muted">Ask only</span>`}
    ${collections.length > 1 && collections.map(({name, documents: size}) => html`<button type="button" class="roma-chip"
      aria-pressed=${String(chosen.includes(name))} onClick=${() => toggle(name)}>${name} <small>${size}</small></button>`)}
    ${documents.map((document) => html`<button type="button" class="roma-chip" aria-pressed="true"
      aria-label=${`Only ${document.title}; press to ask all again`} onClick=${() => onDocuments(documents.filter((one) => one !== document))}>
      Only “${document.title}” ✕</button>`)}
  </div>`;
}

function Welcome({info, onAsk, onAgain}) {
  if (!info) return html`<div class="roma-welcome" aria-busy="true"><p class="roma-muted">Looking at the documents …</p></div>`;
  if (info.failure) return html`<div class="roma-welcome"><div class="roma-alert" role="alert"><p>The documents cannot be reached. ${info.failure.message}</p>
    <button type="button" class="roma-button" onClick=${onAgain}>Try again</button></div></div>`;
  if (!info.documents) {
    return html`<div class="roma-welcome"><h1>There are no documents yet</h1>
      <p>Bring some in with <code>roma ingest FOLDER</code>, then ask here.</p></div>`;
  }
  return html`<div class="roma-welcome">
    <h1>What would you like to know?</h1>
    <p class="roma-muted">${count(info.documents, "document")}${info.collections.length > 1 ? ` in ${count(info.collections.length, "collection")}` : ""}.
      Every statement of an answer has a number that opens the words it stands on.</p>
    <div class="roma-examples">${info.questions.map((question) => html`<button type="button" class="roma-example" dir="auto"
      onClick=${() => onAsk(question)}>${question}</button>`)}</div></div>`;
}

function Health({info}) {
  if (!info?.unwell?.length) return null;
  return html`<details class="roma-health"><summary>${info.health === "down" ? "A part of ROMA does not work" : "A part of ROMA is limited"}</summary>
    <ul>${info.unwell.map((part) => html`<li><b>${part.name}</b>: ${part.reason || part.state}</li>`)}</ul></details>`;
}

/** Links to the other pages of the service: those that the user may open. */
function Pages({pages, class: name}) {
  if (!pages?.length) return null;
  return html`<nav class=${name} aria-label="Pages">
    ${pages.map((page) => html`<a key=${page.path} href=${page.path}>${page.name}</a>`)}</nav>`;
}

/**
 * The whole chat. `client` speaks to the server, `route` holds the address: `conversation`, `go(id)` and `hrefOf(id)`.
 */
export function Chat({client, route, theme}) {
  const conversation = route.conversation;
  const [info, setInfo] = useState(null);
  const [items, setItems] = useState([]);
  const [turns, setTurns] = useState([]);
  const [earlier, setEarlier] = useState(0);
  const [most, setMost] = useState(SHOWN);
  const [isLoading, setLoading] = useState(true);
  const [trouble, setTrouble] = useState(null);
  const [isLost, setLost] = useState(false);
  const [text, setText] = useState("");
  const [hint, setHint] = useState("");
  const [persona, setPersona] = useState(kept.get("persona") || "general");
  const [model, setModel] = useState("");
  const [collections, setCollections] = useState([]);
  const [documents, setDocuments] = useState([]);
  const [reading, setReading] = useState(null);
  const [isOpen, setOpen] = useState(false);
  const [isBelow, setBelow] = useState(false);
  const [spoken, setSpoken] = useState("");
  const box = useRef(null);
  const scroller = useRef(null);
  const isPinned = useRef(true);
  const hasSettled = useRef(false); // an answer has ended, or a conversation was opened: what stands last is placed once
  const follows = useRef(new Map());
  const shownId = useRef(conversation);
  const isSending = useRef(false);
  const running = turns.find((turn) => turn.state === "running");
  const lost = useStable(setLost);

  const update = useStable((id, change) =>
    setTurns((all) => all.map((turn) => (turn.id === id || turn.key === id ? {...turn, ...change(turn)} : turn))));
  const refreshList = useStable(() => client.conversations().then(setItems, () => undefined));

  // --- an answer on its way ---

  const follow = useStable(async (id) => {
    if (follows.current.has(id)) return;
    const abort = new AbortController();
    follows.current.set(id, abort);
    let hasEnded = false;
    let last = ""; // the update behind which the server goes on after a lost connection
    const onUpdate = (event, place) => {
      last = place || last;
      lost(false);
      if (event.type === "stage") update(id, (turn) => ({stages: addStage(turn.stages || [], event)}));
      else if (event.type === "words") {
        if (event.blocks) setSpoken(textOf(event.blocks));
        update(id, (turn) => ({
          blocks: event.blocks ? [...(turn.blocks || []), ...event.blocks] : turn.blocks,
          open: event.over ? event.text : (turn.open || "") + event.text,
        }));
      } else if (event.type === "end") {
        hasEnded = true;
        hasSettled.current = true;
        setSpoken(`The answer is ${event.turn.state}. ${event.turn.proof || ""}`);
        update(id, (turn) => ({open: "", stages: turn.stages, advice: undefined, failure: undefined, ...event.turn}));
        refreshList();
      }
    };
    try {
      await persist(async () => {
        if (!last) update(id, () => ({blocks: [], open: "", stages: []})); // the server sends it from its beginning
        await client.follow(id, onUpdate, abort.signal, last);
        if (!hasEnded) throw new Error("The connection ended before the answer.");
      }, lost, abort.signal);
    } catch (error) {
      if (!abort.signal.aborted) update(id, () => ({state: "failed", open: "", failure: error.failure || {message: error.message, code: "", can_retry: true}}));
    } finally {
      follows.current.delete(id);
    }
  });

  const submit = useStable(async (target, turn) => {
    isSending.current = true;
    setTrouble(null);
    kept.set(`sent:${target}`, JSON.stringify(turn)); // a reload asks with the same key, which is the same answer
    try {
      const {id} = await persist(() => client.ask(target, turn.body, turn.key), lost);
      kept.set(`sent:${target}`, "");
      setTurns((all) => all.filter((one) => one.id !== id || one.key === turn.key));
      update(turn.key, () => ({id}));
      follow(id);
      refreshList();
    } catch (error) {
      kept.set(`sent:${target}`, "");
      update(turn.key, () => ({state: "failed", failure: error.failure || {message: error.message, code: "", can_retry: true}}));
    } finally {
      isSending.current = false;
    }
  });

  const ask = useStable((question, given) => {
    if (!question.trim()) return;
    if (running || isSending.current) {
      setHint("Wait for the answer, or stop it first.");
      return;
    }
    setHint("");
    const target = conversation || newId();
    const body = {text: question, persona, collections, documents: documents.map((one) => one.document), model, ...given};
    const turn = {key: newId(), state: "running", question, body, blocks: [], stages: []};
    shownId.current = target;
    isPinned.current = true;
    setTurns((all) => [...all, turn]);
    if (!conversation) route.go(target);
    submit(target, turn);
  });

  const again = useStable((turn) => {
    const filters = turn.filters || {};
    const given = turn.body || {text: turn.question, persona, collections: filters.collection || [], documents: filters.document_id || []};
    if (turn.state !== "complete") setTurns((all) => all.filter((one) => one !== turn));
    ask(turn.question, given);
  });

  const stop = useStable((turn) => {
    const asked = turn || running;
    if (asked?.id) client.stop(asked.id).catch((error) => setHint(error.message));
  });

  const rate = useStable(async (turn, rating, comment) => {
    await client.rate(conversation, turn.answer_id, rating, comment);
    update(turn.id, () => ({rating, comment}));
  });

  const compareTurn = useStable((turn, changes) => client.compare(turn.id, changes));
  const edit = useStable((turn) => {
    const filters = turn.filters || {};
    const titles = new Map((turn.citations || []).map((one) => [one.document, one.title]));
    setCollections([].concat(filters.collection || []));
    setDocuments([].concat(filters.document_id || []).map((id) => ({document: id, title: titles.get(id) || "the chosen document"})));
    fill(turn.question);
  });
  const exportTurn = useStable((turn, format) => client.exportAnswer(turn.id, format));

  // --- the conversation of the address ---

  const load = useStable(async (id, wanted) => {
    if (!id) {
      setTurns([]);
      setEarlier(0);
      setLoading(false);
      return;
    }
    setLoading(true);
    try {
      const found = await persist(() => client.conversation(id, wanted), lost);
      if (shownId.current !== id) return;
      setTrouble(null);
      hasSettled.current = true;
      setTurns(found.turns);
      setEarlier(found.earlier);
      found.turns.filter((turn) => turn.state === "running").forEach((turn) => follow(turn.id));
      const unsent = kept.get(`sent:${id}`);
      if (unsent) resend(id, JSON.parse(unsent));
    } catch (error) {
      if (shownId.current === id) setTrouble(error.failure || {message: error.message});
    } finally {
      if (shownId.current === id) setLoading(false);
    }
  });

  const resend = useStable((id, turn) => {
    setTurns((all) => [...all, turn]);
    submit(id, turn);
  });

  useEffect(() => {
    const isNew = shownId.current === conversation && turns.length > 0 && isSending.current;
    shownId.current = conversation;
    setReading(null);
    setMost(SHOWN);
    setHint("");
    setDocuments((now) => (isNew ? now : []));
    setText(kept.get(`draft:${conversation || "new"}`) || "");
    if (!isNew) {
      for (const abort of follows.current.values()) abort.abort(new Error("left"));
      follows.current.clear();
      setTurns([]);
      isPinned.current = true;
      load(conversation, SHOWN);
    }
    box.current?.focus({preventScroll: true});
  }, [conversation]);

  const lookAround = useStable(() =>
    persist(() => client.state(), lost).then(setInfo, (error) => setTrouble(error.failure || {message: error.message})));

  useEffect(() => {
    lookAround();
    refreshList();
    const onShow = () => document.visibilityState === "visible" && refreshList();
    document.addEventListener("visibilitychange", onShow);
    return () => document.removeEventListener("visibilitychange", onShow);
  }, []);

  const tryAgain = () => {
    setTrouble(null);
    if (!info || info.failure) lookAround(); // what failed may have been the look at the documents
    load(conversation, most);
  };

  const type = (value) => {
    setText(value);
    kept.set(`draft:${conversation || "new"}`, value);
  };
  const send = () => {
    if (running || isSending.current) {
      setHint("Wait for the answer, or stop it first.");
      return;
    }
    const question = text;
    if (!question.trim()) return;
    type("");
    ask(question);
  };
  const fill = useStable((question) => {
    type(question);
    box.current.focus();
  });

  // --- following the words ---

  useLayoutEffect(() => {
    const frame = scroller.current;
    const isPlacing = hasSettled.current && !running;
    hasSettled.current = false;
    if (isPinned.current && isPlacing) isPinned.current = placeEnd(frame);
    else if (isPinned.current) frame.scrollTop = frame.scrollHeight;
    else if (running) setBelow(true);
  }, [turns]);
  const onScroll = () => {
    const frame = scroller.current;
    isPinned.current = frame.scrollHeight - frame.scrollTop - frame.clientHeight < 60;
    if (isPinned.current && isBelow) setBelow(false);
  };
  const toEnd = () => {
    isPinned.current = true;
    setBelow(false);
    scroller.current.scrollTop = scroller.current.scrollHeight;
  };
  const showEarlier = () => {
    isPinned.current = false;
    const wanted = most + SHOWN;
    setMost(wanted);
    if (earlier > 0 && !running) load(conversation, wanted);
  };

  // --- the source beside the answer ---

  const opener = useRef(null);
  const open = useStable((spans, index, from) => {
    opener.current = from || document.activeElement;
    setReading({spans, index});
  });
  const openPassage = useStable((passage) => open([passage], 0));
  const close = useStable(() => {
    setReading(null);
    opener.current?.focus?.();
  });
  const only = useStable((view) => {
    setDocuments((all) => (all.some((one) => one.document === view.document) ? all : [...all, {document: view.document, title: view.title}]));
    box.current.focus();
  });

  const remove = useStable(async (id) => {
    try {
      await client.remove(id);
      kept.set(`draft:${id}`, "");
      if (id === conversation) route.go("");
    } catch (error) {
      setTrouble(error.failure || {message: error.message});
    }
    refreshList();
  });
  const rename = useStable((id, title) =>
    client.rename(id, title).then(refreshList, (error) => setTrouble(error.failure || {message: error.message})));
  const visit = useStable((id) => {
    setOpen(false);
    route.go(id);
  });

  const models = info?.choices?.llm_model || [];
  const shown = turns.slice(-most);
  const hidden = turns.length - shown.length + earlier;
  return html`<div class="roma-app" data-reading=${String(Boolean(reading))} data-menu=${String(isOpen)}>
    <header class="roma-bar">
      <${IconButton} icon="menu" label="Conversations" class="roma-icon-button roma-menu" aria-expanded=${String(isOpen)} onClick=${() => setOpen(!isOpen)} />
      <a class="roma-brand" href=${route.hrefOf("")} onClick=${(event) => { event.preventDefault(); visit(""); }}>ROMA</a>
      <span class="roma-muted roma-workspace" dir="auto">${info?.workspace || ""}</span>
      <${Health} info=${info} />
      <${Pages} pages=${info?.pages} class="roma-pages" />
      ${conversation && turns.some((turn) => turn.state === "complete") && html`<${ExportMenu} key=${conversation} label="Export this conversation"
        write=${(format) => client.exportConversation(conversation, format)} />`}
      ${info?.may_audit && client.signOut && html`<a class="roma-muted" href="/audit-log">Audit log</a>`}
      ${info?.user?.may_sign_out && client.signOut && html`<span class="roma-muted roma-user" dir="auto">${info.user.name}</span>
        <button type="button" class="roma-small-button" onClick=${() => client.signOut()}>Sign out</button>`}
      ${theme && html`<${IconButton} icon="moon" label="Light or dark" onClick=${theme} />`}
    </header>
    <div class="roma-side-bar">
      <${History} items=${items} current=${conversation} hrefOf=${route.hrefOf} onOpen=${visit} onNew=${() => visit("")}
        onRename=${rename} onDelete=${remove} />
      <${Pages} pages=${info?.pages} class="roma-pages roma-pages-below" /></div>
    <div class="roma-veil" onClick=${() => setOpen(false)} />
    <main class="roma-main">
      ${isLost && html`<div class="roma-lost" role="status"><span class="roma-pulse" />Connection lost. Trying again …</div>`}
      <div class="roma-scroll" ref=${scroller} onScroll=${onScroll} tabindex="-1"><div class="roma-column">
        ${hidden > 0 && html`<button type="button" class="roma-small-button" onClick=${showEarlier}>Show ${count(Math.min(hidden, SHOWN), "earlier question")}</button>`}
        ${!turns.length && !trouble && (conversation && isLoading ? html`<p class="roma-muted">Opening the conversation …</p>` : html`<${Welcome} info=${info} onAsk=${(question) => ask(question)} onAgain=${lookAround} />`)}
        ${trouble && html`<div class="roma-alert" role="alert"><p>${trouble.message}</p>
          <button type="button" class="roma-button" onClick=${tryAgain}>Try again</button></div>`}
        ${shown.map((turn, index) => html`<${Turn} key=${turn.key || turn.id} turn=${turn} isLast=${index === shown.length - 1}
          onAgain=${again} onRate=${rate} onEdit=${edit} onExport=${exportTurn} onCompare=${compareTurn} choices=${info?.choices} findRelated=${client.related} onFollowUp=${fill} onPassage=${openPassage} onOpen=${open} onStop=${stop} />`)}
      </div></div>
      ${isBelow && html`<button type="button" class="roma-below" onClick=${toEnd}>New words below ↓</button>`}
      <div class="roma-foot">
        <${Filters} collections=${info?.collections || []} chosen=${collections} onCollections=${setCollections}
          documents=${documents} onDocuments=${setDocuments} />
        ${info?.may_ingest && client.upload && html`<${Uploads} client=${client} onNews=${lookAround}
          onAsk=${(upload) => only({document: upload.document, title: upload.name})} />`}
        <${Composer} client=${client} text=${text} onText=${type} onSend=${send} isBusy=${Boolean(running)} onStop=${() => stop()}
          persona=${persona} personas=${info?.personas || ["general"]} hint=${hint} boxRef=${box}
          onPersona=${(name) => { setPersona(name); kept.set("persona", name); }}
          models=${models} model=${model} onModel=${setModel} />
      </div>
      <div class="roma-hidden" aria-live="polite">${spoken}</div>
    </main>
    ${reading && html`<${Reader} client=${client} spans=${reading.spans} index=${reading.index}
      onMove=${(index) => setReading({...reading, index})} onClose=${close} onOnly=${only} />`}
  </div>`;
}

/**
 * Scroll to the last answer when it is whole; true where its end is on the screen. What came below its words (passages,
 * sources, questions) does not push them out of sight.
 * @param {HTMLElement} frame
 */
function placeEnd(frame) {
  const turn = [...frame.querySelectorAll(".roma-turn")].at(-1);
  frame.scrollTop = frame.scrollHeight;
  const answer = turn?.querySelector(".roma-answer");
  if (!turn || !answer) return true;
  const top = frame.getBoundingClientRect().top;
  const start = turn.getBoundingClientRect().top - top;
  const end = answer.getBoundingClientRect().bottom - top;
  const wanted = Math.max(start - MARGIN_PX, end + BELOW_PX - frame.clientHeight);
  if (wanted >= 0) return true;
  frame.scrollTop += wanted;
  return false;
}

/** The words of finished blocks, for a screen reader: each is said once. */
function textOf(blocks) {
  const signs = {"&amp;": "&", "&lt;": "<", "&gt;": ">", "&quot;": '"'};
  return blocks.map((block) => block.replace(/<[^>]*>/g, " ").replace(/&\w+;/g, (sign) => signs[sign] || sign)).join(" ");
}

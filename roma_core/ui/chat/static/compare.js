// An answer beside another one: the same question and passages with another model, prompt or reader.
import {html, useState} from "./vendor/preact-htm.js";
import {PERSONAS, Safe} from "./dom.js";
import {enrich} from "./enrich.js";

const NAMES = {llm_model: "Model", prompt: "Prompt", persona: "Written for"};

/** The words for a value that answers may differ in. */
function sayValue(name, value) {
  return (name === "persona" && PERSONAS[value]) || value;
}

function Side({title, view, failure, onOpen}) {
  const click = (event) => {
    const badge = event.target.closest?.(".roma-badge[data-citation]");
    if (!badge || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    onOpen(view.citations, Number(badge.dataset.citation), badge);
  };
  return html`<section class="roma-beside" aria-label=${title}>
    <h3>${title}</h3>
    ${failure && html`<div class="roma-alert" role="alert"><p>${failure.message}</p></div>`}
    ${view?.proof && html`<p class="roma-muted">${view.proof}</p>`}
    ${view && html`<div onClick=${click}>${view.blocks.map((block, index) => html`<${Safe} key=${index} class="roma-block roma-text"
      dir="auto" of=${block} onFill=${enrich} />`)}</div>
      <p class="roma-muted">${[view.footnote, view.details].filter(Boolean).join(" · ")}</p>`}
  </section>`;
}

/** What to compare with, and then both answers. `onCompare(changes)` returns a promise of them. */
export function Compare({choices, onCompare, onOpen, onClose}) {
  const [chosen, setChosen] = useState({});
  const [found, setFound] = useState(null);
  const [said, setSaid] = useState("");
  const changes = Object.fromEntries(Object.entries(chosen).filter(([, value]) => value));
  const title = Object.entries(changes).map(([name, value]) => `${NAMES[name]}: ${sayValue(name, value)}`).join(", ");
  const send = (event) => {
    event.preventDefault();
    setFound(null);
    setSaid("Answering once more …");
    onCompare(changes).then(
      (view) => {
        setFound({...view, title});
        setSaid("");
      },
      (error) => setSaid(error.message),
    );
  };
  const offered = Object.entries(choices).filter(([, values]) => values.length > 1);
  return html`<section class="roma-compare" aria-label="Compare with another answer">
    <form class="roma-group roma-wrap" onSubmit=${send}>
      ${offered.map(([name, values]) => html`<label class="roma-select" key=${name}>${NAMES[name]}${" "}
        <select value=${chosen[name] || ""} onChange=${(event) => setChosen({...chosen, [name]: event.target.value})}>
          <option value="">as it was</option>
          ${values.map((value) => html`<option value=${value}>${sayValue(name, value)}</option>`)}</select></label>`)}
      <button type="submit" class="roma-small-button" disabled=${!title}>Compare</button>
      <button type="button" class="roma-small-button" onClick=${onClose}>Close</button>
      <span role="status" class="roma-muted">${said}</span>
    </form>
    ${found && html`<div class="roma-pair">
      <${Side} title="This answer" view=${found.before} onOpen=${onOpen} />
      <${Side} title=${found.title} view=${found.after} failure=${found.failure} onOpen=${onOpen} /></div>
      <p class="roma-muted">${found.notes.join(" ")}</p>`}
  </section>`;
}

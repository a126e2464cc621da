// Answers and conversations as files.
import {html, useRef, useState} from "./vendor/preact-htm.js";
import {Icon, saveFile, useEscape} from "./dom.js";

const FORMATS = [
  ["pdf", "PDF"],
  ["docx", "Word (DOCX)"],
  ["md", "Markdown"],
  ["bib", "Sources as BibTeX"],
];

/** A button that opens the kinds of files. `write(format)` returns a promise of `{name, blob}`. */
export function ExportMenu({label, write}) {
  const [isOpen, setOpen] = useState(false);
  const [said, setSaid] = useState("");
  const button = useRef(null);
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEscape(() => isOpen && close());
  const choose = (format) => {
    close();
    setSaid("Writing the file …");
    write(format).then(saveFile).then(() => setSaid(""), (error) => setSaid(error.message));
  };
  const leave = (event) => {
    if (!event.currentTarget.contains(event.relatedTarget)) setOpen(false);
  };
  return html`<span class="roma-group roma-export" onfocusout=${leave}>
    <button type="button" class="roma-icon-button" ref=${button} aria-label=${label} title=${label} aria-expanded=${String(isOpen)}
      onClick=${() => setOpen(!isOpen)}><${Icon} name="save" /></button>
    ${isOpen && html`<span class="roma-pop" role="group" aria-label=${label} tabindex="-1">${FORMATS.map(([format, words]) => html`<button
      type="button" class="roma-pop-row" onClick=${() => choose(format)}>${words}</button>`)}</span>`}
    <span role="status" class="roma-muted">${said}</span></span>`;
}

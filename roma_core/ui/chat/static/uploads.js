// Files that a person brings: sent with progress, then the ledger's word on each.
import {html, useRef, useState} from "./vendor/preact-htm.js";
import {Icon, sleep} from "./dom.js";

const LOOK_MS = 700;

function Row({upload, onAsk, onForget}) {
  return html`<li class="roma-upload" data-good=${String(upload.is_good)}>
    <span class="roma-source-title" dir="auto">${upload.name}</span>
    ${upload.share < 1 && !upload.words && html`<progress max="1" value=${upload.share} aria-label=${`Sending ${upload.name}`} />`}
    <span class="roma-muted">${upload.words || (upload.share < 1 ? "Sending …" : "Waiting to be read …")}</span>
    ${upload.document && html`<button type="button" class="roma-small-button" onClick=${() => onAsk(upload)}>Ask only this document</button>`}
    ${upload.is_good != null && html`<button type="button" class="roma-icon-button" aria-label=${`Take ${upload.name} off this list`}
      onClick=${() => onForget(upload)}><${Icon} name="close" /></button>`}</li>`;
}

/** A button that takes files, and the list of them. `client.upload(file, onShare)` sends one. */
export function Uploads({client, onAsk, onNews}) {
  const [uploads, setUploads] = useState([]);
  const picker = useRef(null);
  const change = (key, values) => setUploads((all) => all.map((one) => (one.key === key ? {...one, ...values} : one)));
  /** How far an upload is; null while the server cannot be reached, which goes on reading. */
  const look = (id) =>
    client.uploadState(id).catch((error) => {
      if (error.failure) throw error;
      return null;
    });
  const send = async (file) => {
    const key = `${file.name}:${Math.random()}`;
    setUploads((all) => [...all, {key, name: file.name, share: 0, words: "", is_good: null}]);
    try {
      const {id} = await client.upload(file, (share) => change(key, {share}));
      change(key, {share: 1});
      for (;;) {
        const view = await look(id);
        change(key, view || {words: "Connection lost. Trying again …"});
        if (view?.is_good != null) break;
        await sleep(LOOK_MS);
      }
      onNews();
    } catch (error) {
      change(key, {words: error.message, is_good: false});
    }
  };
  const pick = (event) => {
    [...event.target.files].forEach(send);
    event.target.value = "";
  };
  return html`<div class="roma-uploads">
    <input type="file" multiple class="roma-hidden" tabindex="-1" aria-hidden="true" ref=${picker} onChange=${pick} />
    <button type="button" class="roma-small-button" title="All who may read the default collection can read what you add"
      onClick=${() => picker.current.click()}><${Icon} name="plus" />Add documents</button>
    ${uploads.length > 0 && html`<ul aria-label="Added documents" aria-live="polite">${uploads.map((upload) => html`<${Row} key=${upload.key}
      upload=${upload} onAsk=${onAsk} onForget=${() => setUploads((all) => all.filter((one) => one.key !== upload.key))} />`)}</ul>`}
  </div>`;
}

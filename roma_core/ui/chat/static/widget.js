// The chat in a notebook: the same component over the widget's channel.
import {html, render, useState} from "./vendor/preact-htm.js";
import {Chat} from "./chat.js";
import {newId} from "./dom.js";

/** A file that came as text of base 64. */
function toFile({name, media_type: type, data}) {
  const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0));
  return {name, blob: new Blob([bytes], {type})};
}

function makeChannelClient(model) {
  const waiting = new Map();
  const send = (message) => (model.send_msg ? model.send_msg(message) : model.send(message)); // Panel's name for it
  model.on("msg:custom", (message) => {
    const call = waiting.get(message.call);
    if (!call) return;
    if (message.kind === "update") call.onUpdate(message.value);
    else {
      waiting.delete(message.call);
      if (message.kind === "failure") call.reject(Object.assign(new Error(message.value.message), {status: 500, failure: message.value}));
      else call.resolve(message.value);
    }
  });
  const call = (name, values = {}, onUpdate = () => undefined, signal = undefined) =>
    new Promise((resolve, reject) => {
      const id = newId();
      waiting.set(id, {resolve, reject, onUpdate});
      signal?.addEventListener("abort", () => {
        waiting.delete(id);
        reject(signal.reason);
      });
      send({call: id, name, values});
    });
  return {
    state: () => call("state"),
    conversations: () => call("conversations"),
    conversation: (id, most) => call("conversation", {conversation: id, most: most || 20}),
    rename: (id, title) => call("rename", {conversation: id, title}),
    remove: (id) => call("delete", {conversation: id}),
    ask: (id, question, key) => call("ask", {conversation: id, question, key}),
    rate: (id, answer, rating, comment) => call("rate", {conversation: id, answer_id: answer, rating: {rating, comment}}),
    stop: (id) => call("stop", {record_id: id}),
    follow: (id, onUpdate, signal) => call("follow", {record_id: id}, onUpdate, signal),
    compare: (id, changes) => call("compare", {record_id: id, changes}),
    suggestions: (text) => call("suggestions", {text}),
    related: (question) => call("related", {question}),
    exportAnswer: (id, format) => call("export_answer", {record_id: id, format}).then(toFile),
    exportConversation: (id, format) => call("export", {conversation: id, format}).then(toFile),
    source: (id, start, end) => call("source", {document_id: id, start, end}),
    sourceFrom: (id, offset) => call("source", {document_id: id, offset}),
    page: (id, number, start, end) => call("page", {document_id: id, number, start, end}),
    pageImage: (id, number) => call("page_image", {document_id: id, number}),
    originalAddress: () => "",
    readerAddress: () => "",
  };
}

function Notebook({client}) {
  const [conversation, setConversation] = useState("");
  return html`<${Chat} client=${client} route=${{conversation, go: setConversation, hrefOf: () => "#"}} />`;
}

function show({model, el}) {
  const root = document.createElement("div");
  root.className = "roma roma-inline";
  el.append(root);
  render(html`<${Notebook} client=${makeChannelClient(model)} />`, root);
  return () => render(null, root);
}

export const default_ = {render: show};

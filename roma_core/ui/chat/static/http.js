// The chat's client over HTTP: what `widget.js` does over a notebook's channel.

const API = "/console/api";
const SILENT_MS = 45000; // the server sends a comment every 15 s

/** A failure that the server has put into words. */
export class Refused extends Error {
  constructor(status, problem) {
    const failure = problem?.failure || {};
    super(failure.message || problem?.detail || "The server did not say why.");
    this.status = status;
    this.failure = {
      message: this.message,
      code: failure.code || `HTTP ${status}`,
      can_retry: failure.recoverable ?? status >= 500,
      retry_after_s: failure.retry_after_s ?? null,
    };
  }
}

/**
 * @typedef {import("../wire").components["schemas"]} Schemas
 * @typedef {{method?: string, body?: unknown, headers?: Record<string, string>, signal?: AbortSignal}} Options
 */

/** @param {string} path @param {Options} options */
async function request(path, {method = "GET", body, headers = {}, signal} = {}) {
  /** @type {RequestInit & {headers: Record<string, string>}} */
  const options = {method, headers: {...headers}, signal, credentials: "same-origin"};
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers["Content-Type"] = "application/json";
  }
  const response = await fetch(API + path, options);
  if (!response.ok) throw new Refused(response.status, await response.json().catch(() => null));
  return response;
}

/** @param {string} path @param {Options} [options] @returns {Promise<any>} */
async function json(path, options) {
  const response = await request(path, options);
  return response.status === 204 || response.headers.get("content-length") === "0" ? null : response.json();
}

function span(start, end) {
  return start == null ? "" : `?start=${start}&end=${end}`;
}

/** Read a stream of events, an update each with the id to go on from, if any; it ends with the connection. */
async function readUpdates(response, onUpdate, abort) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const timer = setTimeout(() => abort.abort(new Error("silent")), SILENT_MS);
    const {done, value} = await reader.read().finally(() => clearTimeout(timer));
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const lines = part.split("\n");
      const data = lines.find((line) => line.startsWith("data: "));
      const id = lines.find((line) => line.startsWith("id: "));
      if (data) onUpdate(JSON.parse(data.slice(6)), id?.slice(4));
    }
  }
}

/** Fetch a file with the name that the server gives it. */
async function file(path) {
  const response = await request(path);
  const name = /filename="([^"]+)"/.exec(response.headers.get("content-disposition") || "")?.[1] || "export";
  return {name, blob: await response.blob()};
}

/** Send a file; `onShare` gets how much of it is sent. A request of this kind alone tells that. */
function upload(given, onShare) {
  return new Promise((resolve, reject) => {
    const sending = new XMLHttpRequest();
    sending.open("PUT", `${API}/uploads/${encodeURIComponent(given.name)}`);
    sending.responseType = "json";
    sending.upload.onprogress = (event) => event.lengthComputable && onShare(event.loaded / event.total);
    sending.onload = () => (sending.status < 300 ? resolve(sending.response) : reject(new Refused(sending.status, sending.response)));
    sending.onerror = () => reject(new Error("The connection was lost while the file was sent; try again."));
    sending.send(given);
  });
}

export function makeHttpClient() {
  return {
    /** @returns {Promise<Schemas["StateView"]>} */
    state: () => json("/state"),
    signOut: async () => {
      const response = await fetch("/sign-out", {method: "POST", credentials: "same-origin"});
      location.assign(response.status === 200 ? (await response.json()).location : "/sign-in");
    },
    /** @returns {Promise<Schemas["ConversationItem"][]>} */
    conversations: () => json("/conversations"),
    /** @returns {Promise<Schemas["ConversationView"]>} */
    conversation: (id, most) => json(`/conversations/${id}${most ? `?most=${most}` : ""}`),
    rename: (id, title) => json(`/conversations/${id}`, {method: "PATCH", body: {title}}),
    remove: (id) => json(`/conversations/${id}`, {method: "DELETE"}),
    /** @param {string} id @param {Schemas["ChatQuestion"]} question @param {string} key @returns {Promise<Schemas["StartedAnswer"]>} */
    ask: (id, question, key) =>
      json(`/conversations/${id}/ask`, {method: "POST", body: question, headers: {"Idempotency-Key": key}}),
    rate: (id, answer, rating, comment) =>
      json(`/conversations/${id}/ratings/${answer}`, {method: "PUT", body: {rating, comment}}),
    stop: (id) => json(`/answers/${id}/stop`, {method: "POST"}),
    async follow(id, onUpdate, signal, last) {
      const abort = new AbortController();
      signal?.addEventListener("abort", () => abort.abort(signal.reason));
      const response = await request(`/answers/${id}/updates`, {signal: abort.signal, headers: last ? {"Last-Event-ID": last} : {}});
      await readUpdates(response, onUpdate, abort);
    },
    /** @returns {Promise<Schemas["ComparisonView"]>} */
    compare: (id, changes) => json(`/answers/${id}/compare`, {method: "POST", body: {changes}}),
    /** @returns {Promise<string[]>} */
    suggestions: (text) => json(`/suggestions?text=${encodeURIComponent(text.slice(0, 200))}`),
    /** @returns {Promise<string[]>} */
    related: (text) => json(`/related?text=${encodeURIComponent(text.slice(0, 2000))}`),
    upload,
    /** @returns {Promise<Schemas["UploadView"]>} */
    uploadState: (id) => json(`/uploads/${id}`),
    exportAnswer: (id, format) => file(`/answers/${id}/export?format=${format}`),
    exportConversation: (id, format) => file(`/conversations/${id}/export?format=${format}`),
    /** @returns {Promise<Schemas["DocumentView"]>} */
    source: (id, start, end) => json(`/documents/${id}${span(start, end)}`),
    sourceFrom: (id, offset) => json(`/documents/${id}?offset=${offset}`),
    /** @returns {Promise<Schemas["MarksView"]>} */
    page: (id, number, start, end) => json(`/documents/${id}/pages/${number}${span(start, end)}`),
    pageImage: async (id, number) => `${API}/documents/${id}/pages/${number}.png`,
    originalAddress: (id) => `${API}/documents/${id}/original`,
    readerAddress: (id, start, end) => `/read/${id}${span(start, end)}`,
  };
}

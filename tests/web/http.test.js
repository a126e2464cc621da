import {expect, test, vi} from "vitest";
import {makeHttpClient} from "../../roma_core/ui/chat/static/http.js";

function respond(...parts) {
  const bytes = parts.map((part) => new TextEncoder().encode(part));
  return {ok: true, headers: new Map(), body: new ReadableStream({
    start(controller) {
      bytes.forEach((part) => controller.enqueue(part));
      controller.close();
    },
  })};
}

test("updates come with the place to go on from, however the bytes are cut", async () => {
  const sent = 'id: 3.1\ndata: {"type":"words","text":"Brücke"}\n\n: keep-alive\n\ndata: {"type":"end"}\n\n';
  for (const cut of [1, 9, 40, 45, 60]) {
    globalThis.fetch = vi.fn(() => Promise.resolve(respond(sent.slice(0, cut), sent.slice(cut))));
    const seen = [];
    await makeHttpClient().follow("a1", (update, place) => seen.push([update.type, place]), undefined, "");
    expect(seen).toEqual([["words", "3.1"], ["end", undefined]]);
  }
});

test("a connection that comes again names the last place", async () => {
  globalThis.fetch = vi.fn(() => Promise.resolve(respond("")));
  await makeHttpClient().follow("a1", () => undefined, undefined, "3.1");
  await makeHttpClient().follow("a1", () => undefined, undefined, "");
  const headers = globalThis.fetch.mock.calls.map(([, options]) => options.headers);
  expect(headers).toEqual([{"Last-Event-ID": "3.1"}, {}]);
});

import {beforeEach, expect, test, vi} from "vitest";
import {html, render} from "../../roma_core/ui/chat/static/vendor/preact-htm.js";
import {Uploads} from "../../roma_core/ui/chat/static/uploads.js";
import {settled} from "./values.js";

let root;
beforeEach(() => {
  root = document.createElement("div");
  document.body.append(root);
});

async function bring(client, onAsk = vi.fn()) {
  render(html`<${Uploads} client=${client} onAsk=${onAsk} onNews=${vi.fn()} />`, root);
  const input = root.querySelector("input[type=file]");
  Object.defineProperty(input, "files", {value: [new File(["x"], "pumps.md")]});
  Object.defineProperty(input, "value", {value: "", writable: true});
  input.dispatchEvent(new Event("change", {bubbles: true}));
  for (let round = 0; round < 6; round += 1) await settled();
}

test("a file is sent, read, and can be asked about alone", async () => {
  const onAsk = vi.fn();
  const client = {
    upload: vi.fn(async (file, onShare) => { onShare(0.5); return {id: "j"}; }),
    uploadState: vi.fn(() => Promise.resolve({id: "j", state: "done", words: "It can be asked about now.", document: "d1", is_good: true})),
  };
  await bring(client, onAsk);
  expect(root.textContent).toContain("It can be asked about now.");
  [...root.querySelectorAll("button")].find((button) => button.textContent === "Ask only this document").click();
  expect(onAsk.mock.calls[0][0].document).toBe("d1");
});

test("a refused file says why, and a lost connection is waited for", async () => {
  const refused = Object.assign(new Error("The body is over ROMA_MAX_BODY_MB."), {failure: {}});
  await bring({upload: () => Promise.reject(refused)});
  expect(root.querySelector("[data-good=false]").textContent).toContain("The body is over ROMA_MAX_BODY_MB.");
  const uploadState = vi.fn().mockRejectedValueOnce(new TypeError("network"))
    .mockResolvedValue({id: "j", state: "failed", words: "The file is damaged.", document: null, is_good: false});
  render(null, root);
  await bring({upload: () => Promise.resolve({id: "j"}), uploadState});
  expect(root.textContent).toContain("Connection lost");
  await new Promise((resolve) => setTimeout(resolve, 900));
  expect(root.textContent).toContain("The file is damaged.");
});

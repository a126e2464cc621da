import {fileURLToPath} from "node:url";
import {defineConfig} from "vitest/config";

export default defineConfig({
  server: {fs: {allow: [fileURLToPath(new URL("../..", import.meta.url))]}},
  test: {environment: "happy-dom", include: ["*.test.js"], testTimeout: 20000},
});

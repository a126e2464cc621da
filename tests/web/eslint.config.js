import js from "@eslint/js";
import globals from "globals";

export default [
  {ignores: ["node_modules/"]},
  {
    files: ["**/*.js"],
    ...js.configs.recommended,
    languageOptions: {ecmaVersion: 2024, sourceType: "module", globals: {...globals.browser}},
    rules: {
      ...js.configs.recommended.rules,
      eqeqeq: ["error", "always", {null: "ignore"}],
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-unused-vars": ["error", {args: "after-used"}],
      "no-restricted-properties": [
        "error",
        {property: "innerHTML", message: "HTML enters the page in dom.js alone."},
        {property: "outerHTML", message: "HTML enters the page in dom.js alone."},
      ],
    },
  },
];

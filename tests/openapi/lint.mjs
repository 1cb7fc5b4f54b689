// Whether a document is OpenAPI, and good: by Redocly's rules.
//
//   npm ci && node lint.mjs FILE
import { createConfig, formatProblems, lint } from '@redocly/openapi-core';

const [file] = process.argv.slice(2);
const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // Errors are one response, for every status ("default").
    'operation-4xx-response': 'off',
  },
});
const problems = await lint({ ref: file, config });
formatProblems(problems, { totals: { errors: problems.length, warnings: 0, ignored: 0 }, color: false });
process.exit(problems.length > 0 ? 1 : 0);

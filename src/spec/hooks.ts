// SPDX-License-Identifier: Apache-2.0
// `hooks` of config.json (runtime-spec 1.3, config.md).
import type { Decoded, Schema } from "../schema/schema.ts";

/** `timeout` is in seconds; without one a hook may take as long as it likes. `env` is its whole environment. */
export const hookSchema = {
  required: { path: "absolute_path" },
  optional: { args: { list: "string" }, env: { list: "string" }, timeout: { integer: [1, 2147483647] } },
} as const satisfies Schema;

const hookList = { list: hookSchema } as const satisfies Schema;

export const hooksSchema = {
  required: {},
  optional: {
    prestart: hookList,
    createRuntime: hookList,
    createContainer: hookList,
    startContainer: hookList,
    poststart: hookList,
    poststop: hookList,
  },
} as const satisfies Schema;

export type Hook = Decoded<typeof hookSchema>;
export type Hooks = Decoded<typeof hooksSchema>;

// SPDX-License-Identifier: Apache-2.0
// The device binary's entry: native/engine/main.c calls edgerunEntry.main and throws what makeHostError returns.
import { makeHostError } from "./host/error.ts";
import type { Host, Request } from "./host/functions.ts";
import { lifecycle } from "./lifecycle/index.ts";
import { main } from "./main.ts";

(globalThis as { edgerunEntry?: unknown }).edgerunEntry = {
  makeHostError,
  main: (host: Host, request: Request): number => main(host, request, lifecycle),
};

// SPDX-License-Identifier: Apache-2.0
// The device binary's entry. native/engine/main.c calls edgerunEntry.main, throws what makeHostError returns, and
// offers the program's other modules by name.
import { makeHostError } from "./host/error.ts";
import type { Host, Request } from "./host/functions.ts";
import { createLifecycle } from "./lifecycle/index.ts";
import type { PartName, Parts } from "./lifecycle/parts.ts";
import { main } from "./main.ts";

type LoadModule = (name: PartName) => unknown;

function loadParts(loadModule: LoadModule): Parts {
  return {
    launch: () => loadModule("launch") as ReturnType<Parts["launch"]>,
    authority: () => loadModule("authority") as ReturnType<Parts["authority"]>,
    commands: () => loadModule("commands") as ReturnType<Parts["commands"]>,
    mounts: () => loadModule("mounts") as ReturnType<Parts["mounts"]>,
    resources: () => loadModule("resources") as ReturnType<Parts["resources"]>,
    rare: () => loadModule("rare") as ReturnType<Parts["rare"]>,
    network: () => loadModule("network") as ReturnType<Parts["network"]>,
    special: () => loadModule("special") as ReturnType<Parts["special"]>,
    manifests: () => loadModule("manifests") as ReturnType<Parts["manifests"]>,
    checkpoint: () => loadModule("checkpoint") as ReturnType<Parts["checkpoint"]>,
    report: () => loadModule("report") as ReturnType<Parts["report"]>,
  };
}

(globalThis as { edgerunEntry?: unknown }).edgerunEntry = {
  makeHostError,
  main: (host: Host, request: Request, loadModule: LoadModule): number => {
    const parts = loadParts(loadModule);
    return main(host, request, { lifecycle: createLifecycle(parts), commands: parts.commands });
  },
};

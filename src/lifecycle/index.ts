// SPDX-License-Identifier: Apache-2.0
// The lifecycle as the command line calls it.
import { isHostEnrolled } from "./authorization.ts";
import { kill, pause, resume } from "./control.ts";
import { create } from "./create.ts";
import { deleteContainer } from "./delete.ts";
import { exec } from "./exec.ts";
import type { Lifecycle } from "./options.ts";
import { plan } from "./plan.ts";
import { list, ps, state } from "./queries.ts";
import { run } from "./run.ts";
import { start } from "./start.ts";

export const lifecycle: Lifecycle = {
  create,
  run,
  start,
  state,
  kill,
  delete: deleteContainer,
  exec,
  list,
  ps,
  pause,
  resume,
  plan,
  isEnrolled: isHostEnrolled,
};

// SPDX-License-Identifier: Apache-2.0
// The lifecycle as the command line calls it.
import type { Spec } from "../spec/config.ts";
import { deleteContainer } from "./delete.ts";
import { kill } from "./kill.ts";
import { type Authorization, type AuthorizeOptions, type Context, type Lifecycle, trustDirectory } from "./options.ts";
import type { Parts } from "./parts.ts";
import { start } from "./start.ts";
import { state } from "./state.ts";

export function createLifecycle(parts: Parts): Lifecycle {
  return {
    create: (context, options) => parts.launch().create(context, options),
    run: (context, options) => parts.launch().run(context, options),
    exec: (context, options) => parts.launch().exec(context, options),
    plan: (context, options) => parts.report().plan(context, options),
    checkpoint: (context, options) => parts.checkpoint().checkpoint(context, options, parts.launch()),
    restore: (context, options) => parts.checkpoint().restore(context, options, parts.launch()),
    authorize: (context, asked, options) => authorize(parts, context, asked, options),
    reauthorize: (context, directory, record) => {
      if (record.manifestDigest !== "" || hasTrustStore(context)) {
        parts.authority().reauthorize(context, directory, record);
      }
    },
    findCgroups: (context, directory) => parts.launch().findCgroups(context, directory),
    list: (context, options) => parts.rare().list(context, options),
    ps: (context, options) => parts.rare().ps(context, options),
    pause: (context, id) => parts.rare().pause(context, id),
    resume: (context, id) => parts.rare().resume(context, id),
    addMounts: (context, options) => parts.mounts().addMounts(context, options),
    removeMounts: (context, options) => parts.mounts().removeMounts(context, options),
    limitMounts: (asked, linux, grants) => parts.authority().limitAddedMounts(asked, linux, grants),
    events: (context, options) => parts.resources().events(context, options),
    update: (context, options) => parts.resources().update(context, options),
    killMatching: (context, options) => parts.rare().killMatching(context, options),
    deleteMatching: (context, options) => parts.rare().deleteMatching(context, options),
    chooseLink: (context, id) => parts.network().chooseLink(context.host, id),
    connectNetwork: (context, directory, record, request) =>
      parts.network().connectNetwork(context.host, directory, record, request),
    disconnectNetwork: (context, record) => {
      if (record.link !== undefined) parts.network().disconnectNetwork(context.host, record);
    },
    limitUpdate: (asked, grants) => parts.authority().limitUpdate(asked, grants),
    limitProcess: (asked, grants) => parts.authority().limitExecProcess(asked, grants),
    special: parts.special,
    manifests: parts.manifests,
    isEnrolled: (context) => hasTrustStore(context) && parts.authority().isHostEnrolled(context),
    start,
    state,
    kill,
    delete: deleteContainer,
  };
}

/** Without a trust store there is no owner to ask, and most of the program that would ask is not needed. */
function authorize(parts: Parts, context: Context, asked: Spec, options: AuthorizeOptions): Authorization {
  if (options.manifest === undefined && !hasTrustStore(context)) {
    return { spec: asked, decisions: null, grants: null, network: null, manifest: null };
  }
  return parts.authority().authorize(context, asked, options);
}

function hasTrustStore(context: Context): boolean {
  return context.host.fileInfo(trustDirectory(context), 0) !== null;
}

// SPDX-License-Identifier: Apache-2.0
// Who opens what bind mounts show. In a user namespace init has no rights over the host's files but those that
// everybody has, and nobody there may map the ids of a mount: then the host side opens it, in init's mount namespace,
// and hands it over.
import type { SourcePlan } from "./plan.ts";
import { unsupported } from "./refusal.ts";

/** What a bind mount shows. Without `idMaps` its ids stay as they are. */
export type Source = Pick<SourcePlan, "path" | "recursive"> & Partial<SourcePlan>;

export type Sources = {
  /** What is handed over, in order. */
  readonly handed: SourcePlan[];
  /** The number for the operation's field `handed`. @throws UNSUPPORTED where ids can't be mapped */
  hand(source: Source, jsonPath: string): number;
};

/**
 * @param inUserNamespace the container has a user namespace, new or joined
 * @param canEnter the host side may enter the container's mount namespace: it is new, and we are root
 */
export function planSources(inUserNamespace: boolean, canEnter: boolean): Sources {
  const handed: SourcePlan[] = [];
  return {
    handed,
    hand(source, jsonPath) {
      const { path, recursive, idMaps = null, mapRecursively = false } = source;
      if (idMaps !== null && !canEnter) {
        throw unsupported(
          jsonPath,
          "ids of a mount are mapped only by root, and only in a mount namespace that is new",
        );
      }
      if (!canEnter || (idMaps === null && !inUserNamespace)) return 0;
      return handed.push({ path, recursive, idMaps, mapRecursively });
    },
  };
}

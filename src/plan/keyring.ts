// SPDX-License-Identifier: Apache-2.0
// The session keyring of a container. Its processes share one, which exec finds by its name; with --no-new-keyring all
// keep the one of whoever calls.
import type { Operation } from "./operations.ts";

/** keyctl_setperm(3). By its name only a keyring is found that its user may search: root, also of a user namespace. */
const KEY_USR_SEARCH = 0x00080000;

/** The container's first process makes it. */
export function planNewKeyring(id: string, noNewKeyring: boolean): Operation[] {
  return noNewKeyring ? [] : [{ op: "session_keyring", name: keyringName(id), permissions: KEY_USR_SEARCH }];
}

/** A process of exec joins it, and has no right to change it. */
export function planJoinedKeyring(id: string, noNewKeyring: boolean): Operation[] {
  return noNewKeyring ? [] : [{ op: "session_keyring", name: keyringName(id), permissions: 0 }];
}

/** runc's name. */
function keyringName(id: string): string {
  return `_ses.${id}`;
}

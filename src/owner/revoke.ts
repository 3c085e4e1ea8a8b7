// SPDX-License-Identifier: Apache-2.0
// `edgerun owner revoke`: the owner's revocation list, a JSON file that grows, and its signed form. Node only.
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { EdgerunError } from "../errors.ts";
import { manifestFormats } from "../manifest/formats.ts";
import { type RevocationList, revocationsSchema, revocationsV1 } from "../manifest/revocations.ts";
import { decode } from "../schema/decode.ts";
import { fileError, readText } from "./keys.ts";
import { currentTime, parsePayload, type SignResult, sign } from "./sign.ts";
import type { SignerChoice } from "./signer.ts";

export type RevokeOptions = SignerChoice & {
  /** The list as JSON; made if it is not there. */
  list: string;
  out: string;
  /** Who revokes; needed for a new list. */
  iss?: string;
  /** minSeq: "com.example.app=17" */
  entries: { kids: string[]; jtis: string[]; digests: string[]; apps: string[]; minSeq: string[] };
  now?: number;
};

/**
 * Adds the entries, raises the list's seq, and signs it.
 * @throws EdgerunError USAGE, MANIFEST_INVALID, HOST
 */
export async function revoke(options: RevokeOptions): Promise<SignResult> {
  const { list: file, entries, iss, now = currentTime(), ...choice } = options;
  const old = await readList(file, iss);
  const list: RevocationList = { ...old, seq: old.seq + 1, iat: now };
  for (const kind of ["kids", "jtis", "digests", "apps"] as const) {
    const all = [...new Set([...(old[kind] ?? []), ...entries[kind]])];
    if (all.length > 0) list[kind] = all;
  }
  for (const entry of entries.minSeq) {
    const [app = "", seq = ""] = entry.split("=");
    if (!/^\d+$/.test(seq)) throw new EdgerunError("USAGE", `--min-seq ${JSON.stringify(entry)} is not APP=NUMBER`);
    list.minSeq = { ...list.minSeq, [app]: Number(seq) };
  }
  decode(revocationsSchema, JSON.parse(JSON.stringify(list)), "revocations", "MANIFEST_INVALID", manifestFormats);
  try {
    await writeFile(file, `${JSON.stringify(list, null, 2)}\n`);
  } catch (error) {
    throw fileError("write", file, error);
  }
  return sign({ ...choice, manifestFile: file, now });
}

async function readList(file: string, iss: string | undefined): Promise<RevocationList> {
  if (existsSync(file)) {
    const payload = parsePayload(await readText(file), file);
    return decode(revocationsSchema, payload, file, "MANIFEST_INVALID", manifestFormats).value;
  }
  if (iss === undefined) throw new EdgerunError("USAGE", `${JSON.stringify(file)} is new: say with --iss who revokes`);
  return { schema: revocationsV1, iss, seq: 0, iat: 0 };
}

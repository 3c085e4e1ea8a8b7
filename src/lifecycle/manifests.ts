// SPDX-License-Identifier: Apache-2.0
// `manifest`: the device's side of what the owner signs. Each function writes its result and returns the exit code.
import { EdgerunError } from "../errors.ts";
import { readmit } from "../manifest/admit.ts";
import { readClock } from "../manifest/clock.ts";
import { manifestType, peekPayload } from "../manifest/envelope.ts";
import { isReverseDns } from "../manifest/formats.ts";
import { openRevocations, revocationsPath, revocationsType } from "../manifest/revocations.ts";
import { raiseMark } from "../manifest/sequence.ts";
import { readLimited, readOwnedFile, type Site } from "../manifest/site.ts";
import { installManifest, listStored, peekManifest, readInstalled, removeManifest } from "../manifest/store.ts";
import { storeDirectory } from "../manifest/store_paths.ts";
import { invalidManifest } from "../manifest/text.ts";
import { isEnrolled, readTrustStore, trustDirectory } from "../manifest/trust.ts";
import { acceptSuccessor, openTrustRoot, trustRootType } from "../manifest/trust_root.ts";
import { requireEnforced } from "../manifest/unenforced.ts";
import { openVerifier, type Verifier, verifyManifest } from "../manifest/verify.ts";
import { quote } from "../schema/describe.ts";
import { computeStatus } from "../state/status.ts";
import { listIds, readRecord } from "../state/store.ts";
import { readStoredManifest } from "../state/stored_manifest.ts";
import { makeSite } from "./authority.ts";
import type { Context } from "./options.ts";
import { killAndWait } from "./processes.ts";

/** `manifest install FILE` */
export function install(context: Context, file: string): number {
  const { manifest, digest } = installManifest(openOwner(context), readDocument(makeSite(context), file));
  print(context, `installed ${manifest.jti} (seq ${manifest.seq}) for ${manifest.app.id}, ${digest}`);
  return 0;
}

/** `manifest verify FILE`: as a start would, except for the bundle. */
export function verify(context: Context, file: string): number {
  const { manifest, digest, signers } = verifyManifest(openOwner(context), readDocument(makeSite(context), file));
  requireEnforced(manifest);
  print(context, `valid: ${manifest.jti} (seq ${manifest.seq}) for ${manifest.app.id}, ${digest}`);
  for (const { kid, file: source } of signers) print(context, `signed by ${kid} (${source})`);
  return 0;
}

/** `manifest list`: what is installed, and whether a start would take it. */
export function listManifests(context: Context): number {
  const verifier = openOwner(context);
  const { site } = verifier;
  const rows = [["APP", "SEQ", "EXPIRES", "STATUS"]];
  const shown = new Set<string>();
  for (const name of listStored(site)) {
    const path = `${storeDirectory(site)}/${name}`;
    const text = readLimited(site.host, path, manifestType.maxBytes, "manifest") ?? "";
    if (shown.has(text)) continue;
    shown.add(text);
    const manifest = peekManifest(site, text);
    const [app, seq, exp] = [manifest?.app.id ?? name, `${manifest?.seq ?? "-"}`, `${manifest?.exp ?? "-"}`];
    rows.push([app, seq, exp, judge(verifier, text) ?? "valid"]);
  }
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows) {
    print(context, row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  "));
  }
  return 0;
}

/** `manifest show APP|FILE`: as JSON, with what is wrong with it. */
export function show(context: Context, name: string): number {
  const verifier = openOwner(context);
  const { site } = verifier;
  const text = isReverseDns(name) ? readInstalled(site, name) : readDocument(site, name);
  const problem = judge(verifier, text);
  const payload = peekPayload(site.host, text, manifestType);
  print(context, JSON.stringify({ valid: problem === null, problem, payload }, null, 2));
  return problem === null ? 0 : 1;
}

/** `manifest remove APP` */
export function remove(context: Context, app: string): number {
  if (!isReverseDns(app)) throw new EdgerunError("USAGE", `${quote(app)} is not an app id`);
  removeManifest(makeSite(context), app);
  return 0;
}

/** `manifest revoke FILE [--stop]`: puts a revocation list in force, then as check(). */
export function revoke(context: Context, file: string, stop: boolean): number {
  const site = makeSite(context);
  const text = readDocument(site, file, revocationsType.maxBytes);
  const { list, sequence } = openRevocations(site, readTrustStore(site), text);
  site.host.replaceFile(revocationsPath(site), text, 0o644, 1);
  raiseMark(site, sequence);
  print(context, `revocation list ${list.seq} of ${list.iss} is in force`);
  return check(context, stop);
}

/**
 * `manifest check [--stop]`: containers whose manifest is no longer valid, with the reason; `stop` kills them.
 * The exit code is 1 if one of them runs on.
 */
export function check(context: Context, stop: boolean): number {
  const { host, root, log } = context;
  const site = makeSite(context);
  let exitCode = 0;
  for (const id of listIds(host, root)) {
    const record = readRecord(host, root, id);
    const status = computeStatus(host, root, record);
    if (status === "stopped") continue;
    try {
      const { manifestDigest, annotations } = record;
      const text = manifestDigest === "" ? null : readStoredManifest(host, { id, path: `${root}/${id}`, lockFd: -1 });
      readmit(site, { text, digest: manifestDigest, annotations }, log.warn);
    } catch (error) {
      if (!(error instanceof EdgerunError)) throw error;
      if (stop) killAndWait(host, record);
      else exitCode = 1;
      print(context, `${id} ${stop ? "stopped" : status}: ${error.message}`);
    }
  }
  return exitCode;
}

/** `manifest trust-root FILE`: a new trust root; the first one takes the place of the key files and the policy. */
export function replaceTrustRoot(context: Context, file: string): number {
  const site = makeSite(context);
  const { host } = site;
  const directory = trustDirectory(site);
  const path = `${directory}/root.jws`;
  const text = readDocument(site, file, trustRootType.maxBytes);
  const next = openTrustRoot(site, text, file);
  if (next.root.exp !== undefined && readClock(site).now >= next.root.exp) {
    throw invalidManifest(`the trust root expired at ${next.root.exp}`);
  }
  const current = readOwnedFile(site, path, trustRootType.maxBytes, "trust root");
  if (current !== null) acceptSuccessor(site, openTrustRoot(site, current, path), next, text);
  const { version, epoch } = next.root;
  const sequence = { name: "trust-root", what: "the trust root", seq: version, digest: next.digest, epoch: 0 };
  raiseMark(site, sequence);
  host.makeDirectories(directory, 0o755);
  host.replaceFile(path, text, 0o644, 1);
  for (const name of host.listDirectory(directory)) {
    if (name.endsWith(".jwk") || name === "policy.json") host.removeFile(`${directory}/${name}`);
  }
  print(context, `trust root ${version} (epoch ${epoch}) is in force`);
  return 0;
}

/** @throws MANIFEST_INVALID where there is no owner */
function openOwner(context: Context): Verifier {
  const verifier = openVerifier(makeSite(context), context.log.warn);
  if (isEnrolled(verifier.trust)) return verifier;
  throw invalidManifest(`this host has no owner: there is no key in ${quote(verifier.trust.directory)}`);
}

/** Why a start would refuse a manifest; null if it would not. */
function judge(verifier: Verifier, text: string): string | null {
  try {
    requireEnforced(verifyManifest(verifier, text).manifest);
    return null;
  } catch (error) {
    if (error instanceof EdgerunError) return error.message;
    throw error;
  }
}

function readDocument(site: Site, file: string, maxBytes = manifestType.maxBytes): string {
  const text = readLimited(site.host, file, maxBytes, "document");
  if (text === null) throw new EdgerunError("USAGE", `there is no file ${quote(file)}`);
  return text;
}

function print({ host }: Context, line: string): void {
  host.writeFd(1, `${line}\n`);
}

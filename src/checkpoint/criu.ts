// SPDX-License-Identifier: Apache-2.0
// One CRIU process, serving one connection (`criu swrk`), and the conversation with it: a request, notifications while
// it is carried out, each of which CRIU wants answered, and the response.
// Source: criu(8), "swrk"; images/rpc.proto of CRIU.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { Context } from "../lifecycle/options.ts";
import { SIGKILL, signalIfAlive } from "../lifecycle/processes.ts";
import type { Directories } from "./images.ts";
import {
  type CriuFeatures,
  type CriuRequest,
  type CriuResponse,
  requestFields,
  requestTypes,
  responseFields,
  typeNames,
} from "./messages.ts";
import { decodeMessage, encodeMessage } from "./wire.ts";

/** The first that tells by notification when the page server is ready, and takes pid namespaces from outside. */
const minimumVersion = 31500;
const helpTimeoutMs = 30_000;
/** Descriptors of the CRIU process, as it is started here: of what requests name by number. */
export const imagesDescriptor = 4;
export const workDescriptor = 5;
export const firstFileDescriptor = 6;

export type Criu = {
  pid: number;
  /** Has it a request that takes time? Until then there is nothing that it would have to take back. */
  isBusy: boolean;
  connection: number;
  pidfd: number;
  /** 40101 is 4.1.1. */
  version: number;
};

export type CriuStart = {
  directories: Directories;
  /** Host files that CRIU gets opened, as descriptors from firstFileDescriptor on. */
  files: readonly string[];
  /** Gives it a mount namespace where the directory `root` is mounted at `target`, too. */
  root?: { directory: string; target: string };
  /** Our stdio is its own: what is restored can take it over. */
  keepStdio: boolean;
};

export type Notification = { script: string; pid: number; fd: number };

/**
 * Starts CRIU and asks for its version.
 * @throws EdgerunError UNSUPPORTED when there is none, or one that is too old
 */
export function startCriu(context: Context, { directories, files, root, keepStdio }: CriuStart): Criu {
  const { host, request } = context;
  const path = findCriu(context);
  const [pid = 0, connection = -1, pidfd = -1] = host.startCriu(
    path,
    request.env,
    [directories.images, directories.work, ...files],
    root?.directory ?? "",
    root?.target ?? "",
    keepStdio ? 1 : 0,
  );
  const criu = { pid, connection, pidfd, version: 0, isBusy: false };
  try {
    const { version = {} } = ask(host, criu, { type: requestTypes.version, keepOpen: true });
    const { major = 0, minor = 0, sublevel = 0 } = version;
    criu.version = major * 10000 + minor * 100 + sublevel;
    if (criu.version < minimumVersion) {
      throw new EdgerunError(
        "UNSUPPORTED",
        `"${path}" is version ${major}.${minor}: CRIU version ${criu.version} must be ${minimumVersion} or higher`,
      );
    }
    return criu;
  } catch (error) {
    endCriu(host, criu);
    throw error;
  }
}

/** criu(8) by the PATH of the caller, as a shell would find it. */
function findCriu({ host, request }: Context): string {
  const prefix = "PATH=";
  const entry = request.env.find((text) => text.startsWith(prefix));
  const searched = entry === undefined ? "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin" : entry.slice(prefix.length);
  for (const directory of searched.split(":")) {
    if (!directory.startsWith("/")) continue; // never out of the working directory
    const path = `${directory}/criu`;
    const mode = host.fileInfo(path, 1)?.[0] ?? 0;
    if ((mode & 0o170000) === 0o100000 && (mode & 0o111) !== 0) return path;
  }
  throw new EdgerunError(
    "UNSUPPORTED",
    `exec: "criu": executable file not found in $PATH: install the package "criu" (version 3.15 or later; searched ${searched})`,
  );
}

/**
 * Fails where CRIU or the kernel lacks what is asked for.
 * @throws EdgerunError UNSUPPORTED
 */
export function requireFeatures(host: Host, criu: Criu, wanted: CriuFeatures): void {
  const response = ask(host, criu, { type: requestTypes.featureCheck, features: wanted, keepOpen: true });
  const missing: string[] = [];
  if (wanted.memoryTracking === true && response.features?.memoryTracking !== true) missing.push("MemTrack");
  if (wanted.lazyPages === true && response.features?.lazyPages !== true) missing.push("LazyPages");
  if (missing.length === 0) return;
  throw new EdgerunError(
    "UNSUPPORTED",
    `criu is missing features: [${missing.join(" ")}] (\`criu check --all\` says why)`,
  );
}

/** A question that is answered at once. */
function ask(host: Host, criu: Criu, question: CriuRequest): CriuResponse {
  send(host, criu, question);
  const { response } = receive(host, criu, helpTimeoutMs);
  return requireSuccess(response, question);
}

/**
 * Has a request carried out. `onNotify` is called for each notification; when it throws, CRIU is told to give up, and
 * what it threw is thrown when CRIU has taken back what it did.
 * @throws EdgerunError CRIU
 */
export function carryOut(
  host: Host,
  criu: Criu,
  request: CriuRequest,
  onNotify: (notification: Notification) => void,
): CriuResponse {
  send(host, criu, request);
  criu.isBusy = true;
  let failure: { error: unknown } | undefined;
  for (;;) {
    const { response, fd } = receive(host, criu, -1);
    if (response.type !== requestTypes.notify || response.success !== true) {
      if (failure !== undefined) throw failure.error;
      return requireSuccess(response, request);
    }
    try {
      if (failure === undefined) {
        onNotify({ script: response.notify?.script ?? "", pid: response.notify?.pid ?? 0, fd });
      }
    } catch (error) {
      failure = { error };
    }
    send(host, criu, { type: requestTypes.notify, notifySuccess: failure === undefined });
  }
}

function send(host: Host, criu: Criu, request: CriuRequest): void {
  try {
    host.writeBytes(criu.connection, encodeMessage(host, requestFields, request));
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "EPIPE") throw ended();
    throw error;
  }
}

function receive(host: Host, criu: Criu, timeoutMs: number): { response: CriuResponse; fd: number } {
  const bytes = host.receivePacket(criu.connection, timeoutMs);
  if (bytes.length === 0) throw ended();
  const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = bytes;
  const fd = b0 | (b1 << 8) | (b2 << 16) | (b3 << 24);
  return { response: decodeMessage(host, responseFields, bytes.subarray(4)), fd };
}

function requireSuccess(response: CriuResponse, { type = 0 }: CriuRequest): CriuResponse {
  const answered = response.type ?? 0;
  if (response.success === true && answered === type) return response;
  const name = typeNames[answered] ?? String(answered);
  const how = response.success === true ? `: it was asked for ${typeNames[type]}` : ` errno ${response.errno ?? 0}`;
  throw new EdgerunError("CRIU", `criu failed: type ${name}${how}`);
}

function ended(): EdgerunError {
  return new EdgerunError("CRIU", "criu ended without an answer");
}

/**
 * Closes the connection and waits for CRIU's end. Where it has worked, it ends by itself; what it restored goes on.
 * Returns its exit code.
 */
export function endCriu(host: Host, criu: Criu): number {
  if (!criu.isBusy) signalIfAlive(host, criu.pid, SIGKILL); // it would complain, on what is to be the container's stderr
  host.closeFd(criu.connection);
  const exitCode = host.waitProcess(criu.pid);
  host.closeFd(criu.pidfd);
  return exitCode;
}

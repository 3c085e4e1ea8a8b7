// SPDX-License-Identifier: Apache-2.0
// What the commands hand to the lifecycle: everything that came from the command line, checked and typed.
// Paths are absolute (joined with the working directory, links not resolved). Ids have passed checkId().
import type { Host, Json, Request } from "../host/functions.ts";
import type { Grants } from "../manifest/schema.ts";
import type { NetworkRequest } from "../network/request.ts";
import type { CgroupManager } from "../plan/cgroups.ts";
import type { Decision } from "../policy/decision.ts";
import type { Linux, LinuxResources, Mount, Process, Spec } from "../spec/config.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { StateDirectory } from "../state/store.ts";
import type { Parts } from "./parts.ts";

export type Rootless = "true" | "false" | "auto";

/** What every command works with. */
export type Context = {
  host: Host;
  request: Request;
  lifecycle: Lifecycle;
  /** The directory with one state directory per container. */
  root: string;
  /** The directory with the owner's keys (`trust`) and manifests (`manifests`). */
  configRoot: string;
  /** The directory with what outlives containers and reboots: which manifests were in force. */
  dataRoot: string;
  /** `--cgroup-manager` or `--systemd-cgroup`. */
  cgroupManager: CgroupManager;
  /** `--rootless`: who has no rights over cgroups may do without. auto: whoever is not root of the host. */
  rootless: Rootless;
  log: Log;
};

/** Where messages go that are not a command's result; an error is thrown instead, and written once, by main(). */
export type Log = {
  error(message: string): void;
  warn(message: string): void;
  debug(message: string): void;
};

export type CreateOptions = {
  id: string;
  bundle: string;
  /** A file in place of the bundle's config.json. */
  config: string | undefined;
  /** The capability manifest's file; undefined: looked up as the host's configuration says. */
  manifest: string | undefined;
  consoleSocket: string | undefined;
  pidfdSocket: string | undefined;
  pidFile: string | undefined;
  noPivot: boolean;
  noNewKeyring: boolean;
  /** How many descriptors from 3 on stay open in the container, $LISTEN_FDS not counted. */
  preserveFds: number;
};

export type RunOptions = CreateOptions & {
  detach: boolean;
  /** Leave the state of a container that has exited. */
  keep: boolean;
  noSubreaper: boolean;
};

/** Who a process runs as; no gid: the one of config.json's process. */
export type ExecUser = { uid: number; gid: number | undefined };

/** `undefined`: not given, config.json's process decides. */
export type ExecOptions = {
  id: string;
  /** The program and its arguments; empty where `process` names a file. */
  args: string[];
  /** A process.json, which then decides alone; the fields below down to `caps` don't count. */
  process: string | undefined;
  cwd: string | undefined;
  /** "NAME=value", added. */
  env: string[];
  tty: boolean | undefined;
  user: ExecUser | undefined;
  additionalGids: number[];
  processLabel: string | undefined;
  apparmor: string | undefined;
  noNewPrivs: boolean | undefined;
  /** Names, as given. */
  caps: string[];
  consoleSocket: string | undefined;
  pidfdSocket: string | undefined;
  pidFile: string | undefined;
  detach: boolean;
  preserveFds: number;
  /** `[controller[,controller]:]path`, as given. */
  cgroups: string[];
  ignorePaused: boolean;
};

/** `all`: every process of the container; one that is not running is then no error. signal: 0 to 64. */
export type KillOptions = { id: string; signal: number; all: boolean };

export type DeleteOptions = { id: string; force: boolean };

/** `pattern`: an extended regular expression (regex(7)), found anywhere in the id. */
export type KillMatchingOptions = { pattern: string; signal: number; all: boolean };
export type DeleteMatchingOptions = { pattern: string; force: boolean };

/** What `checkpoint` and `restore` have in common; each is criu(8)'s option of that name, unless told. */
export type CriuFlags = {
  id: string;
  /** The directory of the images. */
  imagePath: string;
  /** The directory of logs and work files; undefined: that of the images. */
  workPath: string | undefined;
  tcpEstablished: boolean;
  extUnixSk: boolean;
  shellJob: boolean;
  fileLocks: boolean;
  manageCgroupsMode: "default" | "soft" | "full" | "strict" | "ignore";
  autoDedup: boolean;
  lazyPages: boolean;
  /** How connections are kept still meanwhile; undefined: CRIU's default. */
  networkLock: "iptables" | "nftables" | "skip" | undefined;
};

export type CheckpointOptions = CriuFlags & {
  /** Relative to imagePath: an earlier pre-dump, whose pages are not written again. */
  parentPath: string | undefined;
  leaveRunning: boolean;
  tcpSkipInFlight: boolean;
  linkRemap: boolean;
  /** Told with one zero byte when the page server is ready; -1: nobody is. */
  statusFd: number;
  pageServer: { address: string; port: number } | undefined;
  /** Memory only; the container goes on. */
  preDump: boolean;
};

export type RestoreOptions = CriuFlags & {
  bundle: string;
  /** The capability manifest's file; undefined: looked up as the host's configuration says. */
  manifest: string | undefined;
  consoleSocket: string | undefined;
  pidFile: string | undefined;
  detach: boolean;
  tcpClose: boolean;
  /** TYPE:NAME; undefined: what the processes had. */
  lsmProfile: string | undefined;
  lsmMountContext: string | undefined;
};

export type OutputFormat = "table" | "json";

export type ListOptions = { format: OutputFormat; quiet: boolean };

/** `args` are for ps(1); empty: `-ef`. */
export type PsOptions = { id: string; format: OutputFormat; args: string[] };

/** Limits to change; 0, "" and what is absent stay as they are. */
export type UpdateOptions = {
  id: string;
  /** From the flags. */
  changes: LinuxResources;
  /** A file that says what to change, in place of `changes`; "-": standard input. */
  resources: string | undefined;
  /** Intel RDT; "": no change. */
  l3CacheSchema: string;
  memBwSchema: string;
};

/** `stats`: once, and no events. intervalMs: above 0, may have a fraction. */
export type EventsOptions = { id: string; intervalMs: number; stats: boolean };

/** `file`: a list of mounts, as in config.json. */
export type MountsOptions = { id: string; file: string };

/** id: undefined where the plan is for no container in particular. */
export type PlanOptions = Pick<CreateOptions, "bundle" | "config" | "manifest"> & {
  id: string | undefined;
  json: boolean;
};

/** `state`, and an entry of `list`, in the order of the output. */
export type ContainerState = {
  ociVersion: string;
  id: string;
  /** 0 when stopped. */
  pid: number;
  status: "creating" | "created" | "running" | "paused" | "stopped";
  bundle: string;
  rootfs: string;
  /** rfc3339() of the creation. */
  created: string;
  annotations?: { [name: string]: string };
  /** The name of the user who created it. */
  owner: string;
};

/** What the device's owner says to a bundle. */
export type Authorization = {
  /** The effective spec; on a host that is not enrolled, what the bundle asks for. */
  spec: Spec;
  /** null: the host is not enrolled, nothing was decided. */
  decisions: Decision[] | null;
  /** What bounds the processes of `exec` as well; null where nothing does. */
  grants: Grants | null;
  /** What its network shall let through, where the manifest grants a link of its own. */
  network: NetworkRequest | null;
  /** The manifest that nobody else than the owner can have written; null where there is none. */
  manifest: SignedManifest | null;
};

export type SignedManifest = {
  /** As it was signed. */
  text: string;
  /** Of its payload. */
  digest: string;
  /** Who signed. */
  keyIds: string[];
  /** Remembers that it is in force, so that no older one is accepted; before the program can start. */
  commit(): void;
};

/** `manifest`: the file of --manifest. With reportOnly, denials are in the decisions and not thrown. */
export type AuthorizeOptions = { bundle: string; manifest: string | undefined; reportOnly: boolean };

/** The trust store in the configuration directory. */
export function trustDirectory(context: Context): string {
  return `${context.configRoot}/trust`;
}

/** The commands that work on containers. Each returns the exit code and writes its result itself. */
export interface Lifecycle {
  create(context: Context, options: CreateOptions): number;
  run(context: Context, options: RunOptions): number;
  start(context: Context, id: string): number;
  state(context: Context, id: string): number;
  kill(context: Context, options: KillOptions): number;
  delete(context: Context, options: DeleteOptions): number;
  killMatching(context: Context, options: KillMatchingOptions): number;
  deleteMatching(context: Context, options: DeleteMatchingOptions): number;
  exec(context: Context, options: ExecOptions): number;
  list(context: Context, options: ListOptions): number;
  ps(context: Context, options: PsOptions): number;
  pause(context: Context, id: string): number;
  resume(context: Context, id: string): number;
  update(context: Context, options: UpdateOptions): number;
  addMounts(context: Context, options: MountsOptions): number;
  removeMounts(context: Context, options: MountsOptions): number;
  events(context: Context, options: EventsOptions): number;
  plan(context: Context, options: PlanOptions): number;
  checkpoint(context: Context, options: CheckpointOptions): number;
  restore(context: Context, options: RestoreOptions): number;
  /** Finds and verifies the manifest of a bundle, and applies it. */
  authorize(context: Context, asked: Spec, options: AuthorizeOptions): Authorization;
  /** Checks, before a created container starts, that its manifest is still valid. */
  reauthorize(context: Context, directory: StateDirectory, record: ContainerRecord): void;
  /** The cgroup directories of a container whose record is lost, from its effective config; none if that is lost, too. */
  findCgroups(context: Context, directory: StateDirectory): string[];
  /** A process of `exec`, as far as the manifest of its container grants it. */
  limitProcess(asked: Process, grants: Json): Process;
  /** The mounts for a running container, as far as its manifest grants them. @throws DENIED */
  limitMounts(asked: readonly Mount[], linux: Linux, grants: Json): Mount[];
  /** The limits of a running container, as far as its manifest grants them. */
  limitUpdate(asked: LinuxResources, grants: Json): { resources: LinuxResources; decisions: Decision[] };
  /** A name for the interface that connects a container; connectNetwork() makes it. */
  chooseLink(context: Context, id: string): string;
  connectNetwork(context: Context, directory: StateDirectory, record: ContainerRecord, request: NetworkRequest): void;
  /** Removes the link and its rules, where the record names one. */
  disconnectNetwork(context: Context, record: ContainerRecord): void;
  /** What few containers ask for. */
  special: Parts["special"];
  /** The device's side of what the owner signs. */
  manifests: Parts["manifests"];
  /** Whether this host has an owner, so that containers need a manifest; for `features`. */
  isEnrolled(context: Context): boolean;
}

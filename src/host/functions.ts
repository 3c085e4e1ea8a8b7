// SPDX-License-Identifier: Apache-2.0
// THE table of host functions: everything that edgerun can do to the machine. scripts/generate.ts makes the C table
// (build/gen/host_functions.h) from it, both bindings (QuickJS and N-API) are driven by that table, and the type
// Host is derived from it here, so neither binding nor the TypeScript side can drift.
//
// Argument kinds: int (safe integer), str (UTF-8, no NUL), bytes (Uint8Array), strs (list of str),
// words (list of u32), blobs (list of str or Uint8Array).
// Result kinds: void, int, str, bytes, ints, strs, json (strictly parsed, see native/core/json.h);
// `str?` and `ints?` are null where the object does not exist (ENOENT, ESRCH).
// Every failure is an EdgerunError HOST with errno.

export const hostFunctions = {
  // --- descriptors, clock
  writeFd: { args: ["fd:int", "text:str"], result: "void", doc: "Writes all of the text to an open descriptor." },
  readFd: {
    args: ["fd:int", "maxBytes:int"],
    result: "str",
    doc: "Reads to end of file; more than maxBytes is EFBIG.",
  },
  closeFd: { args: ["fd:int"], result: "void", doc: "Closes a descriptor that another host function returned." },
  clock: { args: [], result: "ints", doc: "The wall clock: [seconds since the epoch, nanoseconds]." },

  sleep: { args: ["milliseconds:int"], result: "void", doc: "nanosleep(2)." },

  // --- files by host path (trusted paths only; nothing below a rootfs)
  readFile: { args: ["path:str", "maxBytes:int"], result: "str", doc: "A file's text; more than maxBytes is EFBIG." },
  readFileIfExists: { args: ["path:str", "maxBytes:int"], result: "str?", doc: "As readFile; null if absent." },
  readJson: { args: ["path:str", "maxBytes:int"], result: "json", doc: "A regular JSON file, strictly parsed." },
  parseJson: { args: ["text:str", "label:str"], result: "json", doc: "Strict JSON; label names it in errors." },
  writeFile: {
    args: ["path:str", "text:str"],
    result: "void",
    doc: "One write(2) to an existing file (cgroupfs, procfs).",
  },
  createFile: {
    args: ["path:str", "text:str", "mode:int", "sync:int"],
    result: "void",
    doc: "Creates a file that must not exist (O_EXCL); with sync, it is on disk when this returns.",
  },
  replaceFile: {
    args: ["path:str", "text:str", "mode:int", "sync:int"],
    result: "void",
    doc: "Writes `.NAME.tmp` beside the path, then renames: readers see the old or the new text, never a part.",
  },
  appendFile: {
    args: ["path:str", "text:str"],
    result: "void",
    doc: "One write(2) at the end of a file (O_APPEND), which is created with mode 0644 if absent.",
  },
  fileInfo: {
    args: ["path:str", "followLinks:int"],
    result: "ints?",
    doc: "[mode, uid, gid, size, device, inode, rdev major, rdev minor] by statx(2).",
  },
  realPath: { args: ["path:str"], result: "str", doc: "The absolute path with every link resolved." },
  listDirectory: { args: ["path:str"], result: "strs", doc: "The names in a directory, sorted bytewise." },
  makeDirectory: { args: ["path:str", "mode:int"], result: "void", doc: "mkdir(2): EEXIST if there." },
  makeDirectories: { args: ["path:str", "mode:int"], result: "void", doc: "mkdir -p." },
  removeDirectory: { args: ["path:str"], result: "void", doc: "rmdir(2)." },
  removeFile: { args: ["path:str"], result: "void", doc: "unlink(2)." },
  changeGroup: {
    args: ["path:str", "gid:int", "mode:int"],
    result: "void",
    doc: "chown(2) of the group and chmod(2), of a directory that is no link.",
  },
  openDirectory: { args: ["path:str"], result: "int", doc: "A descriptor (O_DIRECTORY, O_NOFOLLOW, O_CLOEXEC)." },
  lock: {
    args: ["fd:int", "timeoutMs:int"],
    result: "int",
    doc: "Exclusive flock(2); 1 when locked, 0 when still held by another after timeoutMs.",
  },

  // --- processes
  processInfo: {
    args: ["pid:int"],
    result: "ints?",
    doc: "[start time in clock ticks, state as character code, parent pid] of /proc/PID/stat.",
  },
  signalProcess: {
    args: ["pid:int", "startTime:int", "signal:int"],
    result: "void",
    doc: "Signals by pidfd after the start time was compared; ESRCH if that process is gone.",
  },
  openProcess: { args: ["pid:int"], result: "int", doc: "A pidfd of a process." },
  waitProcess: { args: ["pid:int"], result: "int", doc: "Waits for a child; its exit code, or 128+n for signal n." },
  prepareTerminal: {
    args: ["masterFd:int"],
    result: "void",
    doc: "A pty that superviseProcess will relay: our terminal's size, no newline mapping. Before its program starts.",
  },
  superviseProcess: {
    args: ["pid:int", "pidfd:int", "terminalFd:int", "notifyFd:int", "notifyAddress:str"],
    result: "int",
    doc: "Waits for a child in the foreground: forwards signals, relays the terminal and notifications (each -1: none), reaps; returns its code.",
  },
  bindNotifySocket: {
    args: ["path:str"],
    result: "int",
    doc: "A datagram socket at the path, to which everybody may send.",
  },
  relayNotifications: {
    args: ["notifyFd:int", "notifyAddress:str", "pidfd:int", "mainPid:int"],
    result: "int",
    doc: "Forwards sd_notify(3) messages of a container until one says READY=; 1 then, 0 if its process ended before.",
  },
  listCgroupProcesses: {
    args: ["path:str"],
    result: "strs",
    doc: "The pids in a cgroup directory and those below it, as decimal texts; none if it is gone.",
  },
  removeCgroup: {
    args: ["path:str", "timeoutMs:int"],
    result: "void",
    doc: "Removes a cgroup directory and those below it, depth first; EBUSY if still populated after timeoutMs.",
  },
  attachDeviceProgram: {
    args: ["path:str", "program:words"],
    result: "void",
    doc: "Loads a BPF_PROG_TYPE_CGROUP_DEVICE program (src/plan/device_program.ts) and attaches it to a cgroup v2 directory, beside those that are there.",
  },
  watchOutOfMemory: {
    args: ["cgroup:str"],
    result: "int",
    doc: "A descriptor that is readable when processes of a memory cgroup (v1, v2) may have been killed for want of memory.",
  },
  awaitReadable: {
    args: ["fds:words", "timeoutMs:int"],
    result: "int",
    doc: "Waits for one of the descriptors: the index of the first that is readable, or -1 after timeoutMs.",
  },
  drain: { args: ["fd:int"], result: "void", doc: "Reads and forgets what watchOutOfMemory's descriptor has." },
  runProgram: {
    args: ["path:str", "args:strs", "env:strs", "stdin:str", "timeoutMs:int"],
    result: "json",
    doc: "Runs a host program with exactly this environment: {exitCode, signal, timedOut, output} (output: 64 KiB).",
  },
  setResourceLimit: {
    args: ["pid:int", "resource:int", "soft:str", "hard:str"],
    result: "void",
    doc: "prlimit(2); limits are decimal u64.",
  },

  // --- launching (native/core/launch.c and native/init)
  encodePlan: {
    args: ["words:words", "blobs:blobs"],
    result: "bytes",
    doc: "The wire form of a list of operations (docs/plan.md).",
  },
  launchInit: {
    args: ["plan:bytes", "cloneFlags:int", "preserveFds:int"],
    result: "ints",
    doc: "Starts edgerun-init with the plan: [pid, control descriptor, pidfd]. It does nothing that outlives it before `go`.",
  },
  awaitInit: {
    args: ["controlFd:int", "timeoutMs:int"],
    result: "json",
    doc: "The next message of init: {kind, operation, errno, text, value, fd}; kind is a message name of docs/plan.md, or end (of file).",
  },
  sendPlan: {
    args: ["controlFd:int", "plan:bytes", "startSocket:str"],
    result: "void",
    doc: "Sends the operations that `receive_plan` waits for and, unless startSocket is empty, a socket that listens there for `start`.",
  },
  tellInit: { args: ["controlFd:int", "message:int", "value:int"], result: "void", doc: "Sends a message to init." },
  handSources: {
    args: ["controlFd:int", "pid:int", "paths:strs", "flags:words", "maps:strs"],
    result: "void",
    doc: "Opens sources of bind mounts in the mount namespace of a process, with our rights, maps ids where asked, and sends the detached mounts to init. A flag word: 1 recursive, 2 map recursively, 4 * n map by: 1 the process's own user namespace, 2 the first pair of `maps` (texts of uid_map and gid_map), ...",
  },
  connectStart: {
    args: ["path:str", "timeoutMs:int"],
    result: "int",
    doc: "Connects to a created container's start socket; ECONNREFUSED or ENOENT if it is past that.",
  },
  sendDescriptor: {
    args: ["socketPath:str", "fd:int", "text:str"],
    result: "void",
    doc: "Connects to a UNIX stream socket and sends one descriptor with a text (SCM_RIGHTS).",
  },
  sendDatagram: {
    args: ["socketPath:str", "text:str"],
    result: "void",
    doc: "Sends one datagram to a UNIX socket (the journal's, syslog's).",
  },
  takeDescriptor: {
    args: ["pidfd:int", "fd:int"],
    result: "int",
    doc: "pidfd_getfd(2): a duplicate of a descriptor of another process.",
  },

  // --- networks
  openNamespace: {
    args: ["path:str"],
    result: "int",
    doc: "A descriptor of a namespace file (nsfs), which keeps the namespace alive; EINVAL for any other file.",
  },
  netlinkExchange: {
    args: ["namespace:str", "protocol:int", "messages:bytes", "labels:strs"],
    result: "bytes",
    doc: "Sends netlink messages (src/netlink) in the network namespace with that path ('': ours), and returns the kernel's answers. The first error in them fails it, with the label of its message: sequence number 1 is labels[0].",
  },

  // --- criu(8) (native/core/criu.c)
  startCriu: {
    args: ["path:str", "env:strs", "files:strs", "root:str", "rootTarget:str", "keepStdio:int"],
    result: "ints",
    doc: "Starts `criu swrk 3`: [pid, connection, pidfd]. Its descriptors 4 and up are the files, opened by itself to read, devices to write as well. With a root: in a mount namespace of its own, where that directory is mounted at rootTarget, too. Its stdio is ours with keepStdio, /dev/null otherwise.",
  },
  writeBytes: {
    args: ["fd:int", "data:bytes"],
    result: "void",
    doc: "One write(2) of all of it; a packet, where the descriptor is a packet socket. EPIPE does not kill.",
  },
  receivePacket: {
    args: ["fd:int", "timeoutMs:int"],
    result: "bytes",
    doc: "The next packet, after four bytes (little-endian): the descriptor that came with it, or -1. Empty at end of file. timeoutMs -1: none.",
  },

  // --- libraries
  compileSeccomp: {
    args: ["words:words", "strings:strs", "cacheDirectory:str"],
    result: "bytes",
    doc: "BPF of a filter (libseccomp), from the cache where its digest is there.",
  },
  supportsSeccompFlags: {
    args: ["flags:int"],
    result: "int",
    doc: "1 if this kernel knows all of these SECCOMP_FILTER_FLAG_*, else 0.",
  },
  matchRegex: {
    args: ["pattern:str", "texts:strs"],
    result: "strs",
    doc: "Those of the texts in which the extended regular expression (regex(7)) is found; EINVAL for a wrong one.",
  },
  sha256: { args: ["data:bytes"], result: "str", doc: "Lower-case hex digest." },
  base64UrlDecode: {
    args: ["text:str"],
    result: "bytes",
    doc: "Strict, without padding (RFC 7515); EINVAL otherwise.",
  },
  bytesToText: { args: ["data:bytes"], result: "str", doc: "Strict UTF-8; EILSEQ otherwise." },
  textToBytes: { args: ["text:str"], result: "bytes", doc: "UTF-8." },
  verifySignature: {
    args: ["algorithm:str", "key:bytes", "message:bytes", "signature:bytes"],
    result: "int",
    doc: "1 if valid. EdDSA: 32-byte key; ES256, ES512: uncompressed point of P-256, P-521, and r||s of its size.",
  },
} as const;

type ArgKinds = {
  int: number;
  str: string;
  bytes: Uint8Array;
  strs: readonly string[];
  words: readonly number[];
  blobs: readonly (string | Uint8Array)[];
};
type ResultKinds = {
  void: undefined;
  int: number;
  str: string;
  "str?": string | null;
  bytes: Uint8Array;
  ints: number[];
  "ints?": number[] | null;
  strs: string[];
  json: Json;
};
/** What strict JSON parsing yields: integers beyond 2^53 are BigInt, objects have a null prototype. */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };

type Table = typeof hostFunctions;
type Arg<A> = A extends `${string}:${infer K}` ? (K extends keyof ArgKinds ? ArgKinds[K] : never) : never;
type Args<A extends readonly string[]> = { -readonly [I in keyof A]: Arg<A[I]> };

/** The machine, as the brain sees it. Real ones: native/engine (QuickJS), native/addon (Node); a fake one for tests. */
export type Host = { [K in keyof Table]: (...args: Args<Table[K]["args"]>) => ResultKinds[Table[K]["result"]] };

/** What came with the invocation; nothing else reads argv, the environment or the working directory. */
export type Request = {
  /** argv[0] as given: used in usage errors. */
  program: string;
  /** Arguments after the program's name. */
  argv: readonly string[];
  /** "NAME=value" strings. */
  env: readonly string[];
  cwd: string;
  uid: number;
  gid: number;
  pid: number;
};

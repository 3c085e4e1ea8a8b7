// SPDX-License-Identifier: Apache-2.0
// THE table of the LaunchPlan: every operation that edgerun-init can carry out, with its fields in wire order.
// scripts/generate.ts makes build/gen/plan.h (op codes, structs, decoder descriptors), spec/plan.schema.json and the
// reference in docs/plan.md from it. The hands decide nothing: an operation that can't be done is an error.
//
// Field kinds: u32; u64 (a safe integer, two words on the wire); str and blob (an index into the blob table);
// strs and u32s (a count, then that many indexes or words).
// Paths named `target` or `path` are resolved below the container's root with openat2(RESOLVE_IN_ROOT); paths named
// `source` are host paths, opened before the root is switched.

export const operations = {
  // --- namespaces and the handshake
  wait_go: { code: 1, fields: {}, doc: "Wait until the record is on disk and the id maps are written." },
  join_namespaces: {
    code: 2,
    fields: { types: "u32s", sources: "strs" },
    doc: "setns(2) into each namespace file, which must be of its type (CLONE_NEW*). All are opened first. Those that we may not join before the user namespace, which may be what gives the right, are joined after it.",
  },
  unshare: { code: 3, fields: { flags: "u32" }, doc: "unshare(2): new namespaces." },
  receive_plan: {
    code: 9,
    fields: {},
    doc: "Go on with the operations that the host side sends in the message `plan`. The host side computes them meanwhile.",
  },
  wait_cgroups: { code: 7, fields: {}, doc: "Wait until the host side has made the cgroups and set their limits." },
  join_cgroup: {
    code: 8,
    fields: { source: "str" },
    doc: "Move this process, which has one thread, into the cgroup directory: `0` into `tasks` (cgroup v1) or `cgroup.procs`.",
  },
  time_offsets: {
    code: 4,
    fields: { text: "str" },
    doc: "Write /proc/self/timens_offsets for the new time namespace.",
  },
  fork: {
    code: 5,
    fields: { flags: "u32" },
    doc: "Go on in a sibling (CLONE_PARENT | flags); enters a joined pid or time namespace.",
  },
  announce: {
    code: 30,
    fields: { visible: "u32" },
    doc: "Tell the host side that init runs, and not its execve(2) any more. With `visible` its /proc/PID belongs to its user, who may write its id maps, until set_ids_in_userns.",
  },
  set_ids_in_userns: { code: 6, fields: {}, doc: "Become uid 0 and gid 0 of the user namespace." },

  // --- root and mounts
  set_propagation: {
    code: 10,
    fields: { flags: "u32" },
    doc: "Propagation of the host's `/` in this mount namespace (MS_* flags).",
  },
  open_root: {
    code: 11,
    fields: { source: "str", attach: "u32", propagation: "u32" },
    doc: "Open the root; every later `target` is below it. With attach 1 (a mount namespace of our own): clone its mount tree, attach that over itself; the propagation is set after pivot_root. With attach 2: clone it, and leave the clone detached.",
  },
  mount_filesystem: {
    code: 12,
    fields: {
      type: "str",
      source: "str",
      target: "str",
      data: "strs",
      attributes: "u64",
      superFlags: "u32",
      propagation: "u32",
      inheritMode: "u32",
      copyUp: "u32",
    },
    doc: "A new file system: fsopen, fsconfig for each datum, fsmount with the attributes (MOUNT_ATTR_*), move_mount. inheritMode: with `mode=` of the directory that it is mounted on, if that was there. copyUp: with a copy of what that directory holds.",
  },
  mount_by_flags: {
    code: 15,
    fields: {
      type: "str",
      source: "str",
      target: "str",
      data: "strs",
      attributes: "u64",
      superFlags: "u32",
      inheritMode: "u32",
      copyUp: "u32",
    },
    doc: "As mount_filesystem, by mount(2): for what fsconfig(2) has no word for (silent, iversion) and for options of more than 255 bytes, which it does not take.",
  },
  mount_bind: {
    code: 13,
    fields: {
      source: "str",
      target: "str",
      recursive: "u32",
      attributesSet: "u64",
      attributesClear: "u64",
      recursiveSet: "u64",
      recursiveClear: "u64",
      propagation: "u32",
      handed: "u32",
    },
    doc: "A bind mount: open_tree, mount_setattr while still detached, move_mount. Missing target: directory or empty file, as the source. handed: the number, from 1 on, of the source among those of receive_sources; 0 where init opens it.",
  },
  remount: {
    code: 14,
    fields: {
      target: "str",
      attributesSet: "u64",
      attributesClear: "u64",
      recursiveSet: "u64",
      recursiveClear: "u64",
      propagation: "u32",
    },
    doc: "Change the attributes of an existing mount; the recursive ones also of every mount below it.",
  },
  reconfigure_filesystem: {
    code: 28,
    fields: { target: "str", data: "strs" },
    doc: "Change options of the file system that is mounted there: fspick, fsconfig for each datum.",
  },
  make_directory: { code: 16, fields: { target: "str", mode: "u32" }, doc: "A directory, with its parents." },
  make_symlink: {
    code: 17,
    fields: { value: "str", target: "str" },
    doc: "A symbolic link; one with the same value may be there.",
  },
  make_device: {
    code: 18,
    fields: { target: "str", type: "u32", major: "u32", minor: "u32", mode: "u32", uid: "u32", gid: "u32" },
    doc: "mknod below the root; a node that is there must be the same device. type: S_IFCHR, S_IFBLK or S_IFIFO.",
  },
  bind_device: {
    code: 19,
    fields: { source: "str", target: "str", type: "u32", major: "u32", minor: "u32", handed: "u32" },
    doc: "Bind the host's device node (user namespaces can't mknod); it must be that device. handed: as in mount_bind.",
  },
  receive_sources: {
    code: 29,
    fields: { count: "u32" },
    doc: "Take over the sources of bind mounts that the host side has opened, with its rights and with ids mapped.",
  },
  prepare_mount_changes: {
    code: 34,
    fields: { keep: "u32" },
    doc: "Before the mount namespace of a running container is joined: open what mounts are taken away by. keep: if a later operation fails, or the host side ends before its word, the mounts made until then are taken away again.",
  },
  commit_mounts: {
    code: 35,
    fields: {},
    doc: "Tell the host side the id of each mount that was made, in order; wait for its word (`start`), and end.",
  },
  remove_mounts: {
    code: 36,
    fields: { targets: "strs", ids: "u32s" },
    doc: "Unmount, and end. Each target must be the mount with the id beside it, all of them before one is unmounted.",
  },
  mask_path: {
    code: 20,
    fields: { target: "str" },
    doc: "Hide: a file behind /dev/null, a directory behind an empty read-only tmpfs. Absent is fine.",
  },
  readonly_path: { code: 21, fields: { target: "str" }, doc: "Make a subtree read-only. Absent is fine." },
  open_terminal: {
    code: 22,
    fields: { columns: "u32", rows: "u32", uid: "u32", console: "u32" },
    doc: "A pty of the container's devpts; its master goes to the host side, its slave becomes stdio and, with `console`, /dev/console.",
  },
  host_interfaces: { code: 33, fields: {}, doc: "Wait while the host side moves network interfaces in." },
  host_hooks: { code: 23, fields: {}, doc: "Wait while the host side runs prestart and createRuntime hooks." },
  run_hook: {
    code: 24,
    fields: { name: "str", index: "u32", path: "str", args: "strs", env: "strs", input: "str", timeoutMs: "u32" },
    doc: "createContainer and startContainer hooks: run inside, with exactly this environment. timeoutMs 0: none.",
  },
  pivot_root: {
    code: 25,
    fields: { noPivot: "u32" },
    doc: "Make the root the root: pivot_root(2), or MS_MOVE and chroot with noPivot.",
  },
  chroot: { code: 26, fields: {}, doc: "For containers without a mount namespace of their own." },
  root_attributes: {
    code: 27,
    fields: { attributesSet: "u64" },
    doc: "Attributes of the root mount itself (read-only).",
  },

  // --- kernel parameters
  set_hostname: { code: 40, fields: { name: "str" }, doc: "sethostname(2)." },
  set_domainname: { code: 41, fields: { name: "str" }, doc: "setdomainname(2)." },
  set_sysctl: {
    code: 42,
    fields: { path: "str", value: "str" },
    doc: "Write below /proc/sys of the runtime's own procfs.",
  },
  bring_loopback_up: { code: 43, fields: {}, doc: "lo up, in a network namespace that is new." },

  // --- the process
  session_keyring: {
    code: 60,
    fields: { name: "str", permissions: "u32" },
    doc: "Join the session keyring of that name, or make it. The permissions (KEY_*) are added to those that it has.",
  },
  set_lsm_label: {
    code: 61,
    fields: { attribute: "str", label: "str" },
    doc: "Write /proc/thread-self/attr/..., on a verified procfs.",
  },
  no_new_privileges: { code: 62, fields: {}, doc: "PR_SET_NO_NEW_PRIVS." },
  load_seccomp: {
    code: 63,
    fields: { filter: "blob", flags: "u32" },
    doc: "seccomp(SECCOMP_SET_MODE_FILTER). With SECCOMP_FILTER_FLAG_NEW_LISTENER, the host side takes the listener.",
  },
  set_scheduler: {
    code: 64,
    fields: {
      policy: "u32",
      nice: "u32",
      priority: "u32",
      flags: "u64",
      runtime: "u64",
      deadline: "u64",
      period: "u64",
    },
    doc: "sched_setattr(2); nice is two's complement.",
  },
  set_io_priority: { code: 65, fields: { value: "u32" }, doc: "ioprio_set(2): class << 13 | level." },
  set_personality: { code: 66, fields: { value: "u32" }, doc: "personality(2)." },
  set_cpu_affinity: {
    code: 80,
    fields: { cpus: "u32s" },
    doc: "sched_setaffinity(2) with this bit mask, 32 CPUs in a word.",
  },
  set_memory_policy: {
    code: 81,
    fields: { mode: "u32", nodes: "u32s" },
    doc: "set_mempolicy(2): mode with its flags, and a bit mask of nodes; no words: none.",
  },
  limit_capability_bounds: {
    code: 67,
    fields: { bounding: "u64" },
    doc: "Drop every capability that is not in the mask from the bounding set.",
  },
  set_user: {
    code: 68,
    fields: { uid: "u32", gid: "u32", groups: "u32s", umask: "u32", keepGroups: "u32" },
    doc: "Supplementary groups, gid, uid, umask; capabilities are kept until set_capabilities.",
  },
  set_capabilities: {
    code: 69,
    fields: { effective: "u64", permitted: "u64", inheritable: "u64", ambient: "u64" },
    doc: "capset(2), then the ambient set.",
  },
  change_directory: {
    code: 70,
    fields: { path: "str", retry: "u32" },
    doc: "chdir(2), then check that getcwd(2) is inside (CVE-2024-21626). Refused to root (EACCES), it is left to the one with `retry`, which comes after set_user and does nothing otherwise.",
  },
  find_program: {
    code: 71,
    fields: { name: "str", searchPath: "str" },
    doc: "Resolve argv[0] as the user of the process; not found is an error here, at create.",
  },
  set_home: {
    code: 75,
    fields: { uid: "u32" },
    doc: "Add HOME to the program's environment: the home of `uid` in the container's /etc/passwd, else `/`.",
  },
  set_listen_pid: {
    code: 79,
    fields: {},
    doc: "Add LISTEN_PID to the program's environment: the pid of this process in its pid namespace (sd_listen_fds(3)).",
  },
  ready: { code: 72, fields: {}, doc: "Tell the host side that all is set up; go on when the container is started." },
  close_descriptors: { code: 73, fields: { first: "u32" }, doc: "Close-on-exec for every descriptor from `first` on." },
  exit: { code: 76, fields: {}, doc: "Exit with 0: config.json has no process." },
  exec: { code: 74, fields: { args: "strs", env: "strs" }, doc: "execve(2) of the program found." },
} as const;

export type OperationName = keyof typeof operations;
type FieldKinds = {
  u32: number;
  u64: number;
  str: string;
  blob: Uint8Array;
  strs: readonly string[];
  u32s: readonly number[];
};
type Fields<F> = { [K in keyof F]: F[K] extends keyof FieldKinds ? FieldKinds[F[K]] : never };

/** One operation, as data: `{ op: "set_hostname", name: "meter-7" }`. */
export type Operation = {
  [K in OperationName]: { op: K } & Fields<(typeof operations)[K]["fields"]>;
}[OperationName];

/** Messages between the host side and init, by number. Init sends the first group, the host side the second. */
export const messages = {
  hooks: 1,
  forked: 2,
  terminal: 3,
  ready: 4,
  failed: 5,
  listener: 6,
  running: 7,
  open_sources: 8,
  interfaces: 9,
  mounted: 10,
  go: 16,
  hooks_done: 17,
  start: 18,
  cgroups: 19,
  plan: 20,
  sources: 24,
  listener_taken: 25,
  interfaces_moved: 26,
} as const;

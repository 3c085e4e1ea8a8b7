// SPDX-License-Identifier: Apache-2.0
// mounts[].options of config.json (runtime-spec, config.md "Linux mount options"): words in, mount attributes out.
//
// Options are read from left to right; of two that contradict each other the later one counts. What is not known here
// is an option of the file system and goes to fsconfig(2) as it is.
import {
  MOUNT_ATTR__ATIME,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MS_DIRSYNC,
  MS_I_VERSION,
  MS_LAZYTIME,
  MS_MANDLOCK,
  MS_POSIXACL,
  MS_PRIVATE,
  MS_REC,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_SYNCHRONOUS,
  MS_UNBINDABLE,
} from "./constants.ts";

/** Attributes to set and to clear, for mount_setattr(2). */
export type AttributeChange = { set: number; clear: number };

export type MountOptions = {
  bind: boolean;
  recursive: boolean;
  remount: boolean;
  /** tmpfs: starts with what the mount point holds. */
  copyUp: boolean;
  /** ro came last of ro and rw. */
  readOnly: boolean;
  own: AttributeChange;
  /** The r... forms: for this mount and every mount below it. */
  tree: AttributeChange;
  /** MS_* flags, in order. */
  propagation: number[];
  /** MS_* flags of the super block. */
  superFlags: number;
  /** Those that were taken back: they count where a file system is remounted. */
  superCleared: number;
  /** Options of the file system. */
  data: string[];
  /** idmap and ridmap; `maps` is what comes after "=". */
  idMap: { recursive: boolean; maps: string } | undefined;
};

type Attribute = { readonly mask: number; readonly value: number };

// [attribute bits, their value]. A value of 0 turns the attribute off. The access time modes share one field, in which
// 0 is relatime, the kernel's default.
const attributes: { readonly [option: string]: Attribute } = {
  ro: { mask: MOUNT_ATTR_RDONLY, value: MOUNT_ATTR_RDONLY },
  rw: { mask: MOUNT_ATTR_RDONLY, value: 0 },
  nosuid: { mask: MOUNT_ATTR_NOSUID, value: MOUNT_ATTR_NOSUID },
  suid: { mask: MOUNT_ATTR_NOSUID, value: 0 },
  nodev: { mask: MOUNT_ATTR_NODEV, value: MOUNT_ATTR_NODEV },
  dev: { mask: MOUNT_ATTR_NODEV, value: 0 },
  noexec: { mask: MOUNT_ATTR_NOEXEC, value: MOUNT_ATTR_NOEXEC },
  exec: { mask: MOUNT_ATTR_NOEXEC, value: 0 },
  nodiratime: { mask: MOUNT_ATTR_NODIRATIME, value: MOUNT_ATTR_NODIRATIME },
  diratime: { mask: MOUNT_ATTR_NODIRATIME, value: 0 },
  nosymfollow: { mask: MOUNT_ATTR_NOSYMFOLLOW, value: MOUNT_ATTR_NOSYMFOLLOW },
  symfollow: { mask: MOUNT_ATTR_NOSYMFOLLOW, value: 0 },
  noatime: { mask: MOUNT_ATTR__ATIME, value: MOUNT_ATTR_NOATIME },
  strictatime: { mask: MOUNT_ATTR__ATIME, value: MOUNT_ATTR_STRICTATIME },
  relatime: { mask: MOUNT_ATTR__ATIME, value: 0 },
  atime: { mask: MOUNT_ATTR__ATIME, value: 0 },
  // "Not this mode" means the kernel's default: relatime.
  nostrictatime: { mask: MOUNT_ATTR__ATIME, value: 0 },
  norelatime: { mask: MOUNT_ATTR__ATIME, value: 0 },
};

const propagations: { readonly [option: string]: number } = {
  private: MS_PRIVATE,
  rprivate: MS_PRIVATE | MS_REC,
  slave: MS_SLAVE,
  rslave: MS_SLAVE | MS_REC,
  shared: MS_SHARED,
  rshared: MS_SHARED | MS_REC,
  unbindable: MS_UNBINDABLE,
  runbindable: MS_UNBINDABLE | MS_REC,
};

/** What every file system knows, beside "ro". */
const superFlags: { readonly [option: string]: number } = {
  sync: MS_SYNCHRONOUS,
  dirsync: MS_DIRSYNC,
  lazytime: MS_LAZYTIME,
  mand: MS_MANDLOCK,
  silent: MS_SILENT,
  iversion: MS_I_VERSION,
  acl: MS_POSIXACL,
};
/** Options that take such a flag back. */
const superFlagsCleared: { readonly [option: string]: number } = {
  async: MS_SYNCHRONOUS,
  nolazytime: MS_LAZYTIME,
  nomand: MS_MANDLOCK,
  loud: MS_SILENT,
  noiversion: MS_I_VERSION,
  noacl: MS_POSIXACL,
};

/** Every mount option that is more than a word for the file system; for `features`. Sorted. */
export function listMountOptions(): string[] {
  const names = Object.keys(attributes);
  return [
    ...names,
    ...names.map((name) => `r${name}`),
    ...Object.keys(propagations),
    ...Object.keys(superFlags),
    ...Object.keys(superFlagsCleared),
    "bind",
    "defaults",
    "idmap",
    "rbind",
    "remount",
    "ridmap",
    "tmpcopyup",
  ].sort();
}

/** The MS_* flags of linux.rootfsPropagation or of a propagation option; undefined for another word. */
export function propagationFlags(option: string): number | undefined {
  return lookUp(propagations, option);
}

/** Reads mounts[].options. */
export function parseMountOptions(options: readonly string[]): MountOptions {
  const parsed: MountOptions = {
    bind: false,
    recursive: false,
    remount: false,
    copyUp: false,
    readOnly: false,
    own: { set: 0, clear: 0 },
    tree: { set: 0, clear: 0 },
    propagation: [],
    superFlags: 0,
    superCleared: 0,
    data: [],
    idMap: undefined,
  };
  for (const option of options) readOption(parsed, option);
  return parsed;
}

function readOption(parsed: MountOptions, option: string): void {
  const own = lookUp(attributes, option);
  if (own !== undefined) {
    change(parsed.own, own);
    if (own.mask === MOUNT_ATTR_RDONLY) parsed.readOnly = own.value !== 0;
    return;
  }
  // None of the names in the table begins with r and another name in it ("relatime" is "r" and "elatime").
  const tree = option.startsWith("r") ? lookUp(attributes, option.slice(1)) : undefined;
  if (tree !== undefined) {
    change(parsed.tree, tree);
    return;
  }
  const propagation = propagationFlags(option);
  if (propagation !== undefined) {
    parsed.propagation.push(propagation);
    return;
  }
  const superFlag = lookUp(superFlags, option);
  if (superFlag !== undefined) {
    parsed.superFlags |= superFlag;
    parsed.superCleared &= ~superFlag;
    return;
  }
  const cleared = lookUp(superFlagsCleared, option);
  if (cleared !== undefined) {
    parsed.superFlags &= ~cleared;
    parsed.superCleared |= cleared;
    return;
  }
  switch (option) {
    case "bind":
    case "rbind":
      parsed.bind = true;
      parsed.recursive = option === "rbind";
      return;
    case "remount":
      parsed.remount = true;
      return;
    case "tmpcopyup":
      parsed.copyUp = true;
      return;
    case "defaults":
      return;
  }
  const equals = option.indexOf("=");
  const name = equals < 0 ? option : option.slice(0, equals);
  if (name === "idmap" || name === "ridmap") {
    parsed.idMap = { recursive: name === "ridmap", maps: equals < 0 ? "" : option.slice(equals + 1) };
  } else {
    for (const datum of splitData(option)) parsed.data.push(datum);
  }
}

/**
 * One entry may hold several options, as in fstab(5): "size=64k,mode=700". A comma after a backslash (overlay) or
 * between double quotes (SELinux: `context="...:s0:c1,c2"`) is none of these commas; the quotes are only for that, and
 * fall away.
 */
function splitData(option: string): string[] {
  const parts: string[] = [];
  let part = "";
  let quoted = false;
  for (let at = 0; at < option.length; at++) {
    const character = option[at];
    if (character === '"') quoted = !quoted;
    else if (character === "\\") part += option.slice(at, ++at + 1);
    else if (character !== "," || quoted) part += character;
    else {
      parts.push(part);
      part = "";
    }
  }
  parts.push(part);
  return parts.filter((datum) => datum !== "");
}

/** An option may have the name of something that every object has ("constructor"). */
function lookUp<V>(table: { readonly [option: string]: V }, option: string): V | undefined {
  return Object.hasOwn(table, option) ? table[option] : undefined;
}

function change(target: AttributeChange, { mask, value }: Attribute): void {
  target.set = (target.set & ~mask) | value;
  // mount_setattr(2) wants the whole access time field cleared when one of its values is set.
  target.clear = value === 0 || mask === MOUNT_ATTR__ATIME ? target.clear | mask : target.clear & ~mask;
}

/** The attribute fields of mount_bind. */
export function attributeFields({ own, tree }: MountOptions): {
  attributesSet: number;
  attributesClear: number;
  recursiveSet: number;
  recursiveClear: number;
} {
  return {
    attributesSet: own.set,
    attributesClear: own.clear,
    recursiveSet: tree.set,
    recursiveClear: tree.clear,
  };
}

/**
 * The first option that only a file system can have, for mounts that are none; undefined where there is none.
 * `silent` is not one of them: it only keeps the kernel from logging.
 */
export function filesystemOption(parsed: MountOptions, options: readonly string[] = []): string | undefined {
  if (parsed.data.length > 0) return parsed.data[0];
  if (parsed.copyUp) return "tmpcopyup";
  return options.find((option) => ((lookUp(superFlags, option) ?? 0) & parsed.superFlags & ~MS_SILENT) !== 0);
}

/** The words of fsconfig(2) for what a remount changes in the super block. */
export function superFlagWords({ superFlags: set, superCleared: cleared }: MountOptions): string[] {
  const words = Object.keys(superFlags).filter((word) => (superFlags[word]! & set & ~MS_SILENT) !== 0);
  const clearing = Object.keys(superFlagsCleared).filter(
    (word) => (superFlagsCleared[word]! & cleared & ~MS_SILENT) !== 0,
  );
  return [...words, ...clearing];
}

// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Mount } from "../../src/spec/config.ts";
import { apply, decisionsOn, denials, MiB, specWith } from "./policy_fixture.ts";

const id = "0123456789abcdef".repeat(4);
const bind = (source: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["rbind", ...options],
});
const only = (...mounts: Mount[]) => specWith({ mounts });

test("the default mounts need no grant", () => {
  assert.deepEqual(denials(apply(specWith({})).decisions), []);
  assert.equal(apply(specWith({})).spec.mounts?.length, 7);
});

test("a bind mount: denied without a grant, given with one, for exactly its source and destination", () => {
  const spec = only(bind("/srv/data", "/data", "rw"));
  const denied = apply(spec);
  assert.deepEqual(denied.spec.mounts, []);
  assert.deepEqual(decisionsOn(denied.decisions, "mount /data"), ["denied: /srv/data rw -> - (grants.mounts)"]);
  const grant = { source: "/srv/data", destination: "/data", access: "rw" as const };
  const granted = apply(spec, { mounts: [grant] });
  assert.deepEqual(decisionsOn(granted.decisions, "mount /data"), [
    "granted: /srv/data rw -> /srv/data rw (grants.mounts[0])",
  ]);
  assert.deepEqual(granted.spec.mounts?.[0]?.options, ["rbind", "rw", "nosuid", "nodev"]);
  for (const mount of [bind("/srv", "/data"), bind("/srv/data/sub", "/data"), bind("/srv/data", "/etc")]) {
    assert.equal(denials(apply(only(mount), { mounts: [grant] }).decisions).length, 1, JSON.stringify(mount));
  }
  const other = apply(only(bind("/etc", "/data")), { mounts: [grant] });
  assert.deepEqual(decisionsOn(other.decisions, "mount /data"), ["denied: /etc rw -> /srv/data rw (grants.mounts)"]);
});

test("a read-only grant makes the whole tree read-only", () => {
  const grant = { source: "/srv/data", destination: "/data", access: "ro" as const };
  const { spec, decisions } = apply(only(bind("/srv/data", "/data", "rw", "dev", "rshared")), { mounts: [grant] });
  assert.deepEqual(spec.mounts?.[0]?.options, ["rbind", "nosuid", "nodev", "ro", "rro"]);
  assert.deepEqual(decisionsOn(decisions, "mount /data"), ["clamped: /srv/data rw -> /srv/data ro (grants.mounts[0])"]);
  const asked = apply(only(bind("/srv/data", "/data", "ro")), { mounts: [grant] });
  assert.deepEqual(asked.spec.mounts?.[0]?.options, ["rbind", "nosuid", "nodev", "ro", "rro"]);
  assert.match(decisionsOn(asked.decisions, "mount /data")[0] ?? "", /^granted/);
  // mount(8): the last one counts.
  const both = apply(only(bind("/srv/data", "/data", "ro", "rw")), { mounts: [grant] });
  assert.match(decisionsOn(both.decisions, "mount /data")[0] ?? "", /^clamped/);
});

test("a remount is denied: it would undo what is granted of the mount that is there", () => {
  const grant = { source: "/srv/data", destination: "/data", access: "ro" as const };
  for (const type of ["tmpfs", "bind"]) {
    const remount = { destination: "/data", type, source: "/srv/data", options: ["remount", "rw"] };
    const { spec, decisions } = apply(only(bind("/srv/data", "/data"), remount), { mounts: [grant] });
    assert.equal(spec.mounts?.length, 1);
    const asked = type === "bind" ? "/srv/data" : "tmpfs";
    assert.equal(decisionsOn(decisions, "mount /data").at(-1), `denied: ${asked} rw -> - (base: no remounts)`);
  }
});

test("mapped ids are denied, but as in the container's own user namespace", () => {
  const grant = { source: "/srv/data", destination: "/data", access: "rw" as const };
  const own = [{ containerID: 0, hostID: 200000, size: 65536 }];
  const namespaces = { namespaces: [...(specWith({}).linux?.namespaces ?? []), { type: "user" as const }] };
  const linux = { ...namespaces, uidMappings: own, gidMappings: own };
  const mount = bind("/srv/data", "/data");
  const verdicts = (change: Partial<Mount>) =>
    denials(apply(specWith({ mounts: [{ ...mount, ...change }] }, linux), { mounts: [grant] }).decisions).length;
  assert.equal(verdicts({}), 0);
  assert.equal(verdicts({ options: ["rbind", "idmap"] }), 0);
  assert.equal(verdicts({ uidMappings: own, gidMappings: own }), 0);
  const other = [{ containerID: 0, hostID: 200001, size: 1 }];
  assert.equal(verdicts({ uidMappings: other, gidMappings: own }), 1);
  assert.equal(verdicts({ uidMappings: own, gidMappings: other }), 1);
  assert.equal(verdicts({ options: ["rbind", "idmap=uids=0-0-1;gids=0-0-1"] }), 1);
});

test("paths are compared in plain form, and what is not plain is denied", () => {
  const mounts = [{ source: "/srv/data", destination: "/data", access: "rw" as const }];
  const { spec } = apply(only(bind("/srv//data/", "/./data")), { mounts });
  assert.deepEqual([spec.mounts?.[0]?.source, spec.mounts?.[0]?.destination], ["/srv/data", "/data"]);
  for (const mount of [bind("/srv/data/../x", "/data"), bind("srv/data", "/data"), bind("/srv/data", "/x/../data")]) {
    const { decisions } = apply(only(mount), { mounts });
    assert.equal(
      decisions.filter((decision) => decision.rule === "base: plain paths").length,
      1,
      JSON.stringify(mount),
    );
    assert.equal(denials(decisions).length, 1);
  }
});

test("an option makes a bind mount of any type", () => {
  const disguised: Mount[] = [
    { destination: "/proc", type: "proc", source: "/etc", options: ["bind"] },
    { destination: "/tmp", type: "tmpfs", source: "/etc", options: ["rbind"] },
    { destination: "/x", source: "/etc", options: ["rbind"] },
  ];
  for (const mount of disguised) {
    assert.deepEqual(denials(apply(only(mount)).decisions), [`mount ${mount.destination}`]);
  }
});

test("sysfs and cgroup are read-only; base types elsewhere, and other types, are denied", () => {
  const { spec, decisions } = apply(
    only({ destination: "/sys", type: "sysfs", options: ["rw"] }, { destination: "/sys/fs/cgroup", type: "cgroup2" }),
  );
  assert.deepEqual(spec.mounts?.[0]?.options, ["nosuid", "noexec", "nodev", "ro"]);
  assert.deepEqual(spec.mounts?.[1]?.options, ["nosuid", "noexec", "nodev", "ro"]);
  assert.deepEqual(decisionsOn(decisions, "mount /sys"), ["clamped: sysfs rw -> sysfs ro (base: mounts)"]);
  for (const [destination, type] of [
    ["/x", "proc"],
    ["/x", "sysfs"],
    ["/x", "cgroup"],
    ["/x", "ext4"],
    ["/x", "overlay"],
    ["/x", "debugfs"],
    ["/sys/kernel/debug", "debugfs"],
  ] as const) {
    const denied = apply(only({ destination, type, source: "none" }));
    assert.deepEqual(decisionsOn(denied.decisions, `mount ${destination}`), [`denied: ${type} rw -> - (base: mounts)`]);
  }
});

test("tmpfs: no larger than the memory, nosuid and nodev, and not over what is masked", () => {
  const options = (...given: string[]) => {
    const { spec } = apply(only({ destination: "/tmp", type: "tmpfs", options: given }));
    return spec.mounts?.[0]?.options;
  };
  const most = `size=${64 * MiB}`;
  assert.deepEqual(options("suid", "mode=1777"), ["mode=1777", most, "nosuid", "nodev"]);
  assert.deepEqual(options("size=1m"), [`size=${MiB}`, "nosuid", "nodev"]);
  for (const size of ["size=65m", "size=0", "size=50%", "size=x", "nr_blocks=1", "size=99999999999999999999"]) {
    assert.deepEqual(options(size), [most, "nosuid", "nodev"], size);
  }
  assert.deepEqual(options("size=1m", "size=2m"), [most, "nosuid", "nodev"]);
  for (const destination of ["/", "/proc", "/proc/sys", "/sys", "/sys/firmware"]) {
    const { decisions } = apply(only({ destination, type: "tmpfs" }));
    assert.deepEqual(decisionsOn(decisions, `mount ${destination}`), ["denied: tmpfs rw -> - (base: tmpfs)"]);
  }
});

test("engine files: in their place and from an engine's directory only", () => {
  const good: Mount[] = [
    bind(`/var/lib/docker/containers/${id}/resolv.conf`, "/etc/resolv.conf"),
    bind(`/var/lib/docker/containers/${id}/mounts/shm`, "/dev/shm"),
    bind(`/run/containers/storage/overlay-containers/${id}/userdata/hosts`, "/etc/hosts"),
    bind(`/var/run/containers/storage/vfs-containers/${id}/userdata/.containerenv`, "/run/.containerenv"),
    bind(`/run/containers/storage/overlay-containers/${id}/userdata/run/secrets`, "/run/secrets"),
    bind(`/var/lib/containers/storage/overlay-containers/${id}/userdata/shm`, "/dev/shm"),
    bind(`/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/${id}/hostname`, "/etc/hostname"),
    bind(`/run/containerd/io.containerd.grpc.v1.cri/sandboxes/${id}/shm`, "/dev/shm"),
    bind("/var/lib/kubelet/pods/1234/etc-hosts", "/etc/hosts"),
  ];
  const { decisions } = apply(only(...good));
  assert.deepEqual(denials(decisions), []);
  assert.equal(decisions.filter((decision) => decision.rule === "base: engine files").length, good.length);
  const bad: Mount[] = [
    bind("/", "/run/secrets"),
    bind("/dev/shm", "/dev/shm"),
    bind("/etc/hosts", "/etc/hosts"),
    bind(`/var/lib/docker/containers/${id}`, "/run/secrets"),
    bind(`/var/lib/docker/containers/${id}/hosts`, "/etc/passwd"),
    bind(`/var/lib/docker/containers/${id}/hosts`, "/etc/hostname"),
    bind(`/var/lib/docker/containers/${id}/../x/hosts`, "/etc/hosts"),
    bind(`/home/app/containers/${id}/hosts`, "/etc/hosts"),
  ];
  for (const mount of bad) assert.equal(denials(apply(only(mount)).decisions).length, 1, JSON.stringify(mount));
});

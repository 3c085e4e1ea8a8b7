// SPDX-License-Identifier: Apache-2.0
// Files that engines put into every container. Not signed for, so destination AND source must be what an engine
// makes: with a free source, "/" mounted on /run/secrets would be the whole host.

/** One component per "*"; "*-containers" is any name with that end. NAME is the file for the destination. */
const engineDirectories: readonly string[] = [
  "/var/lib/docker/containers/*/NAME",
  "/var/lib/docker/containers/*/mounts/NAME",
  "/var/lib/containers/storage/*-containers/*/userdata/NAME",
  "/run/containers/storage/*-containers/*/userdata/NAME",
  "/var/lib/containerd/io.containerd.grpc.v1.cri/sandboxes/*/NAME",
  "/run/containerd/io.containerd.grpc.v1.cri/sandboxes/*/NAME",
];

/** True if an engine's own file is bound where it belongs: /etc/hosts and the like, and the /dev/shm of a pod. */
export function isEngineFile(source: string, destination: string): boolean {
  // Kubernetes writes one /etc/hosts per pod.
  if (destination === "/etc/hosts" && matches(source, "/var/lib/kubelet/pods/*/etc-hosts")) return true;
  const name = nameFor(destination);
  if (name === undefined) return false;
  // /var/run is a link to /run on every system with these engines.
  const path = source.startsWith("/var/run/") ? source.slice("/var".length) : source;
  return engineDirectories.some((pattern) => matches(path, pattern.replace("NAME", name)));
}

function nameFor(destination: string): string | undefined {
  switch (destination) {
    case "/etc/resolv.conf":
      return "resolv.conf";
    case "/etc/hosts":
      return "hosts";
    case "/etc/hostname":
      return "hostname";
    case "/run/.containerenv":
      return ".containerenv";
    case "/run/secrets":
      return "run/secrets";
    case "/dev/shm":
      return "shm";
    default:
      return undefined;
  }
}

function matches(path: string, pattern: string): boolean {
  const names = path.split("/");
  const wanted = pattern.split("/");
  if (names.length !== wanted.length) return false;
  return wanted.every((want, index) => {
    const name = names[index]!;
    return want.startsWith("*") ? name !== "" && name.endsWith(want.slice(1)) : name === want;
  });
}

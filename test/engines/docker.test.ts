// SPDX-License-Identifier: Apache-2.0
// dockerd with the runtime added by --add-runtime: what `docker run` and the commands on a container do.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { before, test } from "node:test";
import { eventually, type Result } from "../integration/support/process.ts";
import { useWorkspace } from "../integration/support/workspace.ts";
import { Docker, dockerMissing } from "./docker.ts";

const skip = dockerMissing;
const ws = useWorkspace();
const engine = new Docker(ws);
const { image } = engine;
const docker = (...args: string[]): Result => engine.call(...args);
const run = (...args: string[]): Result => engine.run("--network", "none", ...args);
const start = (...flags: string[]): string => engine.start("--network", "none", ...flags);
const inspect = (id: string, format: string) => docker("inspect", "--format", format, id).stdout.trimEnd();
const remove = (id: string) => assert.equal(docker("rm", "--force", id).status, 0);

before(() => (skip.skip === undefined ? engine.open() : undefined));

test("docker run shows the program's output", skip, () => {
  const result = run(image, "echo", "hello");
  assert.deepEqual([result.stdout, result.status], ["hello\n", 0], result.stderr);
});

for (const code of [0, 7, 255]) {
  test(`docker run exits with the program's code ${code}`, skip, () => {
    assert.equal(run(image, "sh", "-c", `exit ${code}`).status, code);
  });
}

// docker tells these apart by the text of the runtime's error.
test("docker run of a missing program exits with 127", skip, () => {
  assert.equal(run(image, "no-such-program").status, 127);
});

test("docker run of a file that is not executable exits with 126", skip, () => {
  assert.equal(run(image, "/etc/passwd").status, 126);
});

test("docker exec gives output and exit code", skip, () => {
  const id = start();
  const result = docker("exec", id, "sh", "-c", "echo inside; exit 9");
  assert.deepEqual([result.stdout, result.status], ["inside\n", 9], result.stderr);
  assert.equal(docker("rm", "--force", id).status, 0);
});

test("docker kill and rm", skip, () => {
  const id = start();
  assert.equal(docker("kill", id).status, 0);
  assert.equal(docker("wait", id).stdout, "137\n");
  assert.equal(docker("rm", id).status, 0);
  assert.doesNotMatch(docker("ps", "--all", "--quiet", "--no-trunc").stdout, new RegExp(id));
});

test("docker stop ends a program that takes SIGTERM", skip, () => {
  const id = start("--init=false", "--stop-signal", "KILL");
  assert.equal(docker("stop", id).status, 0);
  assert.equal(docker("rm", id).status, 0);
});

test("docker pause and unpause", skip, () => {
  const id = start();
  assert.equal(docker("pause", id).status, 0);
  assert.equal(docker("inspect", "--format", "{{.State.Status}}", id).stdout, "paused\n");
  assert.equal(docker("unpause", id).status, 0);
  assert.equal(docker("rm", "--force", id).status, 0);
});

test("docker limits reach the kernel", skip, () => {
  const result = run(
    "--memory",
    "64m",
    "--pids-limit",
    "50",
    image,
    "cat",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/pids/pids.max",
  );
  assert.equal(result.stdout, "67108864\n50\n", result.stderr);
});

test("docker volumes, users, working directories and environments", skip, () => {
  const flags = [
    "--volume",
    `${ws.newDirectory()}:/data`,
    "--user",
    "1000:1001",
    "--workdir",
    "/data",
    "--env",
    "SITE=7",
  ];
  const result = run(...flags, image, "sh", "-c", "id -u; id -g; pwd; echo $SITE");
  assert.equal(result.stdout, "1000\n1001\n/data\n7\n", result.stderr);
});

test("docker's seccomp profile is in force", skip, () => {
  assert.equal(run(image, "grep", "^Seccomp:", "/proc/self/status").stdout, "Seccomp:\t2\n");
  assert.equal(
    run("--security-opt", "seccomp=unconfined", image, "grep", "^Seccomp:", "/proc/self/status").stdout,
    "Seccomp:\t0\n",
  );
});

test("docker run --read-only", skip, () => {
  assert.notEqual(run("--read-only", image, "touch", "/etc/x").status, 0);
  assert.equal(run(image, "touch", "/etc/x").status, 0);
});

test("docker logs of a container with a terminal", skip, () => {
  const id = engine.detach(["--tty", "--network", "none"], "sh", "-c", "tty");
  assert.equal(docker("wait", id).stdout, "0\n");
  assert.equal(docker("logs", id).stdout, "/dev/pts/0\r\n");
  remove(id);
});

test("docker run of an unknown flag exits with 125", skip, () => {
  assert.equal(run("--no-such-flag", image, "true").status, 125);
});

test("docker exec --tty gives a terminal", skip, () => {
  const id = start();
  const result = engine.onTerminal("exec", "--interactive", "--tty", id, "sh", "-c", "tty; exit 5");
  assert.match(result.stdout, /\/dev\/pts\/\d+\r?\n/);
  assert.equal(result.status, 5);
  remove(id);
});

test("docker run --interactive --tty in the foreground", skip, () => {
  const result = engine.onTerminal(
    "run",
    "--rm",
    "--runtime",
    "tested",
    "--network",
    "none",
    "-it",
    image,
    "sh",
    "-c",
    "tty; exit 6",
  );
  assert.match(result.stdout, /\/dev\/pts\/0/);
  assert.equal(result.status, 6);
});

test("docker run --interactive passes stdin on", skip, () => {
  assert.equal(
    engine.callWithInput("kWh\n", "run", "--rm", "--runtime", "tested", "-i", "--network", "none", image, "cat").stdout,
    "kWh\n",
  );
});

test("docker stop lets the program end by itself", skip, () => {
  const id = engine.detach(
    ["--network", "none"],
    "sh",
    "-c",
    "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.1; done",
  );
  return eventually("the trap", () => docker("logs", id).stdout === "up\n").then(() => {
    assert.equal(docker("stop", id).status, 0);
    assert.equal(inspect(id, "{{.State.ExitCode}}"), "3");
    assert.equal(docker("logs", id).stdout, "up\nbye\n");
    remove(id);
  });
});

test("docker kill --signal reaches the program", skip, async () => {
  const id = engine.detach(
    ["--network", "none"],
    "sh",
    "-c",
    "trap 'echo hup' HUP; echo up; while :; do sleep 0.1; done",
  );
  await eventually("the trap", () => docker("logs", id).stdout === "up\n");
  assert.equal(docker("kill", "--signal", "HUP", id).status, 0);
  await eventually("the trap's output", () => docker("logs", id).stdout === "up\nhup\n");
  remove(id);
});

test("docker update changes limits of a running container", skip, () => {
  const id = start("--memory", "64m");
  const result = docker(
    "update",
    "--memory",
    "96m",
    "--memory-swap",
    "96m",
    "--cpu-shares",
    "512",
    "--pids-limit",
    "77",
    id,
  );
  assert.equal(result.status, 0, result.stderr);
  assert.equal(engine.readCgroup(id, "memory", "memory.limit_in_bytes"), String(96 << 20));
  assert.equal(engine.readCgroup(id, "cpu", "cpu.shares"), "512");
  assert.equal(engine.readCgroup(id, "pids", "pids.max"), "77");
  remove(id);
});

test("docker run --cpus, --cpuset-cpus and --cpu-shares reach the kernel", skip, () => {
  const id = start("--cpus", "0.5", "--cpuset-cpus", "0", "--cpu-shares", "300");
  assert.equal(engine.readCgroup(id, "cpu", "cpu.cfs_quota_us"), "50000");
  assert.equal(engine.readCgroup(id, "cpuset", "cpuset.cpus"), "0");
  assert.equal(engine.readCgroup(id, "cpu", "cpu.shares"), "300");
  remove(id);
});

test("docker stats shows what the container uses", skip, () => {
  const id = start("--memory", "64m");
  const [memory = "", pids] = docker("stats", "--no-stream", "--format", "{{.MemUsage}}|{{.PIDs}}", id)
    .stdout.trim()
    .split("|");
  assert.match(memory, /\/ 64MiB$/);
  assert.equal(pids, "1");
  remove(id);
});

test("docker top lists the processes", skip, () => {
  const id = start();
  assert.match(docker("top", id).stdout, /sleep 1000/);
  remove(id);
});

test("docker cp, both ways, while the container runs", skip, () => {
  const id = start();
  const file = ws.newFile("meter 7\n");
  assert.equal(docker("cp", file, `${id}:/tmp/in`).status, 0);
  assert.equal(docker("exec", id, "cat", "/tmp/in").stdout, "meter 7\n");
  const copy = ws.newFile();
  assert.equal(docker("cp", `${id}:/tmp/in`, copy).status, 0);
  assert.equal(readFileSync(copy, "utf8"), "meter 7\n");
  remove(id);
});

test("a restart policy starts the program again", skip, async () => {
  const id = engine.detach(["--network", "none", "--restart", "on-failure:2"], "sh", "-c", "echo run; exit 4");
  await eventually("two restarts", () => inspect(id, "{{.RestartCount}} {{.State.Status}}") === "2 exited", 20_000);
  assert.equal(docker("logs", id).stdout, "run\nrun\nrun\n");
  remove(id);
});

test("docker stop, start and restart of the same container", skip, () => {
  const id = start("--stop-signal", "KILL");
  const pid = () => Number(inspect(id, "{{.State.Pid}}"));
  const first = pid();
  assert.equal(docker("restart", id).status, 0);
  const second = pid();
  assert.ok(first > 0 && second > 0 && first !== second);
  docker("stop", id);
  assert.equal(docker("start", id).status, 0);
  assert.equal(docker("exec", id, "echo", "here").stdout, "here\n");
  remove(id);
});

test("a health check runs in the container", skip, async () => {
  const id = start("--health-cmd", "test -e /tmp/healthy", "--health-interval", "300ms", "--health-retries", "1");
  await eventually("unhealthy", () => inspect(id, "{{.State.Health.Status}}") === "unhealthy", 10_000);
  docker("exec", id, "touch", "/tmp/healthy");
  await eventually("healthy", () => inspect(id, "{{.State.Health.Status}}") === "healthy", 10_000);
  remove(id);
});

test("out of memory is told as such", skip, () => {
  const id = engine.detach(
    ["--network", "none", "--memory", "16m", "--memory-swap", "16m"],
    "sh",
    "-c",
    "head -c 100m /dev/zero | tail",
  );
  assert.equal(docker("wait", id).stdout.trim() === "0", false);
  assert.equal(inspect(id, "{{.State.OOMKilled}}"), "true");
  remove(id);
});

test("docker run --init has an init that reaps", skip, () => {
  assert.match(run("--init", image, "cat", "/proc/1/comm").stdout, /^(docker-init|tini)\n$/);
});

test("docker run --tmpfs, with options", skip, () => {
  const text = run(
    "--tmpfs",
    "/scratch:size=2m,mode=1700",
    image,
    "sh",
    "-c",
    "df -k /scratch | tail -1; stat -c %a /scratch",
  ).stdout;
  assert.match(text, /^tmpfs +2048 /);
  assert.match(text, /\n1700\n$/);
});

test("a named volume keeps its files, and a read-only one is not written to", skip, () => {
  const volume = `${ws.tag}-volume`;
  assert.equal(run("--volume", `${volume}:/data`, image, "sh", "-c", "echo 42 > /data/x").status, 0);
  const result = run("--volume", `${volume}:/data:ro`, image, "sh", "-c", "cat /data/x; echo 43 > /data/x");
  assert.equal(result.stdout, "42\n");
  assert.notEqual(result.status, 0);
  assert.equal(docker("volume", "rm", volume).status, 0);
});

test("docker run --cap-add and --cap-drop", skip, () => {
  const effective = (...flags: string[]) => {
    const text = run(...flags, image, "grep", "^CapEff", "/proc/self/status").stdout;
    return BigInt(`0x${text.split(/\s+/)[1]}`);
  };
  const netAdmin = 1n << 12n;
  assert.equal(effective() & netAdmin, 0n);
  assert.equal(effective("--cap-drop", "ALL"), 0n);
  assert.equal(effective("--cap-drop", "ALL", "--cap-add", "NET_ADMIN"), netAdmin);
});

/** The daemon asks for every capability, and runtimes refuse what the caller does not have itself. */
const allCapabilities =
  skip.skip !== undefined || !/^CapBnd:\t0*1ffffffffff$/m.test(readFileSync("/proc/self/status", "utf8"))
    ? { skip: skip.skip ?? "this process lacks capabilities: runc, too, answers `unable to apply caps`" }
    : {};

test("docker run --privileged: all capabilities, no seccomp, the host's devices", allCapabilities, () => {
  const result = run("--privileged", image, "sh", "-c", "grep -E '^(CapBnd|Seccomp):' /proc/self/status; ls /dev/kmsg");
  const bounds = /^CapBnd:.*$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[0];
  assert.equal(result.stdout, `${bounds}\nSeccomp:\t0\n/dev/kmsg\n`, result.stderr);
});

// Nothing is done to the device: opening it is what the rules are about.
test("docker run --device, and its rights", skip, () => {
  const open = ["sh", "-c", ": </dev/meter && echo read; : >/dev/meter && echo write"] as const;
  const readOnly = run("--device", "/dev/loop-control:/dev/meter:r", image, ...open);
  assert.equal(readOnly.stdout, "read\n", readOnly.stderr);
  assert.match(readOnly.stderr, /Operation not permitted/);
  const both = run("--device", "/dev/loop-control:/dev/meter:rw", image, ...open);
  assert.equal(both.stdout, "read\nwrite\n", both.stderr);
});

test("docker run --ulimit", skip, () => {
  const result = run(
    "--ulimit",
    "nofile=100:200",
    "--ulimit",
    "core=0",
    image,
    "sh",
    "-c",
    "ulimit -Sn; ulimit -Hn; ulimit -c",
  );
  assert.equal(result.stdout, "100\n200\n0\n", result.stderr);
});

test("docker run --security-opt: a seccomp profile of one's own, no-new-privileges", skip, () => {
  const profile = ws.newFile();
  writeFileSync(
    profile,
    JSON.stringify({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    }),
  );
  const result = run("--security-opt", `seccomp=${profile}`, image, "mkdir", "/x");
  assert.match(result.stderr, /Operation not permitted/);
  assert.equal(run(image, "mkdir", "/x").status, 0);
  const flags = ["--security-opt", "no-new-privileges"];
  assert.equal(run(...flags, image, "grep", "NoNewPrivs", "/proc/self/status").stdout, "NoNewPrivs:\t1\n");
});

test("docker run --sysctl, --hostname, --group-add, --shm-size, --pid host, --ipc", skip, () => {
  const flags = [
    "--sysctl",
    "net.ipv4.ip_unprivileged_port_start=99",
    "--hostname",
    "meter-7",
    "--group-add",
    "55",
    "--shm-size",
    "3m",
  ];
  const script =
    "cat /proc/sys/net/ipv4/ip_unprivileged_port_start; hostname; id -G; df -k /dev/shm | awk 'END { print $2 }'";
  assert.equal(run(...flags, image, "sh", "-c", script).stdout, "99\nmeter-7\n0 55\n3072\n");
  const pid = run("--pid", "host", image, "sh", "-c", "readlink /proc/self/ns/pid").stdout.trim();
  assert.equal(pid, engine.namespace("pid"));
  const first = start("--ipc", "shareable");
  const ipc = docker("exec", first, "readlink", "/proc/self/ns/ipc").stdout;
  assert.equal(run("--ipc", `container:${first}`, image, "readlink", "/proc/self/ns/ipc").stdout, ipc);
  remove(first);
});

test("docker networks: bridge, host, another container's", skip, () => {
  const server = engine.start("--network", "bridge");
  const address = inspect(server, "{{.NetworkSettings.IPAddress}}");
  assert.match(address, /^\d+\.\d+\.\d+\.\d+$/);
  const ping = engine.run("--network", "bridge", image, "ping", "-c", "1", "-W", "3", address);
  assert.equal(ping.status, 0, ping.stdout + ping.stderr);
  const shared = engine.run("--network", `container:${server}`, image, "ip", "addr", "show", "eth0");
  assert.ok(shared.stdout.includes(`${address}/`), shared.stderr);
  const host = engine.run("--network", "host", image, "readlink", "/proc/self/ns/net").stdout.trim();
  assert.equal(host, engine.namespace("net"));
  remove(server);
});

test("docker attach shows what the container prints", skip, async () => {
  const id = engine.detach(
    ["--network", "none"],
    "sh",
    "-c",
    "while [ ! -e /tmp/go ]; do sleep 0.1; done; echo attached; exit 8",
  );
  const attached = engine.launch("attach", id);
  // The line comes only after the client is there.
  await eventually("a running client", () => inspect(id, "{{.State.Running}}") === "true");
  await new Promise((resolve) => setTimeout(resolve, 500));
  docker("exec", id, "touch", "/tmp/go");
  const result = await attached.end();
  assert.deepEqual([result.stdout, result.status], ["attached\n", 8]);
  remove(id);
});

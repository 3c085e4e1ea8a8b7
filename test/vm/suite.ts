// SPDX-License-Identifier: Apache-2.0
// Integration tests in a virtual machine with systemd and cgroup v2: what is under test is put on a disk, the machine
// is booted (boot.sh), and its report is read. The machine's own disk is made once (make_disk.sh).
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleTests, run } from "../../scripts/node_tests.ts";

/** The TAP reports of all runs in one file, unless there is a reason to skip them. */
export type Outcome = { skip: string } | { skip?: undefined; report: string; succeeded: boolean };

const image = "build/vm";
const output = "build/test/vm";
/** What the tests start or read; in the guest, it is at the same places below the working directory. */
const payload = [
  ...["bin", "build/edgerun", "build/edgerun-init", "build/node", "examples", "package.json", "scripts"],
  ...["src", "test/golden", "test/integration/support"],
];
/** npm packages that are programs for building: large, and never imported by tests. */
const buildPackages = ["@biomejs", "@esbuild", "@types", "@typescript", "esbuild", "node-api-headers", "typescript"];
/** Where the guest has no package for a file that tests read. */
const hostFiles = ["/usr/share/containers/seccomp.json"];

/** Runs test files of test/integration with each cgroup driver. */
export function runInVirtualMachine(names: readonly string[], timeoutSeconds: number): Outcome {
  if (process.arch !== "x64") return { skip: `the virtual machine is for x86-64, and this is ${process.arch}` };
  if (process.getuid?.() !== 0) return { skip: "making its disk needs root" };
  const report = join(output, "report");
  const files = bundleTests("integration", names);
  if (files === undefined || run("make", ["--no-print-directory", join(image, "disk.ext4")]) !== 0) {
    return { report: "", succeeded: false };
  }
  const directory = mkdtempSync(join(tmpdir(), "edgerun-vm-"));
  try {
    fillPayload(directory, files);
    const booted = run("test/vm/boot.sh", [image, directory, output, String(timeoutSeconds)]);
    return { report, succeeded: booted === 0 && readFileSync(report, "utf8").endsWith("# end\n") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function fillPayload(directory: string, files: readonly string[]): void {
  const copy = (path: string, target: string): void => {
    if (existsSync(path)) cpSync(path, target, { recursive: true, verbatimSymlinks: true });
  };
  const packages = readdirSync("node_modules").filter((name) => !buildPackages.includes(name) && !name.startsWith("."));
  const npm = packages.map((name) => join("node_modules", name));
  for (const path of [...payload, ...npm, ...files]) copy(path, join(directory, path));
  for (const path of hostFiles) copy(path, join(directory, "host", path));
  copy("test/vm/guest.sh", join(directory, "guest.sh"));
  writeFileSync(join(directory, "tests"), `${files.join("\n")}\n`);
  const { RUNTIME } = process.env;
  writeFileSync(join(directory, "environment"), RUNTIME === undefined ? "" : `export RUNTIME=${RUNTIME}\n`);
}

// SPDX-License-Identifier: Apache-2.0
// From the files of cgroup directories to the statistics that `events` prints.
import assert from "node:assert/strict";
import { test } from "node:test";
import { toJsonText } from "../../src/state/json_text.ts";
import { readV1Stats } from "../../src/stats/cgroup_v1.ts";
import { readV2Stats } from "../../src/stats/cgroup_v2.ts";
import type { FileReader } from "../../src/stats/files.ts";
import type { Stats } from "../../src/stats/shape.ts";

type Files = { [file: string]: string };

const readerOf = (files: Files) => (file: string) => files[file] ?? null;
/** Numbers as JSON has them; those beyond 2^53 as texts. */
const plain = (stats: Stats) => JSON.parse(toJsonText(stats).replace(/:(\d{17,})/g, ':"$1"'));

const v1: { [controller: string]: Files } = {
  cpu: { "cpu.stat": "nr_periods 7\nnr_throttled 3\nthrottled_time 5000\nnr_bursts 0\n" },
  cpuacct: {
    "cpuacct.usage": "18014398509481985\n",
    "cpuacct.usage_percpu": "10 20 \n",
    "cpuacct.usage_all": "cpu user system\n0 1 9\n1 2 18\n",
    "cpuacct.stat": "user 4\nsystem 5\n",
  },
  cpuset: {
    "cpuset.cpus": "0-2,5\n",
    "cpuset.mems": "0\n",
    "cpuset.cpu_exclusive": "0\n",
    "cpuset.sched_load_balance": "1\n",
    "cpuset.sched_relax_domain_level": "-1\n",
  },
  memory: {
    "memory.stat": "cache 4096\nrss 8192\nactive_anon 1\n",
    "memory.usage_in_bytes": "12288\n",
    "memory.max_usage_in_bytes": "20480\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.failcnt": "2\n",
    "memory.kmem.tcp.limit_in_bytes": "9223372036854771712\n",
    "memory.kmem.tcp.usage_in_bytes": "0\n",
  },
  pids: { "pids.current": "3\n", "pids.max": "max\n" },
  blkio: {
    "blkio.bfq.io_serviced_recursive": "Total 0\n",
    "blkio.throttle.io_serviced_recursive": "8:0 Read 4\n8:0 Write 0\n8:0 Total 4\nTotal 4\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 4096\nTotal 4096\n",
    "blkio.time_recursive": "0:7 9\n",
  },
  hugetlb: {
    "hugetlb.2MB.usage_in_bytes": "1\n",
    "hugetlb.2MB.rsvd.usage_in_bytes": "2097152\n",
    "hugetlb.2MB.rsvd.max_usage_in_bytes": "4194304\n",
    "hugetlb.2MB.rsvd.failcnt": "1\n",
    "hugetlb.1GB.usage_in_bytes": "0\n",
  },
};

test("version 1", () => {
  const stats = readV1Stats((controller) => readerOf(v1[controller]!), ["1GB", "2MB"]);
  assert.deepEqual(plain(stats), {
    cpu: {
      usage: {
        total: "18014398509481985",
        percpu: [10, 20],
        percpu_kernel: [9, 18],
        percpu_user: [1, 2],
        kernel: 50_000_000,
        user: 40_000_000,
      },
      throttling: { periods: 7, throttledPeriods: 3, throttledTime: 5000 },
    },
    cpuset: {
      cpus: [0, 1, 2, 5],
      cpu_exclusive: 0,
      mems: [0],
      mem_hardwall: 0,
      mem_exclusive: 0,
      memory_migrate: 0,
      memory_spread_page: 0,
      memory_spread_slab: 0,
      memory_pressure: 0,
      sched_load_balance: 1,
      sched_relax_domain_level: -1,
    },
    memory: {
      cache: 4096,
      usage: { limit: "9223372036854771712", usage: 12288, max: 20480, failcnt: 2 },
      swap: { limit: 0, failcnt: 0 },
      kernel: { limit: 0, failcnt: 0 },
      kernelTCP: { limit: "9223372036854771712", failcnt: 0 },
      raw: { active_anon: 1, cache: 4096, rss: 8192 },
    },
    pids: { current: 3 },
    blkio: {
      ioServiceBytesRecursive: [{ major: 8, op: "Read", value: 4096 }],
      ioServicedRecursive: [
        { major: 8, op: "Read", value: 4 },
        { major: 8, op: "Write" },
        { major: 8, op: "Total", value: 4 },
      ],
      ioTimeRecursive: [{ minor: 7, value: 9 }],
    },
    hugetlb: { "1GB": { failcnt: 0 }, "2MB": { usage: 2097152, max: 4194304, failcnt: 1 } },
    intel_rdt: {},
    network_interfaces: null,
  });
});

const v2: Files = {
  "cpu.stat":
    "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnice_usec 0\nnr_periods 7\nnr_throttled 3\nthrottled_usec 5\n",
  "cpu.pressure": "some avg10=1.50 avg60=0.25 avg300=0.00 total=77\n",
  "memory.pressure":
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\nfull avg10=0.10 avg60=0.00 avg300=0.00 total=18014398509481985\n",
  "memory.stat": "anon 8192\nfile 4096\n",
  "memory.current": "12288\n",
  "memory.max": "65536\n",
  "memory.peak": "20480\n",
  "memory.swap.current": "4096\n",
  "memory.swap.max": "32768\n",
  "pids.current": "3\n",
  "pids.max": "17\n",
  "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6 cost.usage=9\n8:16\n",
  "hugetlb.2MB.current": "0\n",
  "hugetlb.2MB.rsvd.current": "2097152\n",
  "hugetlb.2MB.events": "max 4\n",
};

test("version 2, in version 1's terms", () => {
  const noPressure = { avg10: 0, avg60: 0, avg300: 0, total: 0 };
  const stats = plain(readV2Stats(readerOf(v2), ["1GB", "2MB"]));
  assert.deepEqual(stats.cpu, {
    usage: { total: 30_000, kernel: 20_000, user: 10_000 },
    throttling: { periods: 7, throttledPeriods: 3, throttledTime: 5000 },
    psi: { some: { avg10: 1.5, avg60: 0.25, avg300: 0, total: 77 }, full: noPressure },
  });
  assert.deepEqual(stats.memory, {
    cache: 4096,
    usage: { limit: 65536, usage: 12288, max: 20480, failcnt: 0 },
    swap: { limit: 98304, usage: 16384, failcnt: 0 },
    kernel: { limit: 0, failcnt: 0 },
    kernelTCP: { limit: 0, failcnt: 0 },
    raw: { anon: 8192, file: 4096 },
    psi: {
      some: { ...noPressure, total: 1 },
      full: { avg10: 0.1, avg60: 0, avg300: 0, total: "18014398509481985" },
    },
  });
  assert.deepEqual(stats.pids, { current: 3, limit: 17 });
  assert.deepEqual(stats.blkio, {
    ioServiceBytesRecursive: [
      { major: 8, op: "Read", value: 1 },
      { major: 8, op: "Write", value: 2 },
      { major: 8, op: "Discard", value: 5 },
    ],
    ioServicedRecursive: [
      { major: 8, op: "Read", value: 3 },
      { major: 8, op: "Write", value: 4 },
      { major: 8, op: "Discard", value: 6 },
    ],
  });
  assert.deepEqual(stats.hugetlb, { "2MB": { usage: 2097152, failcnt: 4 } });
  assert.equal(stats.cpuset.cpus, undefined);
  assert.deepEqual([stats.intel_rdt, stats.network_interfaces], [{}, null]);
});

test("version 2 without limits: the largest number, as runc counts", () => {
  const stats = plain(readV2Stats(readerOf({ ...v2, "memory.max": "max\n", "memory.swap.max": "max\n" }), []));
  assert.equal(stats.memory.usage.limit, "18446744073709551615");
  assert.equal(stats.memory.swap.limit, "18446744073709551615");
});

test("controllers that are not there leave zeros and nothing else", () => {
  const none: FileReader = () => null;
  for (const stats of [plain(readV1Stats(() => none, ["2MB"])), plain(readV2Stats(none, ["2MB"]))]) {
    assert.deepEqual(stats.cpu, { usage: { kernel: 0, user: 0 }, throttling: {} });
    const nothing = { limit: 0, failcnt: 0 };
    assert.deepEqual(stats.memory, { usage: nothing, swap: nothing, kernel: nothing, kernelTCP: nothing });
    assert.deepEqual([stats.pids, stats.blkio, stats.hugetlb], [{}, {}, {}]);
  }
});

test("a file that is not as the kernel writes it is named", () => {
  const broken = (file: string, text: string) => () => readV2Stats(readerOf({ ...v2, [file]: text }), []);
  assert.throws(broken("memory.current", "many"), /unexpected text in memory\.current of the cgroup: "many"/);
  assert.throws(broken("memory.stat", "anon\n"), /unexpected text in memory\.stat/);
  assert.throws(broken("io.stat", "8:x rbytes=1\n"), /unexpected text in io\.stat/);
});

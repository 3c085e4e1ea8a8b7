// SPDX-License-Identifier: Apache-2.0
// The manifest's schema and its published forms: every key is documented, the examples are valid, what is not enforced
// refuses the start by its name.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import {
  inventoryDefinitions,
  inventorySchemaText,
  manifestDefinitions,
  manifestSchemaText,
  updateTables,
} from "../../scripts/manifest_docs.ts";
import type { Json } from "../../src/host/functions.ts";
import { inventoryReference } from "../../src/inventory/reference.ts";
import { inventorySchema } from "../../src/inventory/schema.ts";
import { decodeManifest } from "../../src/manifest/decode.ts";
import { manifestFormats } from "../../src/manifest/formats.ts";
import { manifestReference } from "../../src/manifest/reference.ts";
import { manifestSchema } from "../../src/manifest/schema.ts";
import { listUnenforced, requireEnforced } from "../../src/manifest/unenforced.ts";
import { decode } from "../../src/schema/decode.ts";
import { listPlaces } from "../../src/schema/reference.ts";
import { exampleManifest, failure, image } from "./manifest_fixture.ts";

const memory = { limitBytes: 64 * 1048576 };
const pids = { limit: 32 };

/** A manifest that says everything; what contradicts the rest is in networks below. */
function fullManifest(): Json {
  const rate = () => ({
    transmitBytesPerSecond: 500000,
    receiveBytesPerSecond: 500000,
    burstBytes: 65536,
    excess: "drop",
  });
  const volumes = () => [
    { limitBytes: 1000, periodSeconds: 3600, window: "rolling", direction: "transmit", counts: "payload" },
    { limitBytes: 1000, monthStartDay: 1, exhausted: "throttle", throttleBytesPerSecond: 10, warnPercents: [80] },
  ];
  return {
    ...(exampleManifest() as unknown as { [key: string]: Json }),
    nbf: exampleManifest().iat,
    audience: { devices: ["meter-0815"], classes: ["meter-a7"] },
    strict: true,
    source: { format: "geisa/0.9.0", text: "{}" },
    binding: {
      image,
      layers: [image],
      rootfs: { type: "tree", digest: image },
      config: image,
      args: ["/bin/app"],
      argsPrefixes: [["/bin/app", "-v"]],
      user: { uid: 1000, gid: 1000, additionalGids: [20] },
      environment: ["PATH", "LC_*"],
    },
    grants: {
      memory: { ...memory, swapBytes: 0, highBytes: 1048576 },
      pids,
      cpu: { quotaPercent: 15, weight: 50, cpus: "0-1" },
      limits: {
        ...{ openFiles: 100, fileSizeBytes: 1, lockedMemoryBytes: 0, messageQueueBytes: 0 },
        ...{ pendingSignals: 1, stackBytes: 16384, coreBytes: 0 },
      },
      io: {
        ...{ weight: 1, readBytesPerSecond: 1, writeBytesPerSecond: 1 },
        ...{ readOperationsPerSecond: 1, writeOperationsPerSecond: 1 },
      },
      storage: {
        temporary: [{ path: "/tmp", limitBytes: 4096, limitInodes: 10, executable: false }],
        persistent: [
          {
            ...{ volume: "data", name: "readings", path: "/home/geisa", limitBytes: 4096, limitInodes: 10 },
            ...{ access: "rw", executable: false, writeBytesPerDay: 1, required: false },
          },
        ],
      },
      mounts: [{ source: "/srv/data", destination: "/data", access: "rw" }],
      devices: [
        { path: "/dev/ttyS0", access: "rw" },
        { name: "rs485", access: "r", required: false },
      ],
      accelerators: [{ name: "gpu0", nodes: "render", memoryBytes: 1 }, { cdi: "vendor.example/gpu=0" }],
      sensors: [{ name: "board-temp", required: false }],
      actuators: [{ name: "relay1", operations: ["read", "control"] }],
      registers: [{ name: "billing", operations: ["read"] }],
      services: {
        offers: [{ name: "com.example.readings", to: ["com.example.ev"] }],
        uses: [{ name: "com.example.prices", from: "com.example.tariff", required: false }],
      },
      apis: {
        mqtt: { broker: "site", publish: ["a/+"], subscribe: ["a/#", "#"], messagesPerDay: 1 },
        geisa: {
          ...{ broker: "geisa", sensor: true, actuatorStatus: true, actuatorControl: false },
          ...{ instantaneous: true, waveform: false, messaging: { messagesPerDay: 20 } },
          appToApp: { publish: [], subscribe: ["org.example.a"], respond: [], request: [] },
        },
      },
      capabilities: ["CAP_NET_BIND_SERVICE"],
      seccomp: { base: "edge", allow: ["io_uring_setup"], profileDigest: image },
      landlock: { read: ["/usr"], write: ["/tmp"], execute: ["/"] },
      userNamespace: { idCount: 65536 },
      network: {
        mode: "direct",
        classes: {
          local: {
            outbound: [{ protocol: "tcp", to: ["192.0.2.0/24", "2001:db8::1"], ports: ["502", "5000-5010"] }],
            inbound: [{ protocol: "udp", ports: ["5540"], from: ["192.0.2.7"] }],
            multicast: [{ group: "224.0.0.251", ports: ["5353"], direction: "both" }],
            ...{ ping: true, rate: rate(), volumes: volumes(), required: false },
          },
          internet: { outbound: [{ protocol: "tcp", names: ["api.example.com", "*.example.org"], ports: ["443"] }] },
        },
        apps: [{ app: "com.example.ev", direction: "connect", protocol: "tcp", ports: ["80"] }],
        host: [{ protocol: "udp", ports: ["53"] }],
        ...{ rate: rate(), volumes: volumes(), flowLog: "all" },
      },
    },
  };
}

/** Network sections beside that of fullManifest(). */
const networks: { [key: string]: Json }[] = [
  { mode: "none" },
  { mode: "host" },
  { mode: "namespace", path: "/run/netns/app" },
  { mode: "interface", interfaces: [{ name: "han", method: "macvlan", required: false }] },
  {
    mode: "indirect",
    proxies: [
      { name: "broker", port: 1883 },
      { name: "web", path: "/run/web.sock", required: false },
    ],
  },
];

function withNetwork(network: Json): Json {
  return { ...(exampleManifest() as unknown as { [key: string]: Json }), grants: { memory, pids, network } };
}

test("the published schemas are up to date, and so are the tables of the documents", () => {
  assert.equal(readFileSync("spec/manifest.schema.json", "utf8"), manifestSchemaText());
  assert.equal(readFileSync("spec/inventory.schema.json", "utf8"), inventorySchemaText());
  for (const name of ["docs/manifest.md", "docs/inventory.md"]) {
    const document = readFileSync(name, "utf8");
    assert.equal(document, updateTables(document), name);
  }
});

test("every key is documented, with an example unless it is a section", () => {
  for (const [schema, definitions, reference] of [
    [manifestSchema, manifestDefinitions, manifestReference],
    [inventorySchema, inventoryDefinitions, inventoryReference],
  ] as const) {
    for (const place of listPlaces(schema, definitions)) assert.ok(reference[place], `${place} is not documented`);
  }
});

test("a manifest that says everything is valid, for the device and by the published schema", () => {
  const validate = new Ajv2020({ strict: true }).compile(JSON.parse(manifestSchemaText()));
  for (const payload of [fullManifest(), ...networks.map(withNetwork)]) {
    assert.deepEqual(JSON.parse(JSON.stringify(decodeManifest(payload))), payload);
    assert.equal(validate(payload), true, JSON.stringify(validate.errors));
  }
});

test("the examples of the host inventory are valid", () => {
  const document = readFileSync("docs/inventory.md", "utf8");
  const example = JSON.parse(document.slice(document.indexOf("{"), document.indexOf("```\n\n## Reference")));
  const validate = new Ajv2020({ strict: true }).compile(JSON.parse(inventorySchemaText()));
  assert.equal(validate(example), true, JSON.stringify(validate.errors));
  decode(inventorySchema, example, "inventory", "CONFIG_INVALID", manifestFormats);
  const both = { ...example, sensors: { a: { sysfs: "/sys/a", socket: "/run/a" } } };
  assert.throws(
    () => decode(inventorySchema, both, "inventory", "CONFIG_INVALID", manifestFormats),
    failure("CONFIG_INVALID", "$.sensors.a: needs exactly one of device, gpio, sysfs, modbus, socket, mqtt"),
  );
  assert.equal(validate(both), false);
});

test("no key of the manifest is required to be there twice, none unknown is accepted, at any depth", () => {
  const visit = (value: unknown, path: string): void => {
    if (typeof value !== "object" || value === null) return;
    if (!Array.isArray(value)) {
      const record = value as { [key: string]: unknown };
      // Names of classes are free.
      if (path !== "$.grants.network.classes") {
        record.surprise = 1;
        assert.throws(() => decodeManifest(payload), failure("MANIFEST_INVALID", `${path}.surprise: unknown property`));
        delete record.surprise;
      }
    }
    for (const [key, item] of Object.entries(value))
      visit(item, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`);
  };
  const payload = fullManifest();
  visit(payload, "$");
});

const contradictions: [changes: object, text: string][] = [
  [{ memory: { limitBytes: 1048576, highBytes: 1048577 } }, "$.grants.memory.highBytes: "],
  [{ cpu: { quotaPercent: 1, count: 1, cpus: "0" } }, "$.grants.cpu: has more than one of"],
  [{ devices: [{ access: "r" }] }, "$.grants.devices[0]: needs exactly one of path, name, has none"],
  [{ devices: [{ path: "/dev/a", name: "a", access: "r" }] }, "has path, name"],
  [{ accelerators: [{ name: "a", cdi: "a/b=c" }] }, "$.grants.accelerators[0]: needs exactly one"],
  [{ accelerators: [{ cdi: "gpu0" }] }, "$.grants.accelerators[0].cdi: expected a CDI device"],
  [{ sensors: [{ name: "a" }, { name: "a" }] }, '$.grants.sensors: "a" is granted twice'],
  [{ sensors: [{ name: "../etc" }] }, "$.grants.sensors[0].name: expected a name"],
  [{ actuators: [{ name: "a", operations: [] }] }, "$.grants.actuators[0].operations: must not be empty"],
  [{ services: { offers: [{ name: "com.example.a", to: [] }] } }, "must not be empty"],
  [{ storage: { temporary: [{ path: "/", limitBytes: 1 }] } }, "$.grants.storage.temporary[0].path: "],
  [
    {
      mounts: [{ source: "/a", destination: "/tmp", access: "ro" }],
      storage: { temporary: [{ path: "/tmp", limitBytes: 1 }] },
    },
    '$.grants.storage: "/tmp" is granted twice',
  ],
  [
    {
      storage: {
        persistent: [
          { volume: "data", path: "/a", limitBytes: 1 },
          { volume: "data", path: "/b", limitBytes: 1 },
        ],
      },
    },
    '$.grants.storage.persistent: "data/" is granted twice',
  ],
  [{ apis: { mqtt: { broker: "a", publish: ["a/#/b"] } } }, "expected an MQTT topic filter"],
  [{ network: { mode: "none", classes: {} } }, '$.grants.network.classes: has no meaning with mode "none"'],
  [{ network: { mode: "host", rate: {} } }, '$.grants.network.rate: has no meaning with mode "host"'],
  [{ network: { mode: "direct", path: "/run/netns/a" } }, "$.grants.network.path: "],
  [{ network: { mode: "direct", classes: { "Local LAN": {} } } }, '$.grants.network.classes["Local LAN"]: '],
  [{ network: { mode: "direct", volumes: [{ limitBytes: 1 }] } }, "needs exactly one of periodSeconds, monthStartDay"],
  [
    { network: { mode: "direct", volumes: [{ limitBytes: 1, periodSeconds: 60, exhausted: "throttle" }] } },
    "$.grants.network.volumes[0]: ",
  ],
  [
    { network: { mode: "direct", volumes: [{ limitBytes: 1, monthStartDay: 1, window: "rolling" }] } },
    "$.grants.network.volumes[0].window: ",
  ],
];

for (const [changes, text] of contradictions) {
  test(`grants that are refused: ${JSON.stringify(changes)}`, () => {
    const payload = { ...exampleManifest(), grants: { memory, pids, ...changes } } as unknown as Json;
    assert.throws(() => decodeManifest(payload), failure("MANIFEST_INVALID", text));
  });
}

test("a manifest must be bound to files, and an audience must name somebody", () => {
  const decodeWith = (changes: object) => () => decodeManifest({ ...exampleManifest(), ...changes } as unknown as Json);
  assert.throws(decodeWith({ binding: { args: ["a"] } }), failure("MANIFEST_INVALID", "$.binding: needs one of image"));
  assert.throws(decodeWith({ audience: {} }), failure("MANIFEST_INVALID", "$.audience: names neither"));
});

test("100,000 destinations are decoded, one more is refused", () => {
  const destinations = Array.from({ length: 100_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`);
  const payload = (to: string[]): Json =>
    withNetwork({ mode: "direct", classes: { local: { outbound: [{ protocol: "tcp", to, ports: ["80"] }] } } });
  assert.equal(
    decodeManifest(payload(destinations)).grants.network?.classes?.local?.outbound?.[0]?.to?.length,
    100_000,
  );
  assert.throws(
    () => decodeManifest(payload([...destinations, "192.0.2.1"])),
    failure("MANIFEST_INVALID", "to: has 100001 items, 100000 is the most"),
  );
});

const texts: { [format: string]: [good: string[], bad: string[]] } = {
  logical_name: [
    ["a", "board-temp", "a.b_c", "0"],
    ["", "A", "-a", "a-", "a/b", "..", "ä", "a".repeat(64)],
  ],
  reverse_dns: [
    ["com.example", "COM.Example-1"],
    ["meter", "com.", ".com", "com..a", "com.exam ple", "com.-a"],
  ],
  dns_name: [
    ["localhost", "api.example.com", "*.example.com", "_mqtt._tcp.a"],
    ["", "*", "a.*.b", "1.2.3.4", "a b", "*.1"],
  ],
  digest: [[image], ["sha256:abc", image.toUpperCase(), `${image}0`, image.slice(7)]],
  plain_path: [
    ["/", "/a/b"],
    ["", "a", "/a/", "/a//b", "/a/./b", "/../a"],
  ],
  mount_path: [["/a"], ["/", "a", "/a/.."]],
  device_path: [
    ["/dev/ttyS0", "/dev/serial/by-id/a"],
    ["/dev", "/dev/", "/tmp/a", "/dev/../etc"],
  ],
  device_access: [
    ["r", "rw", "mwr"],
    ["", "x", "rr"],
  ],
  cdi_name: [
    ["vendor.example/gpu=0", "a/b=all"],
    ["a/b", "a=b", "/b=c", "a/b=", "a/b/c=d", "a/b=c=d", "../b=c"],
  ],
  cpu_list: [
    ["0", "0-1,3"],
    ["", "a", "1-0", "0,"],
  ],
  capability: [["CAP_KILL"], ["CAP_NET_BIND", "kill", ""]],
  syscall: [["io_uring_setup"], ["", "Open", "a b"]],
  environment_name: [
    ["PATH", "LC_*", "_a1"],
    ["", "*", "1A", "A=B", "A*B"],
  ],
  ports: [
    ["1", "65535", "5000-5010"],
    ["", "0", "65536", "10-1", "1-2-3", "a", "-1", "1-"],
  ],
  ip_prefix: [
    ["192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "::", "::1", "2001:db8::/32", "1:2:3:4:5:6:7:8", "::ffff:192.0.2.1"],
    [
      ...[
        "",
        "192.0.2.1/24",
        "192.0.2",
        "192.0.02.1",
        "256.0.0.1",
        "192.0.2.0/33",
        "192.0.2.0/",
        "1.2.3.4.5",
        "0x7f.1",
      ],
      ...["2001:db8::1/32", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::8", "fe80::1%eth0", ":::", "12345::", ":1"],
      ...["192.0.2.1::", "::1.2.3", "/8", "1:2:3:4:5:6:7"],
    ],
  ],
  app_pattern: [
    ["*", "com.example.*", "com.*", "com.example.a"],
    ["", "com", "*.a", "com.*.a", "com.example*", ".*"],
  ],
  mqtt_filter: [
    ["a", "a/+/b", "a/#", "#", "/"],
    ["", "a#", "a/#/b", "a+"],
  ],
};

for (const [name, format] of Object.entries(manifestFormats)) {
  test(`texts: ${name}`, () => {
    const [good, bad] = texts[name] ?? assert.fail(`no examples for ${name}`);
    const pattern = new RegExp(format.pattern, "u");
    for (const text of good) {
      assert.ok(format.accepts(text), text);
      assert.ok(pattern.test(text), `pattern: ${text}`);
    }
    for (const text of bad) assert.equal(format.accepts(text), false, text);
  });
}

test("what is not enforced yet refuses the start, by its name; the rest does not", () => {
  requireEnforced(exampleManifest());
  const places = listPlaces(manifestSchema, {});
  for (const entry of listUnenforced()) {
    const [place = ""] = entry.split("=");
    assert.ok(places.includes(place), `${place} is not in the schema`);
    const [first, ...last] = entry.replaceAll("[]", "").split(/[.=]/);
    // A manifest with nothing else than this.
    const found = [fullManifest(), ...networks.map(withNetwork), withCpu({ count: 1 }), withCpu({ cpuSet: "a" })].some(
      (payload) => {
        try {
          requireEnforced(decodeManifest(payload));
        } catch (error) {
          const text = (error as Error).message
            .replace(/\[\d+\]/g, "")
            .replace(/ "([a-z]+)"/g, ".$1")
            .replace(/classes\.[a-z]+/g, "classes{}");
          return text.includes(`$.${[first, ...last].join(".")}`);
        }
        return false;
      },
    );
    assert.ok(found, `${entry} does not refuse the start`);
  }
});

test("what is enforced with a link of one's own only, refuses the start with another network", () => {
  const outbound = [{ protocol: "tcp", to: ["192.0.2.1"], ports: ["502"] }];
  for (const more of [
    { classes: { local: { outbound } } },
    { host: [{ protocol: "tcp", ports: ["53"] }] },
    { rate: {} },
  ]) {
    requireEnforced(decodeManifest(withNetwork({ mode: "direct", ...more } as Json)));
    const joined = decodeManifest(withNetwork({ mode: "namespace", ...more } as Json));
    assert.throws(() => requireEnforced(joined), /does not enforce \$\.grants\.network\.\w+ with mode "namespace"/);
  }
});

function withCpu(changes: object): Json {
  return { ...exampleManifest(), grants: { memory, pids, cpu: { quotaPercent: 1, ...changes } } } as unknown as Json;
}

// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { inventorySchemaV1 } from "../../src/inventory/schema.ts";
import { computeLink, findFreeNumber, linkNumber, maxLinks } from "../../src/network/link.ts";
import { resolveNetwork } from "../../src/network/request.ts";

test("computeLink() gives each number a name and addresses that no other has", () => {
  const first = computeLink(0);
  assert.deepEqual([first.name, first.host4, first.inside4], ["er0", [198, 18, 0, 0], [198, 18, 0, 1]]);
  const last = computeLink(maxLinks - 1);
  assert.deepEqual([last.name, last.host4, last.inside4], ["er32767", [198, 18, 255, 254], [198, 18, 255, 255]]);
  assert.equal(last.inside6.at(-1), 255);
  const seen = new Set<string>();
  for (let number = 0; number < maxLinks; number++) {
    const { host4, inside4 } = computeLink(number);
    seen.add(host4.join(".")).add(inside4.join("."));
  }
  assert.equal(seen.size, 2 * maxLinks);
});

test("linkNumber() knows only names that computeLink() gives", () => {
  assert.equal(linkNumber("er7"), 7);
  for (const name of ["er", "er07", "er-1", "er32768", "er1.5", "er1e3", "eth0", "erspan0"]) {
    assert.equal(linkNumber(name), undefined, name);
  }
});

test("findFreeNumber() begins at a place of the id's own, and passes what interfaces and tables have", () => {
  const number = findFreeNumber([], "meter")!;
  assert.notEqual(findFreeNumber([], "charger"), number);
  assert.equal(findFreeNumber([`er${number}`, `edgerun-er${number + 1}`], "meter"), number + 2);
  assert.equal(
    findFreeNumber(
      Array.from({ length: maxLinks }, (_, n) => `er${n}`),
      "meter",
    ),
    undefined,
  );
});

test("resolveNetwork() looks names up in the inventory, and says which it lacks", () => {
  const outbound = [{ protocol: "tcp" as const, to: ["192.0.2.0/24", "2001:db8::1"], ports: ["502", "600-610"] }];
  const grant = { mode: "direct" as const, classes: { local: { outbound } } };
  const inventory = {
    schema: inventorySchemaV1,
    interfaces: { lan: { device: "eth1" } },
    networkClasses: { local: { interface: "lan", prefixes: ["192.0.2.0/24"] } },
  } as const;
  const known = {
    ...inventory,
    networkClasses: { local: { interface: "lan", prefixes: [...inventory.networkClasses.local.prefixes] } },
  };
  const one = resolveNetwork(grant, known)!.classes[0]!;
  assert.equal(one.device, "eth1");
  assert.deepEqual(one.outbound[0]!.ports, [
    [502, 502],
    [600, 610],
  ]);
  assert.deepEqual(
    one.outbound[0]!.prefixes.map(({ length }) => length),
    [24, 128],
  );
  assert.throws(() => resolveNetwork(grant, { schema: inventorySchemaV1 }), /has no "networkClasses\.local"/);
  assert.throws(() => resolveNetwork(grant, { ...known, interfaces: {} }), /has no "interfaces\.lan"/);
  const optional = { ...grant, classes: { local: { outbound, required: false } } };
  assert.deepEqual(resolveNetwork(optional, { schema: inventorySchemaV1 })!.classes, []);
  assert.equal(resolveNetwork({ mode: "none" }, known), null);
});

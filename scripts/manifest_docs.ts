// SPDX-License-Identifier: Apache-2.0
// The published forms of the manifest's and the host inventory's schemas: JSON Schema, and tables in docs/.
import { inventoryReference } from "../src/inventory/reference.ts";
import { endpointSchema, inventorySchema, pointSchema } from "../src/inventory/schema.ts";
import { manifestFormats } from "../src/manifest/formats.ts";
import { manifestReference } from "../src/manifest/reference.ts";
import { manifestSchema } from "../src/manifest/schema.ts";
import { rateSchema, volumeSchema } from "../src/manifest/schema_network.ts";
import { publishSchema, type Reference } from "../src/schema/reference.ts";

export const manifestDefinitions = { Rate: rateSchema, Volume: volumeSchema };
export const inventoryDefinitions = { Point: pointSchema, Endpoint: endpointSchema };

/** spec/manifest.schema.json */
export function manifestSchemaText(): string {
  return publishSchema(manifestSchema, manifestReference, {
    id: "https://edgerun.example.com/spec/manifest.schema.json",
    title: "edgerun capability manifest",
    description: "What the owner of a device signs for one app. Generated from src/manifest; do not edit.",
    definitions: manifestDefinitions,
    formats: manifestFormats,
  });
}

/** spec/inventory.schema.json */
export function inventorySchemaText(): string {
  return publishSchema(inventorySchema, inventoryReference, {
    id: "https://edgerun.example.com/spec/inventory.schema.json",
    title: "edgerun host inventory",
    description: "What the logical names in manifests are on this device. Generated from src/inventory; do not edit.",
    definitions: inventoryDefinitions,
    formats: manifestFormats,
  });
}

/** The reference as a table; `under` selects the places that begin with one of these. */
export function referenceTable(reference: Reference, select: (place: string) => boolean): string {
  const rows = Object.entries(reference)
    .filter(([place]) => select(place))
    .map(([place, { means, becomes, example }]) => {
      const shown = example === undefined ? "" : `\`${JSON.stringify(example)}\``;
      return `| \`${place}\` | ${escapeCell(means)} | ${escapeCell(becomes ?? "")} | ${escapeCell(shown)} |`;
    });
  return ["| key | means | becomes | example |", "|---|---|---|---|", ...rows, ""].join("\n");
}

function escapeCell(text: string): string {
  return text.replaceAll("|", "\\|");
}

const isNetwork = (place: string): boolean => place.startsWith("grants.network") || /^(Rate|Volume)\./.test(place);

/** The tables of docs/manifest.md and docs/inventory.md, by the name in their marks. */
export const referenceTables: { readonly [name: string]: () => string } = {
  envelope: () => referenceTable(manifestReference, (place) => !place.startsWith("grants.") && !isNetwork(place)),
  grants: () => referenceTable(manifestReference, (place) => place.startsWith("grants.") && !isNetwork(place)),
  network: () => referenceTable(manifestReference, isNetwork),
  inventory: () => referenceTable(inventoryReference, () => true),
};

/** A document with the tables between marks `<!-- table NAME -->` and `<!-- end -->` made anew. */
export function updateTables(document: string): string {
  return document.replace(
    /(<!-- table ([a-z]+), generated from src: make docs -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, begin: string, name: string, end: string) => {
      const table = referenceTables[name];
      if (table === undefined) throw new Error(`no table ${name}`);
      return `${begin}${table()}${end}`;
    },
  );
}

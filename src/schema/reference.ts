// SPDX-License-Identifier: Apache-2.0
// Documentation of a schema's keys, one entry for each: for the published JSON Schema and the reference in docs/.
// Not on the device.
import { type JsonSchemaMeta, toJsonSchema } from "./json_schema.ts";
import type { Schema } from "./schema.ts";

export type KeyDocumentation = {
  /** What it says, with the unit. */
  means: string;
  /** What it is compiled to: a file of the kernel, a field of config.json. */
  becomes?: string;
  example?: unknown;
};

/** Places as in JsonSchemaMeta.descriptions. */
export type Reference = { readonly [place: string]: KeyDocumentation };

/** The JSON Schema, as text, of a schema that is documented by a reference. */
export function publishSchema(
  schema: Schema,
  reference: Reference,
  meta: Omit<JsonSchemaMeta, "descriptions" | "examples">,
): string {
  const entries = Object.entries(reference);
  const descriptions = Object.fromEntries(
    entries.map(([place, { means, becomes }]) => [place, describe(means, becomes)]),
  );
  const examples = Object.fromEntries(entries.map(([place, { example }]) => [place, example]));
  return `${JSON.stringify(toJsonSchema(schema, { ...meta, descriptions, examples }), null, 2)}\n`;
}

function describe(means: string, becomes: string | undefined): string {
  return becomes === undefined ? means : `${means} [${becomes.replaceAll("`", "")}]`;
}

/** Every place of a schema that needs a description; `definitions` as in JsonSchemaMeta. */
export function listPlaces(schema: Schema, definitions: { readonly [name: string]: Schema }): string[] {
  const names = new Map(Object.entries(definitions).map(([name, part]) => [part, name]));
  const walk = (part: Schema, place: string): string[] => {
    const known = names.get(part);
    if (known !== undefined && known !== place) return [];
    if (typeof part === "string") return [];
    if ("required" in part) {
      const prefix = place === "" ? "" : `${place}.`;
      return Object.entries({ ...part.required, ...part.optional }).flatMap(([name, field]) => [
        `${prefix}${name}`,
        ...walk(field, `${prefix}${name}`),
      ]);
    }
    if ("list" in part) return walk(part.list, `${place}[]`);
    return "map" in part ? walk(part.map, `${place}{}`) : [];
  };
  return [...walk(schema, ""), ...Object.entries(definitions).flatMap(([name, part]) => walk(part, name))];
}

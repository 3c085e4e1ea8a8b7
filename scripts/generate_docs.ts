// SPDX-License-Identifier: Apache-2.0
// Writes what is published of the operation table: spec/plan.schema.json, and the reference in docs/plan.md.
//   generate_docs.mjs ROOT_OF_THE_REPOSITORY
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { planSchemaText, updatePlanDocument } from "./plan_docs.ts";

const root = process.argv[2];
if (root === undefined) throw new Error("usage: generate_docs.mjs ROOT_OF_THE_REPOSITORY");
mkdirSync(join(root, "spec"), { recursive: true });
writeFileSync(join(root, "spec/plan.schema.json"), planSchemaText());
const document = join(root, "docs/plan.md");
writeFileSync(document, updatePlanDocument(readFileSync(document, "utf8")));

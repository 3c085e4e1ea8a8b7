// SPDX-License-Identifier: Apache-2.0
// Writes what is published of the operation table and of the schemas: spec/*.schema.json, and tables in docs/; and the command line in man/.
//   generate_docs.mjs ROOT_OF_THE_REPOSITORY
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { updateManPage } from "./man_page.ts";
import { inventorySchemaText, manifestSchemaText, updateTables } from "./manifest_docs.ts";
import { planSchemaText, updatePlanDocument } from "./plan_docs.ts";

const root = process.argv[2];
if (root === undefined) throw new Error("usage: generate_docs.mjs ROOT_OF_THE_REPOSITORY");
mkdirSync(join(root, "spec"), { recursive: true });
writeFileSync(join(root, "spec/plan.schema.json"), planSchemaText());
writeFileSync(join(root, "spec/manifest.schema.json"), manifestSchemaText());
writeFileSync(join(root, "spec/inventory.schema.json"), inventorySchemaText());
updateDocument("man/edgerun.8", updateManPage);
updateDocument("docs/plan.md", updatePlanDocument);
updateDocument("docs/manifest.md", updateTables);
updateDocument("docs/inventory.md", updateTables);

function updateDocument(name: string, update: (text: string) => string): void {
  const document = join(root!, name);
  writeFileSync(document, update(readFileSync(document, "utf8")));
}

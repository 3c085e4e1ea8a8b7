#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// Adds what an app asks for to the config.json of its bundle, as an engine does with its own defaults:
//   add_to_config.mjs BUNDLE FILE...
// Objects are merged, lists are joined, anything else takes the place of what was there.
import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";

function merge(old, added) {
  if (Array.isArray(old) && Array.isArray(added)) return [...old, ...added];
  if (!isObject(old) || !isObject(added)) return added;
  const merged = { ...old };
  for (const [key, value] of Object.entries(added)) merged[key] = key in old ? merge(old[key], value) : value;
  return merged;
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const [bundle, ...files] = argv.slice(2);
const path = `${bundle}/config.json`;
let config = JSON.parse(readFileSync(path, "utf8"));
for (const file of files) config = merge(config, JSON.parse(readFileSync(file, "utf8")));
writeFileSync(path, `${JSON.stringify(config, null, "\t")}\n`);

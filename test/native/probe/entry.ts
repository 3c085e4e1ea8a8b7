// SPDX-License-Identifier: Apache-2.0
// A stand-in for the program, for testing and measuring the engine and the two bindings.
import { makeHostError } from "../../../src/host/error.ts";
import { probe } from "./probe.ts";

(globalThis as { edgerunEntry?: unknown }).edgerunEntry = { makeHostError, main: probe };

// SPDX-License-Identifier: Apache-2.0
// The engine with the program loaded: all that can be made before the command line is known.
#pragma once
#include <quickjs.h>

#include "binding.h"

/** Allocated by the runtime itself, so that it is a part of what a snapshot holds. */
struct engine {
	struct binding binding; // first: the context's opaque pointer is both
	JSRuntime *runtime;
	JSContext *context;
	JSValue main;        // of src/entry_device.ts: (host, request, loadModule) => exit code
	JSValue host;        // the object of host functions
	JSValue load_module; // (name) => the namespace of one of the program's parts
	JSValue parts;       // those that are loaded, by name
};

/** Makes an engine and loads the program's entry. NULL when that failed; why is on stderr. */
struct engine *engine_boot(void);

/** The namespace of one of the program's parts (src/lifecycle/parts.ts), which is loaded at the first call. */
JSValue engine_load_part(struct engine *engine, const char *name);

/** Runs the program. Returns its exit code. */
int engine_run(struct engine *engine, int argc, char **argv);

/** For leak checkers. */
void engine_free(struct engine *engine);

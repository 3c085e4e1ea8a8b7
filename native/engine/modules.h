// SPDX-License-Identifier: Apache-2.0
// The program's ES modules, compiled to bytecode and carried in the binary (bytecode.S).
#pragma once
#include <quickjs.h>
#include <stddef.h>
#include <stdint.h>

/** Lets `import` find the modules. Call once, before anything is loaded. */
void modules_install(JSRuntime *runtime);

/**
 * Loads and evaluates a module (once: afterwards it is what it was). Returns its namespace object, or an exception.
 * Names are those of the files, without their directory: "entry_device.js".
 */
JSValue modules_load(JSContext *context, const char *name);

/** Instead of the archive in the binary, another one; it must stay where it is. */
void modules_use_archive(const uint8_t *archive, size_t size);

// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <quickjs.h>

#include "core/host.h"

/**
 * Reads a JSON text into a JavaScript value: objects without a prototype, BigInt beyond 2^53.
 * Returns JS_UNINITIALIZED if the text is invalid (the error is set), JS_EXCEPTION if the engine failed.
 */
JSValue json_to_value(JSContext *context, const char *text, size_t size, const char *label, struct er_error *error);

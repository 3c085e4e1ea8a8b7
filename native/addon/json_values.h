// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <node_api.h>

#include "core/host.h"

/**
 * Reads a JSON text into a JavaScript value: objects without a prototype, BigInt beyond 2^53.
 * Returns 0, or -1: the error is set, or (message empty) an exception is pending.
 */
int json_to_value(napi_env env, const char *text, size_t size, const char *label, napi_value *value,
                  struct er_error *error);

// SPDX-License-Identifier: Apache-2.0
// The host functions, offered to JavaScript on QuickJS.
#pragma once
#include <quickjs.h>

/** What the binding needs at each call; the context's opaque pointer. */
struct binding {
	JSValue make_host_error; // (message, errno name or "") => the error to throw
};

/** An object with one function for each row of the host function table. */
JSValue binding_new_host(JSContext *context);

/** The request object: what came with the invocation. The arguments are valid UTF-8. */
JSValue binding_new_request(JSContext *context, int argc, char **argv, char **environment);

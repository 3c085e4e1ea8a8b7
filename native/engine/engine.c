// SPDX-License-Identifier: Apache-2.0
#include "engine.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "modules.h"

/** Every failure of the program itself, before main() of the TypeScript side could report it. */
#define EXIT_INTERNAL 1
/** How much of a stack is printed: endless recursion has a long one. */
#define STACK_LENGTH 2000

extern char **environ;

/** Prints the pending exception: only programmer errors and a failing engine get here. */
static void print_exception(JSContext *context)
{
	JSValue exception = JS_GetException(context);
	const char *text = JS_ToCString(context, exception);
	dprintf(STDERR_FILENO, "edgerun: internal error: %s\n", text != NULL ? text : "out of memory");
	JS_FreeCString(context, text);
	JSValue stack = JS_IsObject(exception) ? JS_GetPropertyStr(context, exception, "stack") : JS_UNDEFINED;
	if (JS_IsString(stack)) {
		text = JS_ToCString(context, stack);
		dprintf(STDERR_FILENO, "%.*s\n", STACK_LENGTH, text != NULL ? text : "");
		JS_FreeCString(context, text);
	}
	JS_FreeValue(context, stack);
	JS_FreeValue(context, exception);
}

static JSRuntime *new_runtime(void)
{
#ifdef EDGERUN_SANITIZE
	return JS_NewRuntime(); // malloc, so that the sanitizer sees each block
#else
	struct arena *arena = arena_open();
	JSRuntime *runtime = arena == NULL ? NULL : JS_NewRuntime2(&arena_functions, arena);
	if (runtime != NULL)
		JS_SetRuntimeOpaque(runtime, arena);
	return runtime;
#endif
}

/**
 * An engine without eval, RegExp, Date and Proxy: the linker leaves out what no intrinsic refers to. Promise is here
 * because evaluating a module gives one; the program has no use for it.
 */
static JSContext *new_context(JSRuntime *runtime)
{
	JSContext *context = JS_NewContextRaw(runtime);
	if (context == NULL)
		return NULL;
	JS_AddIntrinsicBaseObjects(context);
	JS_AddIntrinsicJSON(context);
	JS_AddIntrinsicMapSet(context);
	JS_AddIntrinsicTypedArrays(context);
	JS_AddIntrinsicPromise(context);
	return context;
}

static JSValue load_module(JSContext *context, JSValueConst this_value, int count, JSValueConst *arguments)
{
	(void)this_value;
	(void)count;
	const char *name = JS_ToCString(context, arguments[0]);
	if (name == NULL)
		return JS_EXCEPTION;
	JSValue part = engine_load_part(JS_GetContextOpaque(context), name);
	JS_FreeCString(context, name);
	return part;
}

/** Loads the program. It leaves its entry (src/entry_device.ts) in the global edgerunEntry. */
static int load_entry(struct engine *engine)
{
	JSContext *context = engine->context;
	JSValue module = modules_load(context, "entry_device.js");
	if (JS_IsException(module))
		return -1;
	JS_FreeValue(context, module);
	JSValue global = JS_GetGlobalObject(context);
	JSValue entry = JS_GetPropertyStr(context, global, "edgerunEntry");
	JS_FreeValue(context, global);
	engine->main = JS_GetPropertyStr(context, entry, "main");
	engine->binding.make_host_error = JS_GetPropertyStr(context, entry, "makeHostError");
	JS_FreeValue(context, entry);
	return JS_IsException(engine->main) || JS_IsException(engine->binding.make_host_error) ? -1 : 0;
}

static struct engine *new_engine(JSContext *context)
{
	struct engine *engine = js_mallocz(context, sizeof *engine);
	if (engine == NULL)
		return NULL;
	*engine = (struct engine){
		.runtime = JS_GetRuntime(context),
		.context = context,
		.binding = {JS_UNDEFINED},
		.main = JS_UNDEFINED,
		.host = binding_new_host(context),
		.load_module = JS_NewCFunction(context, load_module, "loadModule", 1),
		.parts = JS_NewObject(context),
	};
	JS_SetContextOpaque(context, engine);
	return engine;
}

struct engine *engine_boot(void)
{
	JSRuntime *runtime = new_runtime();
	JSContext *context = runtime == NULL ? NULL : new_context(runtime);
	struct engine *engine = context == NULL ? NULL : new_engine(context);
	if (engine == NULL) {
		dprintf(STDERR_FILENO, "edgerun: cannot start the engine: %s\n", strerror(ENOMEM));
		return NULL;
	}
	JS_SetGCThreshold(runtime, (size_t)-1);
	modules_install(runtime);
	if (!JS_IsException(engine->host) && !JS_IsException(engine->parts) && load_entry(engine) == 0)
		return engine;
	print_exception(context);
	return NULL;
}

JSValue engine_load_part(struct engine *engine, const char *name)
{
	JSContext *context = engine->context;
	JSValue part = JS_GetPropertyStr(context, engine->parts, name);
	if (!JS_IsUndefined(part))
		return part;
	char file[64];
	snprintf(file, sizeof file, "%s.js", name);
	part = modules_load(context, file);
	if (!JS_IsException(part) && JS_SetPropertyStr(context, engine->parts, name, JS_DupValue(context, part)) < 0)
		return JS_EXCEPTION;
	return part;
}

int engine_run(struct engine *engine, int argc, char **argv)
{
	JSContext *context = engine->context;
	int32_t code = EXIT_INTERNAL;
	JSValue arguments[3] = {engine->host, binding_new_request(context, argc, argv, environ), engine->load_module};
	JSValue result = JS_IsException(arguments[1]) ? JS_EXCEPTION : JS_Call(context, engine->main, JS_UNDEFINED, 3, arguments);
	if (JS_IsException(result) || JS_ToInt32(context, &code, result) != 0)
		print_exception(context);
	JS_FreeValue(context, result);
	JS_FreeValue(context, arguments[1]);
	return code;
}

void engine_free(struct engine *engine)
{
	JSContext *context = engine->context;
	JSRuntime *runtime = engine->runtime;
	JS_FreeValue(context, engine->main);
	JS_FreeValue(context, engine->binding.make_host_error);
	JS_FreeValue(context, engine->host);
	JS_FreeValue(context, engine->load_module);
	JS_FreeValue(context, engine->parts);
	js_free(context, engine);
	JS_FreeContext(context);
	JS_FreeRuntime(runtime);
}

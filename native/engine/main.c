// SPDX-License-Identifier: Apache-2.0
// The device binary: an engine with only the intrinsics that the program uses, the program as bytecode, one call.
#include <errno.h>
#include <fcntl.h>
#include <quickjs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arena.h"
#include "binding.h"
#include "modules.h"
#include "core/utf8.h"

/** Every failure of the program itself, before main() of the TypeScript side could report it. */
#define EXIT_INTERNAL 1
/** How much of a stack is printed: endless recursion has a long one. */
#define STACK_LENGTH 2000

extern char **environ;
// build/edgerun.bytecode, by native/engine/bytecode.S

static void fail_early(const char *operation)
{
	dprintf(STDERR_FILENO, "edgerun: %s: %s\n", operation, strerror(errno));
	_exit(EXIT_INTERNAL);
}

/** Opens /dev/null for each of descriptors 0 to 2 that is closed: else the next file opened would become stdio. */
static void ensure_stdio(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		int opened = open("/dev/null", O_RDWR);
		if (opened != fd)
			_exit(EXIT_INTERNAL);
	}
}

/** Refuses arguments that are not UTF-8: the program could neither show nor use them as they were given. */
static void check_arguments(int argc, char **argv)
{
	for (int i = 0; i < argc; i++) {
		size_t length = strlen(argv[i]);
		if (er_utf8_valid_prefix(argv[i], length) == length)
			continue;
		dprintf(STDERR_FILENO, "edgerun: argument %d is not valid UTF-8\n", i);
		_exit(EXIT_INTERNAL);
	}
}

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

/** Loads the program. It leaves its entry (src/entry_device.ts) in the global edgerunEntry. */
static JSValue load_entry(JSContext *context)
{
	JSValue module = modules_load(context, "entry_device.js");
	if (JS_IsException(module))
		return module;
	JS_FreeValue(context, module);
	JSValue global = JS_GetGlobalObject(context);
	JSValue entry = JS_GetPropertyStr(context, global, "edgerunEntry");
	JS_FreeValue(context, global);
	return entry;
}

/** loadModule(name): the namespace of one of the program's parts (src/lifecycle/parts.ts). */
static JSValue load_part(JSContext *context, JSValueConst this_value, int count, JSValueConst *arguments)
{
	(void)this_value;
	(void)count;
	const char *name = JS_ToCString(context, arguments[0]);
	if (name == NULL)
		return JS_EXCEPTION;
	char file[64];
	snprintf(file, sizeof file, "%s.js", name);
	JS_FreeCString(context, name);
	return modules_load(context, file);
}

/** Calls the entry's main(host, request, loadModule). Returns what it returned, or an exception. */
static JSValue call_main(JSContext *context, JSValueConst entry, int argc, char **argv)
{
	JSValue arguments[3] = {binding_new_host(context), JS_UNDEFINED, JS_NewCFunction(context, load_part, "loadModule", 1)};
	JSValue result = JS_EXCEPTION;
	if (!JS_IsException(arguments[0]))
		arguments[1] = binding_new_request(context, argc, argv, environ);
	if (!JS_IsException(arguments[0]) && !JS_IsException(arguments[1])) {
		JSValue function = JS_GetPropertyStr(context, entry, "main");
		result = JS_Call(context, function, entry, 3, arguments);
		JS_FreeValue(context, function);
	}
	JS_FreeValue(context, arguments[0]);
	JS_FreeValue(context, arguments[1]);
	JS_FreeValue(context, arguments[2]);
	return result;
}

/** Runs the program in the context. Returns its exit code. */
static int run(JSContext *context, int argc, char **argv)
{
	struct binding binding = {JS_UNDEFINED};
	int32_t code = EXIT_INTERNAL;
	JS_SetContextOpaque(context, &binding);
	JSValue entry = load_entry(context);
	JSValue result = JS_EXCEPTION;
	if (!JS_IsException(entry)) {
		binding.make_host_error = JS_GetPropertyStr(context, entry, "makeHostError");
		result = call_main(context, entry, argc, argv);
	}
	if (JS_IsException(result) || JS_ToInt32(context, &code, result) != 0)
		print_exception(context);
	JS_FreeValue(context, result);
	JS_FreeValue(context, binding.make_host_error);
	JS_FreeValue(context, entry);
	return code;
}

int main(int argc, char **argv)
{
	ensure_stdio();
	check_arguments(argc, argv);
	umask(022);
	signal(SIGCHLD, SIG_DFL); // a caller that ignores it would have the kernel reap our children before we know how they ended
	// Nothing else of this user may read or trace the process that is about to be trusted with a container.
	if (prctl(PR_SET_DUMPABLE, 0) != 0)
		fail_early("prctl(PR_SET_DUMPABLE)");
#ifdef EDGERUN_SANITIZE
	JSRuntime *runtime = JS_NewRuntime(); // malloc, so that the sanitizer sees each block
#else
	struct arena arena;
	if (arena_open(&arena) != 0)
		fail_early("cannot map memory");
	JSRuntime *runtime = JS_NewRuntime2(&arena_functions, &arena);
#endif
	JSContext *context = runtime == NULL ? NULL : new_context(runtime);
	if (context == NULL) {
		errno = ENOMEM;
		fail_early("cannot start the engine");
	}
	JS_SetGCThreshold(runtime, (size_t)-1);
	modules_install(runtime);
	int code = run(context, argc, argv);
#ifdef EDGERUN_SANITIZE
	JS_FreeContext(context);
	JS_FreeRuntime(runtime);
#endif
	return code;
}

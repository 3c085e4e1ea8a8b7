// SPDX-License-Identifier: Apache-2.0
#include "modules.h"

#include <string.h>

/** build/edgerun.bytecode, as scripts/compile_bytecode.c writes it. */
extern const uint8_t edgerun_bytecode[];
extern const uint8_t edgerun_bytecode_end[];

/** Before each module in the archive; then its name, and its bytecode. */
struct entry_header {
	uint32_t name_size, code_size;
};

struct module_code {
	const uint8_t *start;
	size_t size;
};

/** Another archive than that in the binary. */
static struct module_code other_archive;

void modules_use_archive(const uint8_t *archive, size_t size)
{
	other_archive = (struct module_code){archive, size};
}

/** Walks the archive: there are a handful of modules. Returns 0 if there is none of that name. */
static int find_code(const char *name, struct module_code *code)
{
	size_t name_size = strlen(name);
	const uint8_t *at = edgerun_bytecode, *end = edgerun_bytecode_end;
	if (other_archive.start != NULL) {
		at = other_archive.start;
		end = at + other_archive.size;
	}
	while (at < end) {
		struct entry_header header;
		memcpy(&header, at, sizeof header);
		at += sizeof header;
		if (header.name_size == name_size && memcmp(at, name, name_size) == 0) {
			*code = (struct module_code){at + header.name_size, header.code_size};
			return 1;
		}
		at += header.name_size + header.code_size;
	}
	return 0;
}

/** Bytecode to a module that is neither linked nor evaluated yet. */
static JSValue read_module(JSContext *context, const char *name)
{
	struct module_code code;
	if (!find_code(name, &code))
		return JS_ThrowReferenceError(context, "no module \"%s\" in this binary", name);
	return JS_ReadObject(context, code.start, code.size, JS_READ_OBJ_BYTECODE);
}

/** Called by the engine for each import of a module that it doesn't have yet. */
static JSModuleDef *load_import(JSContext *context, const char *name, void *opaque)
{
	(void)opaque;
	JSValue module = read_module(context, name);
	if (JS_IsException(module))
		return NULL;
	JSModuleDef *definition = JS_VALUE_GET_PTR(module);
	JS_FreeValue(context, module); // the context's list of modules holds it
	return definition;
}

void modules_install(JSRuntime *runtime)
{
	JS_SetModuleLoaderFunc(runtime, NULL, load_import, NULL);
}

JSValue modules_load(JSContext *context, const char *name)
{
	JSValue module = read_module(context, name);
	if (JS_IsException(module))
		return module;
	JSModuleDef *definition = JS_VALUE_GET_PTR(module);
	if (JS_ResolveModule(context, module) != 0)
		return JS_EXCEPTION;
	JSValue promise = JS_EvalFunction(context, module); // takes the module
	if (JS_IsException(promise))
		return promise;
	// Nothing in the program awaits at its top level, so evaluation has ended, one way or the other.
	int rejected = JS_PromiseState(context, promise) == JS_PROMISE_REJECTED;
	JSValue reason = rejected ? JS_PromiseResult(context, promise) : JS_UNDEFINED;
	JS_FreeValue(context, promise);
	return rejected ? JS_Throw(context, reason) : JS_GetModuleNamespace(context, definition);
}

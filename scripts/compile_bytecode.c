// SPDX-License-Identifier: Apache-2.0
// Compiles modules to QuickJS bytecode, without source and line numbers, into one archive (native/engine/modules.c):
//   compile_bytecode OUTPUT MODULE... [--without NAME...]
// --without: these modules and all that they import are left out; they are in the snapshot (native/engine/snapshot.h).
// A module, because its variables are found by index. A script in a function of its own (esbuild's iife) makes the
// engine search all of them for each function that it creates: 0.4 ms at each start.
// A regular expression is an error here: the device's engine has none, and neither has this one.
// Function names stay in, for the stack of an internal error; line numbers would cost 0.1 ms a start. Bytecode is only valid for the very
// same engine: this program is built from the sources that the device binary is built from.
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_MODULES 100
#define MAX_IMPORTS 100

/** Reads a whole file; a NUL follows, as the engine's parser needs it. Exits on failure. */
static char *read_file(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	if (file == NULL || fseek(file, 0, SEEK_END) != 0) {
		perror(path);
		exit(1);
	}
	*size = (size_t)ftell(file);
	char *text = calloc(1, *size + 1);
	rewind(file);
	if (text == NULL || fread(text, 1, *size, file) != *size) {
		perror(path);
		exit(1);
	}
	fclose(file);
	return text;
}

/** A module, compiled. */
struct module {
	const char *name;
	uint8_t *bytecode;
	size_t size;
	const char *imports[MAX_IMPORTS];
	size_t import_count;
	int is_left_out;
};

/** Stands in for an imported module: each is compiled on its own, and they are linked when they are loaded. */
static int define_nothing(JSContext *context, JSModuleDef *module)
{
	(void)context;
	(void)module;
	return 0;
}

static JSModuleDef *stand_in(JSContext *context, const char *name, void *opaque)
{
	struct module *importer = opaque;
	if (importer->import_count == MAX_IMPORTS) {
		fprintf(stderr, "%s: too many imports\n", importer->name);
		exit(1);
	}
	importer->imports[importer->import_count++] = strdup(name);
	return JS_NewCModule(context, name, define_nothing);
}

static struct module compile_module(const char *path)
{
	const char *slash = strrchr(path, '/');
	struct module module = {.name = slash == NULL ? path : slash + 1};
	size_t size;
	char *text = read_file(path, &size);
	JSRuntime *runtime = JS_NewRuntime(); // of its own: the stand-ins of one module are not those of another
	JS_SetStripInfo(runtime, JS_STRIP_DEBUG);
	JS_SetModuleLoaderFunc(runtime, NULL, stand_in, &module);
	JSContext *context = JS_NewContextRaw(runtime);
	JS_AddIntrinsicBaseObjects(context);
	JS_AddIntrinsicEval(context);
	JSValue value = JS_Eval(context, text, size, module.name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
	if (JS_IsException(value)) {
		fprintf(stderr, "%s: %s\n", path, JS_ToCString(context, JS_GetException(context)));
		exit(1);
	}
	module.bytecode = JS_WriteObject(context, &module.size, value, JS_WRITE_OBJ_BYTECODE);
	if (module.bytecode == NULL) {
		fprintf(stderr, "%s: cannot write bytecode\n", path);
		exit(1);
	}
	return module;
}

static void leave_out(struct module *modules, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(modules[i].name, name) != 0 || modules[i].is_left_out)
			continue;
		modules[i].is_left_out = 1;
		for (size_t k = 0; k < modules[i].import_count; k++)
			leave_out(modules, count, modules[i].imports[k]);
	}
}

/** Sizes of name and bytecode, name, bytecode. */
static int append(FILE *archive, const struct module *module)
{
	uint32_t sizes[2] = {(uint32_t)strlen(module->name), (uint32_t)module->size};
	return fwrite(sizes, sizeof sizes, 1, archive) == 1 && fwrite(module->name, sizes[0], 1, archive) == 1 &&
		fwrite(module->bytecode, module->size, 1, archive) == 1;
}

int main(int argc, char **argv)
{
	static struct module modules[MAX_MODULES];
	size_t count = 0;
	int i = 2;
	for (; i < argc && strcmp(argv[i], "--without") != 0; i++) {
		if (count == MAX_MODULES) {
			fprintf(stderr, "too many modules\n");
			return 1;
		}
		modules[count++] = compile_module(argv[i]);
	}
	if (count == 0) {
		fprintf(stderr, "usage: compile_bytecode OUTPUT MODULE... [--without NAME...]\n");
		return 2;
	}
	while (++i < argc)
		leave_out(modules, count, argv[i]);
	FILE *archive = fopen(argv[1], "wb");
	int failed = archive == NULL;
	for (size_t k = 0; k < count && !failed; k++)
		failed = !modules[k].is_left_out && !append(archive, &modules[k]);
	if (failed || fclose(archive) != 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}

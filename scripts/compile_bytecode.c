// SPDX-License-Identifier: Apache-2.0
// Compiles modules to QuickJS bytecode, without source and line numbers, into one archive (native/engine/modules.c):
//   compile_bytecode OUTPUT MODULE...
// A module, because its variables are found by index. A script in a function of its own (esbuild's iife) makes the
// engine search all of them for each function that it creates: 0.4 ms at each start.
// A regular expression is an error here: the device's engine has none, and neither has this one.
// Function names stay in, for the stack of an internal error; line numbers would cost 0.1 ms a start. Bytecode is only valid for the very
// same engine: this program is built from the sources that the device binary is built from.
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

/** Stands in for an imported module: each is compiled on its own, and they are linked when they are loaded. */
static int define_nothing(JSContext *context, JSModuleDef *module)
{
	(void)context;
	(void)module;
	return 0;
}

static JSModuleDef *stand_in(JSContext *context, const char *name, void *opaque)
{
	(void)opaque;
	return JS_NewCModule(context, name, define_nothing);
}

/** Compiles one module and appends it to the archive: sizes of name and bytecode, name, bytecode. */
static void append_module(FILE *archive, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash == NULL ? path : slash + 1;
	size_t size, bytecode_size;
	char *text = read_file(path, &size);
	JSRuntime *runtime = JS_NewRuntime(); // of its own: the stand-ins of one module are not those of another
	JS_SetStripInfo(runtime, JS_STRIP_DEBUG);
	JS_SetModuleLoaderFunc(runtime, NULL, stand_in, NULL);
	JSContext *context = JS_NewContextRaw(runtime);
	JS_AddIntrinsicBaseObjects(context);
	JS_AddIntrinsicEval(context);
	JSValue module = JS_Eval(context, text, size, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
	if (JS_IsException(module)) {
		fprintf(stderr, "%s: %s\n", path, JS_ToCString(context, JS_GetException(context)));
		exit(1);
	}
	uint8_t *bytecode = JS_WriteObject(context, &bytecode_size, module, JS_WRITE_OBJ_BYTECODE);
	uint32_t sizes[2] = {(uint32_t)strlen(name), (uint32_t)bytecode_size};
	if (bytecode == NULL || fwrite(sizes, sizeof sizes, 1, archive) != 1 || fwrite(name, sizes[0], 1, archive) != 1 ||
		fwrite(bytecode, bytecode_size, 1, archive) != 1) {
		fprintf(stderr, "%s: cannot write bytecode\n", path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: compile_bytecode OUTPUT MODULE...\n");
		return 2;
	}
	FILE *archive = fopen(argv[1], "wb");
	if (archive == NULL) {
		perror(argv[1]);
		return 1;
	}
	for (int i = 2; i < argc; i++)
		append_module(archive, argv[i]);
	if (fclose(archive) != 0) {
		perror(argv[1]);
		return 1;
	}
	return 0;
}

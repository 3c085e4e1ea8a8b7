// SPDX-License-Identifier: Apache-2.0
// Compiles a module to QuickJS bytecode, without its source:
//   compile_bytecode MODULE OUTPUT
// A module, because its variables are found by index. A script in a function of its own (esbuild's iife) makes the
// engine search all of them for each function that it creates: 0.4 ms at each start.
// A regular expression is an error here: the device's engine has none, and neither has this one.
// Function names and line numbers stay in, for the stack of an internal error. Bytecode is only valid for the very
// same engine: this program is built from the sources that the device binary is built from.
#include <quickjs.h>
#include <stdio.h>
#include <stdlib.h>

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

static void write_file(const char *path, const uint8_t *data, size_t size)
{
	FILE *file = fopen(path, "wb");
	if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(1);
	}
}

int main(int argc, char **argv)
{
	if (argc != 3) {
		fprintf(stderr, "usage: compile_bytecode MODULE OUTPUT\n");
		return 2;
	}
	size_t size, bytecode_size;
	char *text = read_file(argv[1], &size);
	JSRuntime *runtime = JS_NewRuntime();
	JS_SetStripInfo(runtime, JS_STRIP_SOURCE);
	JSContext *context = JS_NewContextRaw(runtime);
	JS_AddIntrinsicBaseObjects(context);
	JS_AddIntrinsicEval(context);
	JS_AddIntrinsicPromise(context);
	JSValue module = JS_Eval(context, text, size, "edgerun.js", JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
	if (JS_IsException(module)) {
		fprintf(stderr, "%s: %s\n", argv[1], JS_ToCString(context, JS_GetException(context)));
		return 1;
	}
	uint8_t *bytecode = JS_WriteObject(context, &bytecode_size, module, JS_WRITE_OBJ_BYTECODE);
	if (bytecode == NULL) {
		fprintf(stderr, "%s: cannot write bytecode\n", argv[1]);
		return 1;
	}
	write_file(argv[2], bytecode, bytecode_size);
	return 0;
}

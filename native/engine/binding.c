// SPDX-License-Identifier: Apache-2.0
#include "binding.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/host_table.h"
#include "core/json.h"
#include "core/utf8.h"
#include "json_values.h"

/** One call while its arguments are being converted. What was borrowed from the engine is given back at its end. */
struct call {
	JSContext *context;
	const struct er_host_function *function;
	union er_arg arguments[ER_MAX_ARGUMENTS];
	void *lists[ER_MAX_ARGUMENTS]; // the memory of list arguments
	const char **strings;          // C strings borrowed from the engine
	size_t string_count, string_capacity;
};

static int wrong_type(struct call *call, const char *expected)
{
	JS_ThrowTypeError(call->context, "%s: expected %s", call->function->name, expected);
	return -1;
}

/** Throws the error that the JavaScript side makes of this one. */
static JSValue throw_host_error(JSContext *context, const struct er_error *error)
{
	const struct binding *binding = JS_GetContextOpaque(context);
	JSValue arguments[2] = {
	    JS_NewString(context, error->message),
	    JS_NewString(context, error->number == 0 ? "" : er_errno_name(error->number)),
	};
	JSValue made = JS_Call(context, binding->make_host_error, JS_UNDEFINED, 2, arguments);
	JS_FreeValue(context, arguments[0]);
	JS_FreeValue(context, arguments[1]);
	return JS_IsException(made) ? JS_EXCEPTION : JS_Throw(context, made);
}

/** As throw_host_error, for an argument that no system call could take. */
static int wrong_content(struct call *call, const char *what)
{
	struct er_error error;
	er_fail(&error, EINVAL, "%s: %s in an argument", call->function->name, what);
	throw_host_error(call->context, &error);
	return -1;
}

/** Remembers a string of the engine, to be freed with the call. */
static int keep_string(struct call *call, const char *string)
{
	if (call->string_count == call->string_capacity) {
		size_t capacity = call->string_capacity == 0 ? 8 : call->string_capacity * 2;
		const char **strings = js_realloc(call->context, call->strings, capacity * sizeof *strings);
		if (strings == NULL) {
			JS_FreeCString(call->context, string);
			return -1;
		}
		call->strings = strings;
		call->string_capacity = capacity;
	}
	call->strings[call->string_count++] = string;
	return 0;
}

static int take_int(struct call *call, JSValueConst value, int64_t *out)
{
	double number;
	if (!JS_IsNumber(value) || JS_ToFloat64(call->context, &number, value) != 0 || trunc(number) != number ||
	    fabs(number) > (double)ER_JSON_MAX_SAFE_INTEGER)
		return wrong_type(call, "a safe integer");
	*out = (int64_t)number;
	return 0;
}

static int take_string(struct call *call, JSValueConst value, struct er_bytes *out)
{
	if (!JS_IsString(value))
		return wrong_type(call, "a string");
	out->data = JS_ToCStringLen(call->context, &out->size, value);
	if (out->data == NULL || keep_string(call, out->data) != 0)
		return -1;
	if (memchr(out->data, '\0', out->size) != NULL)
		return wrong_content(call, "NUL character");
	// The engine encodes halves of surrogate pairs as if they were characters.
	if (er_utf8_valid_prefix(out->data, out->size) != out->size)
		return wrong_content(call, "half of a surrogate pair");
	return 0;
}

/** The bytes stay where they are: no JavaScript runs before the call's end. */
static int take_bytes(struct call *call, JSValueConst value, struct er_bytes *out)
{
	size_t offset, width, buffer_size;
	JSValue buffer = JS_GetTypedArrayBuffer(call->context, value, &offset, &out->size, &width);
	if (JS_IsException(buffer)) {
		JS_FreeValue(call->context, JS_GetException(call->context));
		return wrong_type(call, "a Uint8Array");
	}
	uint8_t *data = JS_GetArrayBuffer(call->context, &buffer_size, buffer);
	JS_FreeValue(call->context, buffer);
	if (width != 1)
		return wrong_type(call, "a Uint8Array");
	out->data = data == NULL ? "" : (const char *)data + offset;
	return 0;
}

static int take_blob(struct call *call, JSValueConst value, struct er_bytes *out)
{
	return JS_IsString(value) ? take_string(call, value, out) : take_bytes(call, value, out);
}

static int take_word(struct call *call, JSValueConst value, uint32_t *out)
{
	int64_t number;
	if (take_int(call, value, &number) != 0)
		return -1;
	if (number < 0 || number > UINT32_MAX)
		return wrong_type(call, "unsigned 32-bit integers");
	*out = (uint32_t)number;
	return 0;
}

/** Takes item `i` of a list of this kind. */
static int take_item(struct call *call, char kind, JSValueConst item, void *items, size_t i)
{
	switch (kind) {
	case 'S':
		return take_string(call, item, (struct er_bytes *)items + i);
	case 'B':
		return take_blob(call, item, (struct er_bytes *)items + i);
	default:
		return take_word(call, item, (uint32_t *)items + i);
	}
}

/** Takes an array. Returns the items, for the call's end to free, or NULL with an exception pending. */
static void *take_list(struct call *call, char kind, JSValueConst value, size_t *count)
{
	uint32_t length;
	size_t width = kind == 'w' ? sizeof(uint32_t) : sizeof(struct er_bytes);
	if (JS_IsArray(call->context, value) != 1) {
		wrong_type(call, "an array");
		return NULL;
	}
	JSValue length_value = JS_GetPropertyStr(call->context, value, "length");
	if (JS_ToUint32(call->context, &length, length_value) != 0)
		return NULL;
	void *items = js_malloc(call->context, ((size_t)length + 1) * width);
	if (items == NULL)
		return NULL;
	for (uint32_t i = 0; i < length; i++) {
		JSValue item = JS_GetPropertyUint32(call->context, value, i);
		int status = JS_IsException(item) ? -1 : take_item(call, kind, item, items, i);
		JS_FreeValue(call->context, item);
		if (status != 0) {
			js_free(call->context, items);
			return NULL;
		}
	}
	*count = length;
	return items;
}

static int take_argument(struct call *call, size_t i, JSValueConst value)
{
	union er_arg *argument = &call->arguments[i];
	char kind = call->function->arguments[i];
	switch (kind) {
	case 'i':
		return take_int(call, value, &argument->number);
	case 's':
		return take_string(call, value, &argument->bytes);
	case 'b':
		return take_bytes(call, value, &argument->bytes);
	case 'w':
		argument->words.items = call->lists[i] = take_list(call, kind, value, &argument->words.count);
		return call->lists[i] == NULL ? -1 : 0;
	default:
		argument->list.items = call->lists[i] = take_list(call, kind, value, &argument->list.count);
		return call->lists[i] == NULL ? -1 : 0;
	}
}

static JSValue make_bytes(JSContext *context, const struct er_result *result)
{
	JSValue buffer = JS_NewArrayBufferCopy(context, (const uint8_t *)result->owned, result->size);
	if (JS_IsException(buffer))
		return buffer;
	// The constructor behind this reads offset and length whatever the count says.
	JSValue arguments[3] = {buffer, JS_UNDEFINED, JS_UNDEFINED};
	JSValue bytes = JS_NewTypedArray(context, 3, arguments, JS_TYPED_ARRAY_UINT8);
	JS_FreeValue(context, buffer);
	return bytes;
}

/** Puts an item at the end of an array that is being made; frees the array where that fails. */
static int append(JSContext *context, JSValue array, uint32_t i, JSValue item)
{
	if (!JS_IsException(item) && JS_SetPropertyUint32(context, array, i, item) >= 0)
		return 0;
	JS_FreeValue(context, array);
	return -1;
}

static JSValue make_ints(JSContext *context, const struct er_result *result)
{
	JSValue array = JS_NewArray(context);
	for (uint32_t i = 0; i < result->count && !JS_IsException(array); i++) {
		if (append(context, array, i, JS_NewInt64(context, result->ints[i])) != 0)
			return JS_EXCEPTION;
	}
	return array;
}

static JSValue make_strings(JSContext *context, const struct er_result *result)
{
	JSValue array = JS_NewArray(context);
	const char *string = result->owned;
	for (uint32_t i = 0; i < result->count && !JS_IsException(array); i++) {
		size_t length = strlen(string);
		if (append(context, array, i, JS_NewStringLen(context, string, length)) != 0)
			return JS_EXCEPTION;
		string += length + 1;
	}
	return array;
}

static JSValue make_json(JSContext *context, const struct er_host_function *function, const struct er_result *result)
{
	struct er_error error;
	const char *label = result->label != NULL ? result->label : function->name;
	JSValue value = json_to_value(context, result->owned, result->size, label, &error);
	return JS_IsUninitialized(value) ? throw_host_error(context, &error) : value;
}

static JSValue make_result(JSContext *context, const struct er_host_function *function, const struct er_result *result)
{
	if (result->is_null)
		return JS_NULL;
	switch (function->result) {
	case 'v':
		return JS_UNDEFINED;
	case 'i':
		return JS_NewInt64(context, result->ints[0]);
	case 's':
	case 'z':
		return JS_NewStringLen(context, result->owned != NULL ? result->owned : "", result->size);
	case 'b':
		return make_bytes(context, result);
	case 'I':
	case 'Z':
		return make_ints(context, result);
	case 'S':
		return make_strings(context, result);
	default:
		return make_json(context, function, result);
	}
}

/** What every host function is to JavaScript; `magic` is its index in the table. */
static JSValue call_host(JSContext *context, JSValueConst this_value, int count, JSValueConst *values, int magic)
{
	(void)this_value;
	struct call call = {.context = context, .function = &er_host_functions[magic]};
	JSValue returned = JS_EXCEPTION;
	size_t expected = strlen(call.function->arguments);
	if ((size_t)count != expected) {
		wrong_type(&call, "another number of arguments");
		return JS_EXCEPTION;
	}
	size_t taken = 0;
	while (taken < expected && take_argument(&call, taken, values[taken]) == 0)
		taken++;
	if (taken == expected) {
		struct er_result result = {0};
		struct er_error error = {0};
		int status = call.function->function(call.arguments, &result, &error);
		returned = status == 0 ? make_result(context, call.function, &result) : throw_host_error(context, &error);
		er_result_clear(&result);
	}
	while (call.string_count > 0)
		JS_FreeCString(context, call.strings[--call.string_count]);
	for (size_t i = 0; i < expected; i++)
		js_free(context, call.lists[i]);
	js_free(context, call.strings);
	return returned;
}

JSValue binding_new_host(JSContext *context)
{
	JSValue host = JS_NewObject(context);
	for (size_t i = 0; i < er_host_function_count && !JS_IsException(host); i++) {
		const struct er_host_function *function = &er_host_functions[i];
		JSValue value = JS_NewCFunctionMagic(context, call_host, function->name, (int)strlen(function->arguments),
		                                     JS_CFUNC_generic_magic, (int)i);
		if (JS_SetPropertyStr(context, host, function->name, value) < 0) {
			JS_FreeValue(context, host);
			return JS_EXCEPTION;
		}
	}
	return host;
}

/** An array of the strings up to a null pointer. What is not UTF-8 in them shows as U+FFFD. */
static JSValue make_vector(JSContext *context, char **strings)
{
	JSValue array = JS_NewArray(context);
	for (uint32_t i = 0; strings[i] != NULL && !JS_IsException(array); i++) {
		if (append(context, array, i, JS_NewString(context, strings[i])) != 0)
			return JS_EXCEPTION;
	}
	return array;
}

JSValue binding_new_request(JSContext *context, int argc, char **argv, char **environment)
{
	char *directory = getcwd(NULL, 0);
	struct {
		const char *name;
		JSValue value;
	} members[] = {
	    {"program", JS_NewString(context, argc > 0 ? argv[0] : "edgerun")},
	    {"argv", make_vector(context, argc > 0 ? argv + 1 : argv)},
	    {"env", make_vector(context, environment)},
	    // A working directory that is gone has no name, but relative paths still begin there.
	    {"cwd", JS_NewString(context, directory != NULL ? directory : ".")},
	    {"uid", JS_NewUint32(context, geteuid())},
	    {"gid", JS_NewUint32(context, getegid())},
	    {"pid", JS_NewUint32(context, (uint32_t)getpid())},
	};
	free(directory);
	JSValue request = JS_NewObject(context);
	int failed = JS_IsException(request);
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		if (failed || JS_IsException(members[i].value)) {
			JS_FreeValue(context, members[i].value);
			failed = 1;
		} else if (JS_SetPropertyStr(context, request, members[i].name, members[i].value) < 0) {
			failed = 1;
		}
	}
	if (!failed)
		return request;
	JS_FreeValue(context, request);
	return JS_EXCEPTION;
}

// SPDX-License-Identifier: Apache-2.0
// The host functions, offered to JavaScript on Node. The module exports createHost(makeHostError), where
// makeHostError(message, errno name or "") makes the error to throw.
#include <errno.h>
#include <math.h>
#include <node_api.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/host_table.h"
#include "core/json.h"
#include "core/utf8.h"
#include "json_values.h"

/** One host object. */
struct host {
	napi_ref make_host_error;
};

/** A function of a host object: what its data pointer leads to. */
struct bound_function {
	const struct er_host_function *function;
	struct host *host;
};

/** One call while its arguments are being converted. Everything that it allocated is freed at its end. */
struct call {
	napi_env env;
	const struct bound_function *bound;
	union er_arg arguments[ER_MAX_ARGUMENTS];
	void **blocks;
	size_t block_count, block_capacity;
};

static int wrong_type(struct call *call, const char *expected)
{
	char message[160];
	snprintf(message, sizeof message, "%s: expected %s", call->bound->function->name, expected);
	napi_throw_type_error(call->env, NULL, message);
	return -1;
}

/** Throws the error that the JavaScript side makes of this one. */
static void throw_host_error(napi_env env, const struct host *host, const struct er_error *error)
{
	napi_value undefined, function, arguments[2], made;
	const char *name = error->number == 0 ? "" : er_errno_name(error->number);
	if (napi_get_undefined(env, &undefined) == napi_ok &&
	    napi_get_reference_value(env, host->make_host_error, &function) == napi_ok &&
	    napi_create_string_utf8(env, error->message, NAPI_AUTO_LENGTH, &arguments[0]) == napi_ok &&
	    napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &arguments[1]) == napi_ok &&
	    napi_call_function(env, undefined, function, 2, arguments, &made) == napi_ok)
		napi_throw(env, made);
}

/** As throw_host_error, for an argument that no system call could take. */
static int wrong_content(struct call *call, const char *what)
{
	struct er_error error;
	er_fail(&error, EINVAL, "%s: %s in an argument", call->bound->function->name, what);
	throw_host_error(call->env, call->bound->host, &error);
	return -1;
}

/** Memory that is freed with the call. */
static void *allocate(struct call *call, size_t size)
{
	if (call->block_count == call->block_capacity) {
		size_t capacity = call->block_capacity == 0 ? 8 : call->block_capacity * 2;
		void **blocks = realloc(call->blocks, capacity * sizeof *blocks);
		if (blocks == NULL)
			goto failed;
		call->blocks = blocks;
		call->block_capacity = capacity;
	}
	void *block = malloc(size);
	if (block != NULL)
		return call->blocks[call->block_count++] = block;
failed:
	napi_throw_error(call->env, NULL, "out of memory");
	return NULL;
}

static int take_int(struct call *call, napi_value value, int64_t *out)
{
	double number;
	if (napi_get_value_double(call->env, value, &number) != napi_ok || trunc(number) != number ||
	    fabs(number) > (double)ER_JSON_MAX_SAFE_INTEGER)
		return wrong_type(call, "a safe integer");
	*out = (int64_t)number;
	return 0;
}

/** True if a string of V8, read as UTF-16, has a surrogate without its other half: as UTF-8 it would be U+FFFD. */
static int has_lone_surrogate(const char16_t *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] < 0xd800 || text[i] > 0xdfff)
			continue;
		if (text[i] > 0xdbff || i + 1 == length || text[i + 1] < 0xdc00 || text[i + 1] > 0xdfff)
			return 1;
		i++;
	}
	return 0;
}

/** Refuses a string that holds U+FFFD because it holds half of a surrogate pair. */
static int check_surrogates(struct call *call, napi_value value, const struct er_bytes *utf8)
{
	size_t length = utf8->size + 1; // UTF-16 has no more units than UTF-8 has bytes
	if (memmem(utf8->data, utf8->size, "\xef\xbf\xbd", 3) == NULL)
		return 0;
	char16_t *text = allocate(call, length * sizeof *text);
	if (text == NULL || napi_get_value_string_utf16(call->env, value, text, length, &length) != napi_ok)
		return -1;
	return has_lone_surrogate(text, length) ? wrong_content(call, "half of a surrogate pair") : 0;
}

static int take_string(struct call *call, napi_value value, struct er_bytes *out)
{
	size_t size;
	if (napi_get_value_string_utf8(call->env, value, NULL, 0, &size) != napi_ok)
		return wrong_type(call, "a string");
	char *data = allocate(call, size + 1);
	if (data == NULL || napi_get_value_string_utf8(call->env, value, data, size + 1, &size) != napi_ok)
		return -1;
	*out = (struct er_bytes){data, size};
	if (memchr(data, '\0', size) != NULL)
		return wrong_content(call, "NUL character");
	return check_surrogates(call, value, out);
}

/** The bytes stay where they are: no JavaScript runs before the call's end. */
static int take_bytes(struct call *call, napi_value value, struct er_bytes *out)
{
	napi_typedarray_type type;
	void *data;
	if (napi_get_typedarray_info(call->env, value, &type, &out->size, &data, NULL, NULL) != napi_ok ||
	    type != napi_uint8_array)
		return wrong_type(call, "a Uint8Array");
	out->data = data == NULL ? "" : data;
	return 0;
}

static int take_blob(struct call *call, napi_value value, struct er_bytes *out)
{
	napi_valuetype type;
	if (napi_typeof(call->env, value, &type) != napi_ok)
		return -1;
	return type == napi_string ? take_string(call, value, out) : take_bytes(call, value, out);
}

static int take_word(struct call *call, napi_value value, uint32_t *out)
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
static int take_item(struct call *call, char kind, napi_value item, void *items, size_t i)
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

/** Takes an array. Returns the items, or NULL with an exception pending. */
static void *take_list(struct call *call, char kind, napi_value value, size_t *count)
{
	uint32_t length;
	if (napi_get_array_length(call->env, value, &length) != napi_ok) {
		wrong_type(call, "an array");
		return NULL;
	}
	size_t width = kind == 'w' ? sizeof(uint32_t) : sizeof(struct er_bytes);
	void *items = allocate(call, ((size_t)length + 1) * width);
	for (uint32_t i = 0; i < length && items != NULL; i++) {
		napi_value item;
		if (napi_get_element(call->env, value, i, &item) != napi_ok || take_item(call, kind, item, items, i) != 0)
			return NULL;
	}
	*count = length;
	return items;
}

static int take_argument(struct call *call, size_t i, napi_value value)
{
	union er_arg *argument = &call->arguments[i];
	char kind = call->bound->function->arguments[i];
	switch (kind) {
	case 'i':
		return take_int(call, value, &argument->number);
	case 's':
		return take_string(call, value, &argument->bytes);
	case 'b':
		return take_bytes(call, value, &argument->bytes);
	case 'w':
		argument->words.items = take_list(call, kind, value, &argument->words.count);
		return argument->words.items == NULL ? -1 : 0;
	default:
		argument->list.items = take_list(call, kind, value, &argument->list.count);
		return argument->list.items == NULL ? -1 : 0;
	}
}

static napi_value make_bytes(napi_env env, const struct er_result *result)
{
	void *data;
	napi_value buffer, bytes;
	if (napi_create_arraybuffer(env, result->size, &data, &buffer) != napi_ok)
		return NULL;
	if (result->size > 0)
		memcpy(data, result->owned, result->size);
	return napi_create_typedarray(env, napi_uint8_array, result->size, buffer, 0, &bytes) == napi_ok ? bytes : NULL;
}

static napi_value make_ints(napi_env env, const struct er_result *result)
{
	napi_value array, item;
	if (napi_create_array_with_length(env, result->count, &array) != napi_ok)
		return NULL;
	for (uint32_t i = 0; i < result->count; i++) {
		if (napi_create_int64(env, result->ints[i], &item) != napi_ok ||
		    napi_set_element(env, array, i, item) != napi_ok)
			return NULL;
	}
	return array;
}

static napi_value make_strings(napi_env env, const struct er_result *result)
{
	napi_value array, item;
	const char *string = result->owned;
	if (napi_create_array_with_length(env, result->count, &array) != napi_ok)
		return NULL;
	for (uint32_t i = 0; i < result->count; i++) {
		size_t length = strlen(string);
		if (napi_create_string_utf8(env, string, length, &item) != napi_ok ||
		    napi_set_element(env, array, i, item) != napi_ok)
			return NULL;
		string += length + 1;
	}
	return array;
}

static napi_value make_json(const struct call *call, const struct er_result *result)
{
	struct er_error error;
	napi_value value;
	const char *label = result->label != NULL ? result->label : call->bound->function->name;
	if (json_to_value(call->env, result->owned, result->size, label, &value, &error) == 0)
		return value;
	if (error.message[0] != '\0')
		throw_host_error(call->env, call->bound->host, &error);
	return NULL;
}

/** The value of a result, or NULL with an exception pending. */
static napi_value make_result(const struct call *call, const struct er_result *result)
{
	napi_value value = NULL;
	if (result->is_null)
		return napi_get_null(call->env, &value) == napi_ok ? value : NULL;
	switch (call->bound->function->result) {
	case 'v':
		napi_get_undefined(call->env, &value);
		return value;
	case 'i':
		napi_create_int64(call->env, result->ints[0], &value);
		return value;
	case 's':
	case 'z':
		napi_create_string_utf8(call->env, result->owned != NULL ? result->owned : "", result->size, &value);
		return value;
	case 'b':
		return make_bytes(call->env, result);
	case 'I':
	case 'Z':
		return make_ints(call->env, result);
	case 'S':
		return make_strings(call->env, result);
	default:
		return make_json(call, result);
	}
}

/** What every host function is to JavaScript. */
static napi_value call_host(napi_env env, napi_callback_info info)
{
	size_t count = ER_MAX_ARGUMENTS;
	napi_value values[ER_MAX_ARGUMENTS], returned = NULL;
	void *data;
	if (napi_get_cb_info(env, info, &count, values, NULL, &data) != napi_ok)
		return NULL;
	struct call call = {.env = env, .bound = data};
	size_t expected = strlen(call.bound->function->arguments), taken = 0;
	if (count != expected) {
		wrong_type(&call, "another number of arguments");
		return NULL;
	}
	while (taken < expected && take_argument(&call, taken, values[taken]) == 0)
		taken++;
	if (taken == expected) {
		struct er_result result = {0};
		struct er_error error = {0};
		if (call.bound->function->function(call.arguments, &result, &error) == 0)
			returned = make_result(&call, &result);
		else
			throw_host_error(env, call.bound->host, &error);
		er_result_clear(&result);
	}
	while (call.block_count > 0)
		free(call.blocks[--call.block_count]);
	free(call.blocks);
	return returned;
}

/** createHost(makeHostError): an object with one function for each row of the table. */
static napi_value create_host(napi_env env, napi_callback_info info)
{
	size_t count = 1;
	napi_value make_host_error, object;
	napi_valuetype type;
	if (napi_get_cb_info(env, info, &count, &make_host_error, NULL, NULL) != napi_ok || count != 1 ||
	    napi_typeof(env, make_host_error, &type) != napi_ok || type != napi_function) {
		napi_throw_type_error(env, NULL, "createHost: expected a function");
		return NULL;
	}
	// Made once for each process that uses it; the functions may outlive the object, so both stay.
	struct host *host = calloc(1, sizeof *host);
	struct bound_function *bound = calloc(er_host_function_count, sizeof *bound);
	if (host == NULL || bound == NULL || napi_create_object(env, &object) != napi_ok ||
	    napi_create_reference(env, make_host_error, 1, &host->make_host_error) != napi_ok) {
		free(host);
		free(bound);
		return NULL;
	}
	for (size_t i = 0; i < er_host_function_count; i++) {
		napi_value function;
		bound[i] = (struct bound_function){&er_host_functions[i], host};
		if (napi_create_function(env, er_host_functions[i].name, NAPI_AUTO_LENGTH, call_host, &bound[i], &function) != napi_ok ||
		    napi_set_named_property(env, object, er_host_functions[i].name, function) != napi_ok)
			return NULL;
	}
	return object;
}

NAPI_MODULE_INIT()
{
	er_host_closes_inherited = 1;
	// A caller that ignores it would have the kernel reap our children before we know how they ended.
	struct sigaction inherited;
	if (sigaction(SIGCHLD, NULL, &inherited) == 0 && inherited.sa_handler == SIG_IGN)
		signal(SIGCHLD, SIG_DFL);
	napi_value function;
	if (napi_create_function(env, "createHost", NAPI_AUTO_LENGTH, create_host, NULL, &function) != napi_ok ||
	    napi_set_named_property(env, exports, "createHost", function) != napi_ok)
		return NULL;
	return exports;
}

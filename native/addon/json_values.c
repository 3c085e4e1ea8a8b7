// SPDX-License-Identifier: Apache-2.0
#include "json_values.h"

#include "core/json.h"

struct builder {
	napi_env env;
	napi_value object_class, object_create, null_value; // Object, Object.create, null
	napi_value root;
	napi_value key; // of the next value, in an object
	int depth;
	struct {
		napi_value value;
		int is_object;
		uint32_t length;
	} stack[ER_JSON_MAX_DEPTH];
};

/** Puts a value where it belongs, if it could be made. */
static int add(struct builder *builder, napi_status made, napi_value value)
{
	if (made != napi_ok)
		return -1;
	if (builder->depth == 0) {
		builder->root = value;
		return 0;
	}
	napi_value parent = builder->stack[builder->depth - 1].value;
	// An object without a prototype has no setters, not even __proto__: setting defines.
	napi_status status = builder->stack[builder->depth - 1].is_object
	                         ? napi_set_property(builder->env, parent, builder->key, value)
	                         : napi_set_element(builder->env, parent, builder->stack[builder->depth - 1].length++, value);
	return status == napi_ok ? 0 : -1;
}

static int begin(struct builder *builder, napi_status made, napi_value value, int is_object)
{
	if (add(builder, made, value) != 0)
		return -1;
	builder->stack[builder->depth].value = value;
	builder->stack[builder->depth].is_object = is_object;
	builder->stack[builder->depth].length = 0;
	builder->depth++;
	return 0;
}

static int begin_object(void *context)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_call_function(builder->env, builder->object_class, builder->object_create, 1,
	                                      &builder->null_value, &value);
	return begin(builder, made, value, 1);
}

static int begin_array(void *context)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_create_array(builder->env, &value);
	return begin(builder, made, value, 0);
}

static int end(void *context)
{
	((struct builder *)context)->depth--;
	return 0;
}

static int key(void *context, const char *data, size_t size)
{
	struct builder *builder = context;
	return napi_create_string_utf8(builder->env, data, size, &builder->key) == napi_ok ? 0 : -1;
}

static int string(void *context, const char *data, size_t size)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_create_string_utf8(builder->env, data, size, &value);
	return add(builder, made, value);
}

static int integer(void *context, int64_t number)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_create_int64(builder->env, number, &value);
	return add(builder, made, value);
}

static int big_integer(void *context, int negative, uint64_t magnitude)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_create_bigint_words(builder->env, negative, 1, &magnitude, &value);
	return add(builder, made, value);
}

static int number(void *context, double number)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_create_double(builder->env, number, &value);
	return add(builder, made, value);
}

static int boolean(void *context, int truth)
{
	struct builder *builder = context;
	napi_value value;
	napi_status made = napi_get_boolean(builder->env, truth != 0, &value);
	return add(builder, made, value);
}

static int null(void *context)
{
	struct builder *builder = context;
	return add(builder, napi_ok, builder->null_value);
}

static const struct er_json_visitor visitor = {
    .begin_object = begin_object,
    .key = key,
    .end_object = end,
    .begin_array = begin_array,
    .end_array = end,
    .string = string,
    .integer = integer,
    .big_integer = big_integer,
    .number = number,
    .boolean = boolean,
    .null = null,
};

int json_to_value(napi_env env, const char *text, size_t size, const char *label, napi_value *value,
                  struct er_error *error)
{
	struct builder builder = {.env = env};
	napi_value global;
	*error = (struct er_error){0};
	if (napi_get_global(env, &global) != napi_ok || napi_get_null(env, &builder.null_value) != napi_ok ||
	    napi_get_named_property(env, global, "Object", &builder.object_class) != napi_ok ||
	    napi_get_named_property(env, builder.object_class, "create", &builder.object_create) != napi_ok)
		return -1;
	if (er_json_parse(text, size, label, &visitor, &builder, error) != ER_JSON_OK)
		return -1;
	*value = builder.root;
	return 0;
}

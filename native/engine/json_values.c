// SPDX-License-Identifier: Apache-2.0
#include "json_values.h"

#include "core/json.h"

struct builder {
	JSContext *context;
	JSValue root;
	int depth;
	JSAtom key; // of the next value, in an object
	struct {
		JSValueConst value; // owned by its parent, or by root
		int is_object;
		uint32_t length;
	} stack[ER_JSON_MAX_DEPTH];
};

/** Puts a value where it belongs, and takes it over. Returns 0, or -1 with an exception pending. */
static int add(struct builder *builder, JSValue value)
{
	if (JS_IsException(value))
		return -1;
	if (builder->depth == 0) {
		builder->root = value;
		return 0;
	}
	JSValueConst parent = builder->stack[builder->depth - 1].value;
	if (!builder->stack[builder->depth - 1].is_object)
		return JS_SetPropertyUint32(builder->context, parent, builder->stack[builder->depth - 1].length++, value) < 0 ? -1 : 0;
	int status = JS_DefinePropertyValue(builder->context, parent, builder->key, value, JS_PROP_C_W_E);
	JS_FreeAtom(builder->context, builder->key);
	builder->key = JS_ATOM_NULL;
	return status < 0 ? -1 : 0;
}

static int begin(struct builder *builder, JSValue value, int is_object)
{
	if (add(builder, value) != 0)
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
	return begin(builder, JS_NewObjectProto(builder->context, JS_NULL), 1);
}

static int begin_array(void *context)
{
	struct builder *builder = context;
	return begin(builder, JS_NewArray(builder->context), 0);
}

static int end(void *context)
{
	((struct builder *)context)->depth--;
	return 0;
}

static int key(void *context, const char *data, size_t size)
{
	struct builder *builder = context;
	builder->key = JS_NewAtomLen(builder->context, data, size);
	return builder->key == JS_ATOM_NULL ? -1 : 0;
}

static int string(void *context, const char *data, size_t size)
{
	struct builder *builder = context;
	return add(builder, JS_NewStringLen(builder->context, data, size));
}

static int integer(void *context, int64_t value)
{
	struct builder *builder = context;
	return add(builder, JS_NewInt64(builder->context, value));
}

static int big_integer(void *context, int negative, uint64_t magnitude)
{
	struct builder *builder = context;
	// The reader refuses what is below -2^63, so negating as unsigned gives the right two's complement.
	return add(builder, negative ? JS_NewBigInt64(builder->context, (int64_t)-magnitude)
	                             : JS_NewBigUint64(builder->context, magnitude));
}

static int number(void *context, double value)
{
	struct builder *builder = context;
	return add(builder, JS_NewFloat64(builder->context, value));
}

static int boolean(void *context, int value)
{
	return add(context, value ? JS_TRUE : JS_FALSE);
}

static int null(void *context)
{
	return add(context, JS_NULL);
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

JSValue json_to_value(JSContext *context, const char *text, size_t size, const char *label, struct er_error *error)
{
	struct builder builder = {.context = context, .root = JS_UNDEFINED, .key = JS_ATOM_NULL};
	enum er_json_status status = er_json_parse(text, size, label, &visitor, &builder, error);
	if (status == ER_JSON_OK)
		return builder.root;
	JS_FreeAtom(context, builder.key);
	JS_FreeValue(context, builder.root);
	return status == ER_JSON_INVALID ? JS_UNINITIALIZED : JS_EXCEPTION;
}

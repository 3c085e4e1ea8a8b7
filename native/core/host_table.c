// SPDX-License-Identifier: Apache-2.0
#include "host_table.h"

#include "functions.h"

#define HOST_FUNCTION(name, function, arguments, result)                                                           \
	_Static_assert(sizeof(arguments) - 1 <= ER_MAX_ARGUMENTS, "too many arguments: " #name);
#include "gen/host_functions.h"
#undef HOST_FUNCTION

const struct er_host_function er_host_functions[] = {
#define HOST_FUNCTION(name, function, arguments, result) {#name, function, arguments, result},
#include "gen/host_functions.h"
#undef HOST_FUNCTION
};

const size_t er_host_function_count = sizeof er_host_functions / sizeof *er_host_functions;

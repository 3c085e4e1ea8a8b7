// SPDX-License-Identifier: Apache-2.0
// Declares every host function of the table in src/host/functions.ts; what each does is documented there.
#pragma once
#include "host.h"

#define HOST_FUNCTION(name, function, args, result) er_function function;
#include "gen/host_functions.h"
#undef HOST_FUNCTION

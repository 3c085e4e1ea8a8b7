// SPDX-License-Identifier: Apache-2.0
// What starting edgerun-init (launch.c) and speaking with it (control.c) share.
#pragma once
#include <stddef.h>

/** A close-on-exec memfd with the bytes, at a descriptor number of at least `lowest`. -1 with errno. */
int er_make_memfd(const char *name, unsigned flags, const char *data, size_t size, int lowest);

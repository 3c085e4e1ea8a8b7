// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <sys/types.h>

/** mkdir(2) for everything before the path's last name; what is there stays as it is. 0, or -1 with errno. */
int er_make_parents(const char *path, mode_t mode);

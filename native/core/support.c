// SPDX-License-Identifier: Apache-2.0
// What every host function uses: errors, results, cleanup at scope end.
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

int er_fail(struct er_error *error, int number, const char *format, ...)
{
	error->number = number;
	va_list arguments;
	va_start(arguments, format);
	int written = vsnprintf(error->message, sizeof error->message, format, arguments);
	va_end(arguments);
	size_t length = written < 0 ? 0 : (size_t)written;
	if (length >= sizeof error->message)
		length = sizeof error->message - 1;
	if (number != 0 && length < sizeof error->message - 1) {
		const char *text = strerrordesc_np(number); // unlike strerror: no locale, no allocation
		if (text != NULL)
			snprintf(error->message + length, sizeof error->message - length, ": %s", text);
		else
			snprintf(error->message + length, sizeof error->message - length, ": error %d", number);
	}
	for (char *byte = error->message; *byte != '\0'; byte++) {
		if ((unsigned char)*byte < 0x20 || *byte == 0x7f)
			*byte = '?';
	}
	return -1;
}

const char *er_errno_name(int number)
{
	const char *name = strerrorname_np(number);
	if (name != NULL)
		return name;
	static _Thread_local char unnamed[16];
	snprintf(unnamed, sizeof unnamed, "E%d", number);
	return unnamed;
}

void er_result_clear(struct er_result *result)
{
	free(result->owned);
	*result = (struct er_result){0};
}

void er_close_at(int *fd)
{
	if (*fd < 0)
		return;
	int saved = errno; // cleanup must not hide the failure that caused it
	close(*fd);
	errno = saved;
	*fd = -1;
}

void er_free_at(void *pointer)
{
	void **owned = pointer;
	free(*owned);
	*owned = NULL;
}

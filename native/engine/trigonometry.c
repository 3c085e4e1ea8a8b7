// SPDX-License-Identifier: Apache-2.0
// The engine's Math refers to these; the program has no use for them. The C library's, each in four variants for
// different processors, would be a tenth of the binary.
#include <math.h>
#include <unistd.h>

static _Noreturn void refuse(void)
{
	static const char text[] = "edgerun: internal error: trigonometry is not in this binary\n";
	(void)!write(STDERR_FILENO, text, sizeof text - 1);
	_exit(1);
}

#define ABSENT(name)                \
	double name(double x)           \
	{                               \
		(void)x;                    \
		refuse();                   \
	}
ABSENT(sin)
ABSENT(cos)
ABSENT(tan)
ABSENT(asin)
ABSENT(acos)
ABSENT(atan)

double atan2(double y, double x)
{
	(void)y;
	(void)x;
	refuse();
}

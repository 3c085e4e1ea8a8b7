// SPDX-License-Identifier: Apache-2.0
// Makes one system call by its number: call native|x32|i386 NUMBER [ARGUMENT...]. Prints the value, or `errno N`.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/** x32 programs set it in their numbers (syscall(2)). */
#define X32_BIT 0x40000000

int main(int argc, char **argv)
{
	if (argc < 3)
		return 2;
	long arguments[7] = {0};
	for (int i = 2; i < argc && i < 9; i++)
		arguments[i - 2] = (long)strtoull(argv[i], NULL, 0);
	long answer;
#ifdef __x86_64__
	if (strcmp(argv[1], "i386") == 0) {
		int result;
		__asm__ volatile("int $0x80"
						 : "=a"(result)
						 : "a"((int)arguments[0]), "b"((int)arguments[1]), "c"((int)arguments[2]), "d"((int)arguments[3])
						 : "memory");
		answer = result;
	} else
#endif
	{
		if (strcmp(argv[1], "x32") == 0)
			arguments[0] |= X32_BIT;
		answer = syscall(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5], arguments[6]);
		answer = answer < 0 ? -errno : answer;
	}
	if (answer < 0)
		printf("errno %ld\n", -answer);
	else
		printf("%ld\n", answer);
	return 0;
}

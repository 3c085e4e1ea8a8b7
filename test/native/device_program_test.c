// SPDX-License-Identifier: Apache-2.0
// Device programs on a real cgroup v2 directory, where this machine has one: on a hybrid host it needs no controllers.
#include <fcntl.h>
#include <mntent.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "check.h"

// Two words for each instruction, as src/plan/device_program.ts makes them.
#define MOVE_VERDICT(value) 0xb7, (value)
#define EXIT 0x95, 0
#define LOAD_ACCESS_TYPE 0x1261, 0
#define LOAD_MINOR (0x1561 | 8 << 16), 0
#define SKIP_UNLESS_MINOR(minor, count) (0x555 | (count) << 16), (minor)

static char cgroup[4096];

static union er_arg words(const uint32_t *items, size_t count)
{
	return (union er_arg){.words = {items, count}};
}
#define ATTACH(path, ...) \
	CALL(er_attach_device_program, str(path), \
	     words((uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t)))

/** Makes a directory in the machine's cgroup2 mount. 0 where there is none, or it is not ours to write to. */
static int make_cgroup(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	if (mounts == NULL)
		return 0;
	int made = 0;
	const struct mntent *mount;
	while (!made && (mount = getmntent(mounts)) != NULL) {
		if (strcmp(mount->mnt_type, "cgroup2") != 0)
			continue;
		snprintf(cgroup, sizeof cgroup, "%s/edgerun-test-%d", mount->mnt_dir, (int)getpid());
		made = mkdir(cgroup, 0755) == 0;
	}
	endmntent(mounts);
	return made;
}

/** Joins the cgroup and opens a device node; the errno, or 0. In a child: this process stays where it is. */
static int open_inside(const char *node, int flags)
{
	pid_t child = fork();
	if (child == 0) {
		char path[sizeof cgroup + sizeof "/cgroup.procs"];
		snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
		int fd = open(path, O_WRONLY);
		if (fd < 0 || write(fd, "0", 1) != 1)
			_exit(255);
		_exit(open(node, flags) < 0 ? errno : 0);
	}
	int status;
	if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void test_arguments(void)
{
	check(failed_with(ATTACH("/nowhere", MOVE_VERDICT(1), EXIT), ENOENT), "a cgroup that is absent is an error");
	check(failed_with(ATTACH("/dev/null", MOVE_VERDICT(1), EXIT), ENOTDIR), "a file is no cgroup");
	check(failed_with(ATTACH("/", 0xb7), EINVAL), "half an instruction is refused");
	check(failed_with(CALL(er_attach_device_program, str("/"), words(NULL, 0)), EINVAL), "no instruction is refused");
}

static void test_programs(void)
{
	struct stat info;
	const char *node = "device";
	check(mknod(node, S_IFCHR | 0666, makedev(1, 5)) == 0 && stat(node, &info) == 0, "a device node can be made");
	check(open_inside(node, O_RDONLY) == 0, "without a program a device is opened");
	check(ATTACH(cgroup, LOAD_ACCESS_TYPE, LOAD_MINOR, SKIP_UNLESS_MINOR(5, 2), MOVE_VERDICT(1), EXIT, MOVE_VERDICT(0),
	             EXIT) == 0,
	      "a program is attached");
	check(open_inside(node, O_RDONLY) == 0, "what it allows is opened");
	check(open_inside("/dev/null", O_RDWR) == EPERM, "what it denies is not");
	check(open("/dev/null", O_RDWR | O_CLOEXEC) >= 0, "outside of the cgroup nothing is denied");
	check(ATTACH(cgroup, MOVE_VERDICT(1), EXIT) == 0 && open_inside("/dev/null", O_RDWR) == EPERM,
	      "a second program takes nothing of the first one back");
	check(ATTACH(cgroup, MOVE_VERDICT(0), EXIT) == 0 && open_inside(node, O_RDONLY) == EPERM, "all of them must allow");
}

static void test_failures(void)
{
	int code = ATTACH(cgroup, EXIT); // the verdict is never set
	check(code == -1 && (error.number == EACCES || error.number == EINVAL) && strstr(error.message, "R0") != NULL,
	      "a program that the kernel refuses fails with the verifier's words");
	check(strchr(error.message, '\n') == NULL, "in one line");
	char below[sizeof check_directory];
	strcpy(below, check_directory);
	check(failed_with(ATTACH(below, MOVE_VERDICT(1), EXIT), EBADF), "a directory that is no cgroup is an error");
}

int main(void)
{
	enter_directory();
	test_arguments();
	if (make_cgroup()) {
		test_programs();
		test_failures();
		check(rmdir(cgroup) == 0, "the programs do not hold the cgroup");
	} else {
		skip("device programs", "no cgroup v2 that can be written to");
	}
	leave_directory();
	return check_summary();
}

// SPDX-License-Identifier: Apache-2.0
// Directories, names, locks, and the removal of cgroups.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "check.h"

static int listed(const char *path, const char *names, size_t size, size_t count)
{
	return CALL(er_list_directory, str(path)) == 0 && result.count == count && result.size == size &&
		   memcmp(result.owned, names, size) == 0;
}

static void test_directories(void)
{
	check(CALL(er_make_directory, str("one"), num(0700)) == 0, "makeDirectory makes a directory");
	check(failed_with(CALL(er_make_directory, str("one"), num(0700)), EEXIST), "makeDirectory fails if it is there");
	check(CALL(er_make_directories, str("one/b/c"), num(0700)) == 0 && access("one/b/c", F_OK) == 0,
		  "makeDirectories makes parents");
	check(CALL(er_make_directories, str("one/b/c/"), num(0700)) == 0, "makeDirectories is satisfied by what is there");
	check(CALL(er_make_directories, str("/"), num(0700)) == 0, "makeDirectories is satisfied by /");
	check(failed_with(CALL(er_make_directories, str("/dev/null/x"), num(0700)), ENOTDIR),
		  "makeDirectories refuses a file in the way");
	check(failed_with(CALL(er_make_directories, str("/dev/null"), num(0700)), ENOTDIR),
		  "makeDirectories refuses a file at the end");
	check(listed("one/b/c", "", 0, 0), "listDirectory of an empty directory is empty");
	check(CALL(er_make_directory, str("one/a"), num(0700)) == 0 &&
			  CALL(er_make_directory, str("one/\xC3\xA9"), num(0700)) == 0 &&
			  CALL(er_make_directory, str("one/B"), num(0700)) == 0 && listed("one", "B\0a\0b\0\xC3\xA9", 9, 4),
		  "listDirectory sorts bytewise");
	check(failed_with(CALL(er_list_directory, str("none")), ENOENT), "listDirectory fails on an absent directory");
	check(failed_with(CALL(er_remove_directory, str("one")), ENOTEMPTY), "removeDirectory refuses a full directory");
	check(CALL(er_remove_directory, str("one/a")) == 0 && access("one/a", F_OK) < 0, "removeDirectory removes");
	check(symlink("one", "link") == 0 && failed_with(CALL(er_open_directory, str("link")), ENOTDIR),
		  "openDirectory does not follow a link");
	check(CALL(er_remove_file, str("link")) == 0 && failed_with(CALL(er_remove_file, str("link")), ENOENT),
		  "removeFile unlinks");
	check(CALL(er_real_path, str("/proc/self/../self/root/./tmp")) == 0 && gave("/tmp"), "realPath resolves");
	check(failed_with(CALL(er_real_path, str("none/x")), ENOENT), "realPath fails on an absent path");
}

static void test_info(void)
{
	struct stat info;
	check(CALL(er_file_info, str("/dev/null"), num(0)) == 0 && result.count == 8 && stat("/dev/null", &info) == 0 &&
			  result.ints[0] == info.st_mode && result.ints[1] == info.st_uid &&
			  result.ints[4] == (int64_t)info.st_dev && result.ints[5] == (int64_t)info.st_ino && result.ints[6] == 1 &&
			  result.ints[7] == 3,
		  "fileInfo describes a device");
	check(CALL(er_file_info, str("none"), num(0)) == 0 && result.is_null, "fileInfo is null if absent");
	check(symlink("/dev/null", "null") == 0 && CALL(er_file_info, str("null"), num(0)) == 0 &&
			  S_ISLNK(result.ints[0]) && CALL(er_file_info, str("null"), num(1)) == 0 && S_ISCHR(result.ints[0]),
		  "fileInfo follows a link only when told");
}

static void test_lock(void)
{
	check(CALL(er_open_directory, str("one")) == 0, "openDirectory opens");
	int fd = (int)result.ints[0];
	check((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0, "openDirectory is close-on-exec");
	check(CALL(er_lock, num(fd), num(0)) == 0 && result.ints[0] == 1, "lock locks");
	int other = open("one", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(CALL(er_lock, num(other), num(0)) == 0 && result.ints[0] == 0, "lock does not wait with a timeout of 0");
	check(CALL(er_lock, num(other), num(60)) == 0 && result.ints[0] == 0, "lock gives up after the timeout");
	pid_t child = fork();
	if (child == 0) { // holds the same open file: the lock ends when both have closed it
		usleep(50000);
		_exit(0);
	}
	close(fd);
	check(CALL(er_lock, num(other), num(5000)) == 0 && result.ints[0] == 1, "lock waits for the holder");
	waitpid(child, NULL, 0);
	close(other);
	check(failed_with(CALL(er_lock, num(-1), num(0)), EBADF), "lock fails on a bad descriptor");
}

static void test_remove_tree(void)
{
	check(CALL(er_make_directories, str("tree/a/b/c"), num(0700)) == 0 &&
			  CALL(er_make_directories, str("tree/d"), num(0700)) == 0 &&
			  CALL(er_remove_cgroup, str("tree/"), num(0)) == 0 && access("tree", F_OK) < 0,
		  "removeCgroup removes a tree, depth first");
	check(CALL(er_remove_cgroup, str("tree"), num(0)) == 0, "removeCgroup is satisfied by an absent directory");
	check(CALL(er_remove_cgroup, str("none/tree"), num(0)) == 0, "removeCgroup is satisfied by an absent parent");
	check(failed_with(CALL(er_remove_cgroup, str("/"), num(0)), EINVAL) &&
			  failed_with(CALL(er_remove_cgroup, str("a/.."), num(0)), EINVAL) &&
			  failed_with(CALL(er_remove_cgroup, str(""), num(0)), EINVAL),
		  "removeCgroup needs a name");
	check(CALL(er_make_directories, str("outside/kept"), num(0700)) == 0 &&
			  CALL(er_make_directories, str("tree/a"), num(0700)) == 0 &&
			  symlink("../../outside", "tree/a/link") == 0 &&
			  failed_with(CALL(er_remove_cgroup, str("tree"), num(0)), ENOTEMPTY) && access("outside/kept", F_OK) == 0,
		  "removeCgroup follows no link and unlinks no file");
}

/** A cgroup of a real hierarchy, where there is one that we may make a directory in; `made` is its path. */
static int make_cgroup(char *made, size_t size)
{
	static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"};
	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
		char procs[256];
		snprintf(made, size, "%s/edgerun-test-%d", roots[i], getpid());
		snprintf(procs, sizeof procs, "%s/cgroup.procs", made);
		if (mkdir(made, 0755) == 0 && access(procs, W_OK) == 0)
			return 1;
		rmdir(made);
	}
	return 0;
}

static void test_cgroup(void)
{
	char path[128], child_path[160], procs[192], text[16];
	if (!make_cgroup(path, sizeof path)) {
		skip("removeCgroup waits for killed processes", "no cgroup can be made here");
		return;
	}
	snprintf(child_path, sizeof child_path, "%s/child", path);
	snprintf(procs, sizeof procs, "%s/cgroup.procs", child_path);
	pid_t child = fork();
	if (child == 0) {
		pause();
		_exit(0);
	}
	snprintf(text, sizeof text, "%d", child);
	check(mkdir(child_path, 0755) == 0 && CALL(er_write_file, str(procs), str(text)) == 0,
		  "writeFile moves a process into a cgroup");
	check(failed_with(CALL(er_remove_cgroup, str(path), num(50)), EBUSY),
		  "removeCgroup reports a populated cgroup after the timeout");
	kill(child, SIGKILL);
	check(CALL(er_remove_cgroup, str(path), num(5000)) == 0 && access(path, F_OK) < 0,
		  "removeCgroup waits for killed processes");
	waitpid(child, NULL, 0);
	rmdir(child_path);
	rmdir(path);
}

int main(void)
{
	enter_directory();
	test_directories();
	test_info();
	test_lock();
	test_remove_tree();
	test_cgroup();
	leave_directory();
	return check_summary();
}

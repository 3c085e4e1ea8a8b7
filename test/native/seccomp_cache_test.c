// SPDX-License-Identifier: Apache-2.0
// The cache of compiled filters: what it takes, what it refuses, and that it is never needed.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "check.h"

/** Denies keyctl with the errno. */
static int compile(uint32_t number, const char *directory)
{
	const uint32_t words[] = {5, 0, 0, 1, 3, number, 1, 0, 0};
	static const struct er_bytes strings[] = {{"keyctl", 6}};
	return CALL(er_compile_seccomp, (union er_arg){.words = {words, sizeof words / sizeof *words}}, list(strings, 1),
				str(directory));
}

/** Puts the path of the cache's entry (the one, or the last read) in `path`; returns how many there are. */
static int find_entry(const char *directory, char path[512])
{
	int count = 0;
	DIR *entries = opendir(directory);
	if (entries == NULL)
		return -1;
	for (const struct dirent *entry; (entry = readdir(entries)) != NULL;) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		snprintf(path, 512, "%s/%s", directory, entry->d_name);
		count++;
	}
	closedir(entries);
	return count;
}

static char expected[4096];
static size_t expected_size;

/** Compiles with the cache and compares with what libseccomp gave without. */
static int is_right(const char *directory)
{
	return compile(1, directory) == 0 && result.size == expected_size &&
		   memcmp(result.owned, expected, expected_size) == 0;
}

static void flip_byte(const char *path, off_t at)
{
	int fd = open(path, O_RDWR);
	unsigned char byte;
	if (fd < 0 || pread(fd, &byte, 1, at) != 1 || (byte ^= 1, pwrite(fd, &byte, 1, at)) != 1)
		exit(1);
	close(fd);
}

static ino_t inode(const char *path)
{
	struct stat info;
	return lstat(path, &info) == 0 ? info.st_ino : 0;
}

static void test_entry(void)
{
	char path[512];
	struct stat info;
	check(is_right("a/b/cache") && find_entry("a/b/cache", path) == 1, "a miss makes the directory and one entry");
	check(stat("a", &info) == 0 && (info.st_mode & 07777) == 0711 && stat("a/b/cache", &info) == 0 &&
			  (info.st_mode & 07777) == 0700,
		  "the directory is 0700, its parents 0711");
	ino_t first = inode(path);
	check(stat(path, &info) == 0 && (info.st_mode & 07777) == 0600 && info.st_size % 8 == 0, "the entry is 0600");
	check(is_right("a/b/cache") && inode(path) == first, "a hit gives the same program and writes nothing");
	check(compile(2, "a/b/cache") == 0 && memcmp(result.owned, expected, expected_size) != 0 &&
			  find_entry("a/b/cache", path) == 2,
		  "another profile has another entry");
}

static void test_damage(void)
{
	char path[512];
	check(is_right("cache") && find_entry("cache", path) == 1, "an entry is made");
	struct stat info;
	stat(path, &info);
	int right = 0;
	for (off_t at = 0; at < info.st_size; at++) {
		ino_t before = inode(path);
		flip_byte(path, at);
		right += is_right("cache") && inode(path) != before;
	}
	check(right == info.st_size, "an entry with any byte changed is compiled again and replaced");
	right = 0;
	for (off_t size = 0; size < info.st_size; size++) {
		if (truncate(path, size) < 0)
			break;
		right += is_right("cache");
	}
	check(right == info.st_size, "an entry cut off anywhere is compiled again");
	check(truncate(path, 1 << 20) == 0 && is_right("cache"), "an entry that is too large is compiled again");
	check(compile(2, "other") == 0, "another entry is made");
	char other[512];
	find_entry("other", other);
	check(rename(other, path) == 0 && is_right("cache"),
		  "the entry of another profile under this one's name is refused");
}

static void test_hostile_entries(void)
{
	char path[512];
	find_entry("cache", path);
	int refused = 0;
	ino_t before = inode(path);
	chmod(path, 0620);
	refused += is_right("cache") && inode(path) != before;
	check(refused == 1, "an entry that a group may write is replaced");
	before = inode(path);
	check(link(path, "second") == 0 && is_right("cache") && inode(path) != before,
		  "an entry with a second link is replaced");
	unlink("second");
	check(rename(path, "moved") == 0 && symlink("../moved", path) == 0 && is_right("cache"),
		  "a symbolic link in an entry's place is not followed");
	struct stat info;
	check(lstat(path, &info) == 0 && S_ISREG(info.st_mode), "it is replaced");
	unlink(path);
	check(mkfifo(path, 0600) == 0 && is_right("cache") && lstat(path, &info) == 0 && S_ISREG(info.st_mode),
		  "a FIFO in an entry's place does not stop us, and is replaced");
	unlink(path);
	check(mkdir(path, 0700) == 0 && is_right("cache"), "a directory in an entry's place does not stop us");
	rmdir(path);
	if (geteuid() == 0) {
		is_right("cache");
		before = inode(path);
		check(chown(path, 65534, 0) == 0 && is_right("cache") && inode(path) != before,
			  "another user's entry is replaced");
	} else {
		skip("another user's entry is replaced", "needs root");
	}
	char temporary[600];
	unlink(path);
	const char *name = strrchr(path, '/') + 1;
	snprintf(temporary, sizeof temporary, "cache/.%s.tmp", name);
	check(symlink("/dev/full", temporary) == 0 && is_right("cache") && lstat(path, &info) == 0 &&
			  S_ISREG(info.st_mode) && access(temporary, F_OK) < 0,
		  "a temporary file left behind is replaced, not followed");
}

static void test_hostile_directories(void)
{
	char path[512];
	static const char *const useless[] = {"/dev/null/cache", "/dev/null", "/proc/cache", ""};
	int right = 0;
	for (size_t i = 0; i < sizeof useless / sizeof *useless; i++)
		right += is_right(useless[i]);
	check(right == 4, "a directory that can't be made is no error");
	mkdir("open", 0777);
	chmod("open", 0777);
	check(is_right("open") && find_entry("open", path) == 0, "a directory that others may write is not used");
	mkdir("real", 0700);
	check(symlink("real", "link") == 0 && is_right("link") && find_entry("real", path) == 0,
		  "a symbolic link to a directory is not followed");
	if (geteuid() == 0) {
		mkdir("foreign", 0700);
		check(chown("foreign", 65534, 65534) == 0 && is_right("foreign") && find_entry("foreign", path) == 0,
			  "another user's directory is not used");
	} else {
		skip("another user's directory is not used", "needs root");
	}
}

int main(void)
{
	umask(022);
	enter_directory();
	if (compile(1, "") != 0 || result.size > sizeof expected)
		return 1;
	expected_size = result.size;
	memcpy(expected, result.owned, expected_size);
	test_entry();
	test_damage();
	test_hostile_entries();
	test_hostile_directories();
	leave_directory();
	return check_summary();
}

// SPDX-License-Identifier: Apache-2.0
// Reading and writing files and descriptors.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "check.h"

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	if (file == NULL || fputs(text, file) < 0 || fclose(file) != 0)
		exit(1);
}

static int holds(const char *path, const char *text)
{
	return CALL(er_read_file, str(path), num(1000)) == 0 && gave(text);
}

static void test_reading(void)
{
	put("text", "0123456789");
	mkfifo("fifo", 0600);
	mkdir("directory", 0700);
	check(holds("text", "0123456789"), "readFile gives a file's text");
	check(CALL(er_read_file, str("text"), num(10)) == 0 && gave("0123456789"), "readFile takes exactly the limit");
	check(failed_with(CALL(er_read_file, str("text"), num(9)), EFBIG), "readFile refuses one byte more than the limit");
	check(failed_with(CALL(er_read_file, str("text"), num(-1)), EINVAL), "readFile refuses a negative limit");
	check(failed_with(CALL(er_read_file, str("none"), num(9)), ENOENT), "readFile fails on an absent file");
	check(strcasecmp(error.message, "open \"none\": no such file or directory") == 0,
		  "its message names operation and object");
	check(failed_with(CALL(er_read_file, str("directory"), num(9)), EISDIR), "readFile refuses a directory");
	check(CALL(er_read_json, str("fifo"), num(9)) == -1 && strstr(error.message, "not a regular file") != NULL,
		  "readJson refuses a FIFO without waiting for its writer");
	check(CALL(er_read_json, str("/dev/zero"), num(9)) == -1, "readJson refuses a device");
	check(CALL(er_read_json, str("text"), num(99)) == 0 && gave("0123456789") && strcmp(result.label, "text") == 0,
		  "readJson hands the text over with its label");
	check(CALL(er_parse_json, str("{}"), str("label")) == 0 && gave("{}") && strcmp(result.label, "label") == 0,
		  "parseJson hands the text over with its label");
	check(CALL(er_read_file, str("/proc/self/status"), num(65536)) == 0 && result.size > 100,
		  "readFile reads procfs, whose sizes are 0");
	put("empty", "");
	check(holds("empty", ""), "readFile gives an empty text for an empty file");
	check(CALL(er_read_file, str("empty"), num(0)) == 0, "readFile takes a limit of 0");
	check(CALL(er_read_file_if_exists, str("none"), num(9)) == 0 && result.is_null,
		  "readFileIfExists is null if absent");
	check(CALL(er_read_file_if_exists, str("text"), num(99)) == 0 && gave("0123456789"), "readFileIfExists reads");
	check(failed_with(CALL(er_read_file_if_exists, str("text/x"), num(9)), ENOTDIR),
		  "readFileIfExists hides no other failure");
}

static void test_large_text(void)
{
	size_t size = 1 << 20;
	char *text = malloc(size + 1);
	if (text == NULL)
		exit(1);
	memset(text, 'x', size);
	text[size] = '\0';
	check(CALL(er_create_file, str("large"), bytes(text, size), num(0600), num(0)) == 0 &&
			  CALL(er_read_file, str("large"), num(1 << 20)) == 0 && gave(text),
		  "1 MiB is written and read whole");
	check(failed_with(CALL(er_read_file, str("large"), num((1 << 20) - 1)), EFBIG),
		  "1 MiB is over a limit of 1 byte less");
	free(text);
}

static void test_writing(void)
{
	umask(022);
	struct stat info;
	check(CALL(er_create_file, str("new"), str("a"), num(0640), num(1)) == 0 && holds("new", "a"), "createFile writes");
	check(stat("new", &info) == 0 && (info.st_mode & 07777) == 0640, "createFile gives the mode");
	check(failed_with(CALL(er_create_file, str("new"), str("b"), num(0600), num(0)), EEXIST) && holds("new", "a"),
		  "createFile leaves a file that is there alone");
	check(symlink("nowhere", "link") == 0 &&
			  failed_with(CALL(er_create_file, str("link"), str("b"), num(0600), num(0)), EEXIST) &&
			  access("nowhere", F_OK) < 0,
		  "createFile does not follow a dangling link");
	put(".new.tmp", "left by a killed writer");
	check(CALL(er_replace_file, str("new"), str("c"), num(0600), num(1)) == 0 && holds("new", "c"),
		  "replaceFile replaces");
	check(access(".new.tmp", F_OK) < 0, "replaceFile leaves no temporary file");
	check(CALL(er_replace_file, str("fresh"), str("d"), num(0600), num(0)) == 0 && holds("fresh", "d"),
		  "replaceFile creates");
	check(failed_with(CALL(er_replace_file, str("directory"), str("d"), num(0600), num(0)), EISDIR) &&
			  access(".directory.tmp", F_OK) < 0,
		  "replaceFile cleans up after a failed rename");
	check(failed_with(CALL(er_replace_file, str("directory/"), str("d"), num(0600), num(0)), EISDIR),
		  "replaceFile needs a name");
	check(CALL(er_replace_file, str("directory/inner"), str("e"), num(0600), num(1)) == 0 &&
			  holds("directory/inner", "e"),
		  "replaceFile works in another directory");
	check(CALL(er_append_file, str("log"), str("1\n")) == 0 && CALL(er_append_file, str("log"), str("2\n")) == 0 &&
			  holds("log", "1\n2\n"),
		  "appendFile creates and appends");
	check(failed_with(CALL(er_write_file, str("none"), str("x")), ENOENT) && access("none", F_OK) < 0,
		  "writeFile creates nothing");
	check(CALL(er_write_file, str("/dev/null"), str("x")) == 0, "writeFile writes");
	check(failed_with(CALL(er_write_file, str("/dev/full"), str("x")), ENOSPC), "writeFile reports a full device");
	check(failed_with(CALL(er_append_file, str("/dev/full"), str("x")), ENOSPC), "appendFile reports a full device");
}

static void test_descriptors(void)
{
	int ends[2];
	if (pipe(ends) < 0)
		exit(1);
	check(CALL(er_write_fd, num(ends[1]), str("hello")) == 0, "writeFd writes");
	check(CALL(er_close_fd, num(ends[1])) == 0, "closeFd closes");
	check(CALL(er_read_fd, num(ends[0]), num(10)) == 0 && gave("hello"), "readFd reads to end of file");
	close(ends[0]);
	check(failed_with(CALL(er_read_fd, num(-1), num(10)), EBADF), "readFd fails on a bad descriptor");
	check(failed_with(CALL(er_close_fd, num(-1)), EBADF), "closeFd fails on a bad descriptor");
	check(CALL(er_clock, num(0)) == 0 && result.count == 2 && result.ints[0] > 1600000000 &&
			  result.ints[1] < 1000000000,
		  "clock gives seconds and nanoseconds");
}

/** Pipes of callers may be non-blocking (Node's are), and whoever is at the other end slow. */
static void test_nonblocking_pipe(void)
{
	static char text[256 * 1024]; // more than a pipe holds
	memset(text, 'x', sizeof text);
	int ends[2];
	if (pipe2(ends, O_NONBLOCK) < 0)
		exit(1);
	pid_t writer = fork();
	if (writer == 0) {
		close(ends[0]);
		usleep(50000);
		_exit(CALL(er_write_fd, num(ends[1]), bytes(text, sizeof text)) == 0 ? 0 : 1);
	}
	close(ends[1]);
	int read_all = CALL(er_read_fd, num(ends[0]), num(sizeof text)) == 0 && result.size == sizeof text;
	check(read_all, "readFd waits for a non-blocking pipe");
	int status = 1;
	check(waitpid(writer, &status, 0) == writer && status == 0, "writeFd waits for a non-blocking pipe");
	close(ends[0]);
}

int main(void)
{
	enter_directory();
	test_reading();
	test_large_text();
	test_writing();
	test_descriptors();
	test_nonblocking_pipe();
	leave_directory();
	return check_summary();
}

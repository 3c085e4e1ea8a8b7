// SPDX-License-Identifier: Apache-2.0
// Starting criu, and the packets of the connection; a stand-in answers questions about what it was given.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>

#include "check.h"

/** Each packet is the name of a question; the answer is one packet. It ends with exit code 7 at end of file. */
static const char stand_in[] =
	"#!/usr/bin/python3\n"
	"import array, os, socket, struct, sys\n"
	"c = socket.socket(fileno=3)\n"
	"def fds():\n"
	"    return ' '.join(sorted(str(n) for n in map(int, os.listdir('/proc/self/fd')) if os.path.exists(f'/proc/self/fd/{n}')))\n"
	"answers = {\n"
	"  'arguments': lambda: ' '.join(sys.argv[1:]),\n"
	"  'environment': lambda: ' '.join(sorted(k + '=' + v for k, v in os.environ.items() if k != 'LC_CTYPE')),\n"
	"  'fds': fds,\n"
	"  'stdio': lambda: ' '.join(os.readlink(f'/proc/self/fd/{n}') for n in range(3)),\n"
	"  'file': lambda: os.read(4, 100).decode(),\n"
	"  'directory': lambda: str(os.path.samefile('/proc/self/fd/5', 'target')),\n"
	"  'peer': lambda: str(struct.unpack('3i', c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0] == os.getpid()),\n"
	"  'mounted': lambda: str(os.path.exists('target/inside')),\n"
	"  'namespace': lambda: os.readlink('/proc/self/ns/mnt'),\n"
	"  'signals': lambda: [l for l in open('/proc/self/status') if l.startswith('SigBlk')][0].split()[1],\n"
	"}\n"
	"while True:\n"
	"    packet = c.recv(1 << 20).decode()\n"
	"    if packet == '': sys.exit(7)\n"
	"    if packet == 'pass': c.sendmsg([b'passed'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', [4]))])\n"
	"    elif packet == 'long': c.send(b'x' * (65 << 10))\n"
	"    elif packet == 'quiet': pass\n"
	"    elif packet == 'die': os.kill(os.getpid(), 9)\n"
	"    else: c.send(answers[packet]().encode())\n";

static char program[64];
static int64_t pid, connection, pidfd;

static void write_text(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		perror(path);
	close(fd);
}

static int start(const char *path, const struct er_bytes *files, size_t file_count, const char *root, const char *target,
				 int keep_stdio)
{
	static const struct er_bytes environment[] = {{"A=b", 3}};
	int code = CALL(er_start_criu, str(path), list(environment, 1), list(files, file_count), str(root), str(target), num(keep_stdio));
	pid = result.ints[0];
	connection = result.ints[1];
	pidfd = result.ints[2];
	return code;
}

/** Ends the server by the end of the connection; returns its exit code. */
static int64_t end(void)
{
	close((int)connection);
	close((int)pidfd);
	CALL(er_wait_process, num(pid));
	return result.ints[0];
}

/** Asks; 1 when the answer is this text, with this descriptor (-1: none). */
static int answers(const char *question, const char *text)
{
	if (CALL(er_write_bytes, num(connection), str(question)) != 0 || CALL(er_receive_packet, num(connection), num(5000)) != 0) {
		printf("# %s: %s\n", question, error.message);
		return 0;
	}
	if (result.size == 4 + strlen(text) && memcmp(result.owned, "\377\377\377\377", 4) == 0 &&
		memcmp(result.owned + 4, text, strlen(text)) == 0)
		return 1;
	printf("# %s: got %.*s, want %s\n", question, (int)result.size - 4, result.owned + 4, text);
	return 0;
}

static void test_what_it_is_given(void)
{
	const struct er_bytes files[] = {{"file", 4}, {"target", 6}};
	check(start(program, files, 2, "", "", 0) == 0, "a program is started with the files");
	check(answers("arguments", "swrk 3"), "its arguments name the connection");
	check(answers("environment", "A=b"), "it has exactly the environment");
	check(answers("fds", "0 1 2 3 4 5"), "it has no other descriptors");
	check(answers("stdio", "/dev/null /dev/null /dev/null"), "its stdio is /dev/null");
	check(answers("file", "text of the file") && answers("directory", "True"), "files are at 4 and up, in their order");
	check(answers("peer", "True"), "the connection's peer is itself, so numbers in requests are its own descriptors");
	check(answers("signals", "0000000000000000"), "no signal is blocked");
	char own[64] = "";
	check(readlink("/proc/self/ns/mnt", own, sizeof own - 1) > 0 && answers("namespace", own), "without a root it is in our mount namespace");
	check(fcntl((int)connection, F_GETFD) == FD_CLOEXEC && fcntl((int)pidfd, F_GETFD) == FD_CLOEXEC, "our descriptors are close-on-exec");
	check(end() == 7, "it sees the end of the connection");
}

static void test_root(void)
{
	if (geteuid() != 0) {
		skip("a mount namespace", "only root may make one");
		return;
	}
	check(start(program, NULL, 0, "root", "target", 0) == 0 && answers("mounted", "True"), "its root is mounted at the target");
	check(access("target/inside", F_OK) != 0, "and not in our mount namespace");
	end();
	check(failed_with(start(program, NULL, 0, "absent", "target", 0), ENOENT) && strstr(error.message, "\"absent\"") != NULL,
		  "a root that is not there is an error");
}

static void test_packets(void)
{
	const struct er_bytes files[] = {{"file", 4}};
	start(program, files, 1, "", "", 1);
	CALL(er_write_bytes, num(connection), str("pass"));
	int32_t passed = -1;
	if (CALL(er_receive_packet, num(connection), num(5000)) == 0 && result.size == 10)
		memcpy(&passed, result.owned, sizeof passed);
	char text[32] = "";
	check(passed >= 0 && memcmp(result.owned + 4, "passed", 6) == 0 && pread(passed, text, 31, 0) > 0 && strcmp(text, "text of the file") == 0,
		  "a descriptor comes with its packet");
	check(fcntl(passed, F_GETFD) == FD_CLOEXEC, "and is close-on-exec");
	close(passed);
	CALL(er_write_bytes, num(connection), str("long"));
	check(failed_with(CALL(er_receive_packet, num(connection), num(5000)), EMSGSIZE), "a packet that is too long is an error");
	CALL(er_write_bytes, num(connection), str("quiet"));
	check(failed_with(CALL(er_receive_packet, num(connection), num(20)), ETIMEDOUT), "no packet in time is an error");
	CALL(er_write_bytes, num(connection), str("die"));
	check(CALL(er_receive_packet, num(connection), num(-1)) == 0 && result.size == 0, "the end of the server is an empty packet");
	check(failed_with(CALL(er_write_bytes, num(connection), str("x")), EPIPE), "writing to one that ended is EPIPE");
	check(end() == 128 + SIGKILL, "and its end can be waited for");
}

static void test_pipe(void)
{
	int ends[2];
	if (pipe(ends) != 0)
		perror("pipe");
	char byte = 1;
	check(CALL(er_write_bytes, num(ends[1]), bytes("\0", 1)) == 0 && read(ends[0], &byte, 1) == 1 && byte == 0, "bytes go through a pipe");
	close(ends[0]);
	check(failed_with(CALL(er_write_bytes, num(ends[1]), bytes("\0", 1)), EPIPE), "one without a reader does not kill");
	sigset_t pending;
	sigpending(&pending);
	check(!sigismember(&pending, SIGPIPE), "and leaves no signal behind");
	close(ends[1]);
}

static void test_failures(void)
{
	const struct er_bytes files[] = {{"file", 4}, {"absent", 6}};
	check(failed_with(start("/none", NULL, 0, "", "", 0), ENOENT) && strstr(error.message, "\"/none\"") != NULL, "an absent program is ENOENT");
	check(failed_with(start(program, files, 2, "", "", 0), ENOENT) && strstr(error.message, "open \"absent\"") != NULL, "an absent file is ENOENT, by name");
	const struct er_bytes many[] = {{"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}, {"file", 4}};
	check(failed_with(start(program, many, 9, "", "", 0), E2BIG), "too many files are refused");
	check(failed_with(CALL(er_wait_process, num(1)), ECHILD), "nothing of a failed start is left");
}

int main(void)
{
	enter_directory();
	snprintf(program, sizeof program, "%s/criu", check_directory);
	write_text(program, stand_in, 0755);
	write_text("file", "text of the file", 0644);
	if (mkdir("root", 0755) != 0 || mkdir("target", 0755) != 0)
		perror("mkdir");
	write_text("root/inside", "", 0644);
	test_what_it_is_given();
	test_root();
	test_packets();
	test_pipe();
	test_failures();
	leave_directory();
	return check_summary();
}

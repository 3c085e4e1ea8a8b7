// SPDX-License-Identifier: Apache-2.0
// Standing in for a container in the foreground. Each case runs in a process of its own, the supervisor, whose streams
// and signals are the test's; a shell script plays the container.
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>

#include "check.h"

enum stdin_kind { STDIN_PIPE, STDIN_CLOSED, STDIN_NULL, STDIN_TERMINAL };

/** One case: what is asked for, then what came of it. */
struct session {
	const char *script;
	int terminal; // the container gets a pty
	enum stdin_kind stdin_kind;
	void (*prepare)(void); // in the supervisor, when the container runs
	pid_t supervisor;
	int input, output; // our ends of its stdin (of the pty: the master) and stdout
	char text[1 << 12];
	size_t size;
};

static pid_t start_container(const struct session *session, int master, int slave)
{
	pid_t pid = fork();
	if (pid != 0)
		return pid;
	setsid();
	if (master >= 0)
		close(master);
	if (slave >= 0 &&
		(ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0))
		_exit(201);
	if (slave > 2)
		close(slave);
	execl("/bin/sh", "sh", "-c", session->script, NULL);
	_exit(202);
}

/** The supervisor's whole life. */
static void supervise(const struct session *session)
{
	int master = -1, slave = -1;
	struct sigaction before[NSIG], after;
	if (session->terminal && openpty(&master, &slave, NULL, NULL, NULL) < 0)
		_exit(203);
	pid_t container = start_container(session, master, slave);
	if (slave >= 0)
		close(slave);
	if (session->prepare != NULL)
		session->prepare();
	int pidfd = (int)syscall(SYS_pidfd_open, container, 0);
	if (session->stdin_kind == STDIN_CLOSED)
		close(STDIN_FILENO);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, NULL, &before[number]);
	if (CALL(er_supervise_process, num(container), num(pidfd), num(master), num(-1), str("")) < 0) {
		dprintf(2, "# %s\n", error.message);
		_exit(204);
	}
	for (int number = 1; number < NSIG; number++) {
		if (sigaction(number, NULL, &after) == 0 && after.sa_handler != before[number].sa_handler)
			_exit(205);
	}
	_exit((int)result.ints[0]);
}

static void start(struct session *session)
{
	int in[2] = {-1, -1}, out[2];
	if (pipe2(out, O_CLOEXEC) < 0)
		exit(1);
	if (session->stdin_kind == STDIN_TERMINAL) {
		const struct winsize size = {.ws_row = 33, .ws_col = 77};
		if (openpty(&in[1], &in[0], NULL, NULL, &size) < 0)
			exit(1);
	} else if (session->stdin_kind == STDIN_NULL) {
		in[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
	} else if (pipe2(in, O_CLOEXEC) < 0) {
		exit(1);
	}
	session->supervisor = fork();
	if (session->supervisor == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		syscall(SYS_close_range, 3, ~0u, 0);
		supervise(session);
	}
	// A terminal's slave stays open here too: its settings are looked at afterwards.
	if (session->stdin_kind != STDIN_TERMINAL)
		close(in[0]);
	close(out[1]);
	session->input = in[1];
	session->output = out[0];
	session->size = 0;
}

/** Reads the output until the text is there, or its end, or 5 s have passed. */
static int wait_for(struct session *session, const char *text)
{
	time_t deadline = time(NULL) + 5;
	while (time(NULL) < deadline) {
		session->text[session->size] = '\0';
		if (text != NULL && strstr(session->text, text) != NULL)
			return 1;
		struct pollfd watched = {.fd = session->output, .events = POLLIN};
		if (session->size == sizeof session->text - 1 || poll(&watched, 1, 500) < 0)
			return 0;
		if (watched.revents == 0)
			continue;
		ssize_t got = read(session->output, session->text + session->size, sizeof session->text - 1 - session->size);
		if (got <= 0)
			return 0;
		session->size += (size_t)got;
	}
	return 0;
}

static void type(const struct session *session, const char *text)
{
	if (write(session->input, text, strlen(text)) < 0)
		perror("type");
}

/** The supervisor's exit code: 300 when it does not end within 5 s, 300+n for a signal. */
static int finish(struct session *session)
{
	int status = 0;
	wait_for(session, NULL);
	for (int i = 0; i < 500; i++) {
		if (waitpid(session->supervisor, &status, WNOHANG) > 0) {
			close(session->output);
			close(session->input);
			return WIFEXITED(status) ? WEXITSTATUS(status) : 300 + WTERMSIG(status);
		}
		usleep(10000);
	}
	kill(session->supervisor, SIGKILL);
	waitpid(session->supervisor, NULL, 0);
	return 300;
}

static void test_exit_codes(void)
{
	struct session session = {.script = "exit 7"};
	start(&session);
	check(finish(&session) == 7, "the exit code is given, and all signal handlers are put back");
	session = (struct session){.script = "kill -9 $$"};
	start(&session);
	check(finish(&session) == 137, "128+n is given for signal n");
}

static void ignore_hangup(void)
{
	signal(SIGHUP, SIG_IGN);
}
static void ignore_children(void)
{
	signal(SIGCHLD, SIG_IGN);
}
static void block_term(void)
{
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}
static void *idle(void *nothing)
{
	for (;;)
		pause();
	return nothing;
}
/** As in a Node host: another thread, in which no signal is blocked. */
static void start_thread(void)
{
	pthread_t thread;
	if (pthread_create(&thread, NULL, idle, NULL) != 0)
		_exit(206);
}
static void adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static void test_signals(void)
{
	static const struct {
		int number;
		const char *name;
		int forwarded, terminal;
	} cases[] = {{SIGTERM, "SIGTERM", 1, 0}, {SIGINT, "SIGINT", 1, 0},     {SIGHUP, "SIGHUP", 1, 0},
				 {SIGUSR1, "SIGUSR1", 1, 0}, {SIGTERM, "SIGTERM", 1, 1},   {SIGCONT, "SIGCONT", 1, 0},
				 {SIGURG, "SIGURG", 0, 0},   {SIGWINCH, "SIGWINCH", 0, 0}, {SIGPIPE, "SIGPIPE", 0, 0}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[80], script[160];
		snprintf(script, sizeof script,
				 "trap 'exit 9' %s; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.02; i=$((i+1)); done; exit 3",
				 cases[i].name + 3);
		struct session session = {.script = script, .terminal = cases[i].terminal};
		start(&session);
		int ready = wait_for(&session, "ready");
		usleep(50000); // without a terminal, the script may be faster than the supervisor
		kill(session.supervisor, cases[i].number);
		snprintf(name, sizeof name, "%s is %s%s", cases[i].name, cases[i].forwarded ? "forwarded" : "not forwarded",
				 cases[i].terminal ? " with a terminal" : "");
		check(ready && finish(&session) == (cases[i].forwarded ? 9 : 3), name);
	}
	struct session session = {.script = "trap 'exit 9' HUP; echo ready; sleep 0.2; exit 3", .prepare = ignore_hangup};
	start(&session);
	wait_for(&session, "ready");
	usleep(50000);
	kill(session.supervisor, SIGHUP);
	check(finish(&session) == 3, "a signal that was ignored (nohup) stays ignored");
	session =
		(struct session){.script = "trap 'exit 9' TERM; echo ready; sleep 0.5 & wait; exit 3", .prepare = block_term};
	start(&session);
	wait_for(&session, "ready");
	usleep(50000);
	kill(session.supervisor, SIGTERM);
	check(finish(&session) == 9, "a signal that was blocked is forwarded");
	session = (struct session){.script = "trap 'exit 9' TERM; echo ready; sleep 0.5 & wait; exit 3",
							   .prepare = start_thread};
	start(&session);
	wait_for(&session, "ready");
	usleep(50000);
	kill(session.supervisor, SIGTERM);
	check(finish(&session) == 9, "a signal is forwarded by a process with other threads");
	session = (struct session){.script = "sleep 0.2; exit 6", .prepare = ignore_children};
	start(&session);
	check(finish(&session) == 6, "the exit code is known although SIGCHLD was ignored");
	session = (struct session){
		.script =
			"(sh -c 'sleep 0.1' &); sleep 0.4; cat /proc/[0-9]*/stat 2>/dev/null | grep \") Z $PPID \" && exit 8; exit 5",
		.prepare = adopt};
	start(&session);
	check(finish(&session) == 5, "adopted processes are reaped while the container runs");
}

static void test_relay(void)
{
	struct session session = {.script = "stty -echo; echo ready; read x; echo \"got $x\"; read y; echo \"and $y\"",
							  .terminal = 1};
	start(&session);
	int ready = wait_for(&session, "ready");
	type(&session, "one\n");
	ready = ready && wait_for(&session, "got one");
	type(&session, "two\n");
	check(finish(&session) == 0 && ready && strcmp(session.text, "ready\ngot one\nand two\n") == 0,
		  "stdin and stdout are relayed, newlines unchanged");
	session =
		(struct session){.script = "stty -echo; echo ready; read x; echo \"$x\"; sleep 0.2; echo end", .terminal = 1};
	start(&session);
	wait_for(&session, "ready");
	type(&session, "last\n");
	close(session.input);
	session.input = -1;
	check(finish(&session) == 0 && strcmp(session.text, "ready\nlast\nend\n") == 0,
		  "the end of stdin does not end the terminal");
	for (enum stdin_kind kind = STDIN_CLOSED; kind <= STDIN_NULL; kind++) {
		session =
			(struct session){.script = "echo out; sleep 0.1; echo more; exit 4", .terminal = 1, .stdin_kind = kind};
		start(&session);
		check(finish(&session) == 4 && strcmp(session.text, "out\nmore\n") == 0,
			  kind == STDIN_CLOSED ? "a closed stdin is no obstacle" : "/dev/null as stdin is no obstacle");
	}
	session = (struct session){.script = "exec </dev/null >/dev/null 2>&1; sleep 0.2; echo back >/dev/tty; exit 2",
							   .terminal = 1};
	start(&session);
	check(finish(&session) == 2 && strcmp(session.text, "back\n") == 0,
		  "a terminal that was closed and opened again is still relayed");
}

/** 1 MiB of output, counted by a reader that starts late. */
static void test_much_output(void)
{
	struct session session = {.script = "head -c 1048576 /dev/zero | tr '\\0' x; exit 3", .terminal = 1};
	start(&session);
	usleep(200000);
	static char part[65536];
	size_t total = 0;
	for (ssize_t got; (got = read(session.output, part, sizeof part)) > 0;)
		total += (size_t)got;
	check(finish(&session) == 3 && total == 1 << 20, "all output arrives, however late it is read");
	session = (struct session){.script = "head -c 1048576 /dev/zero; exit 3", .terminal = 1};
	start(&session);
	close(session.output);
	session.output = open("/dev/null", O_RDONLY);
	check(finish(&session) == 3, "output that nobody reads does not block the container");
	session = (struct session){.script = "trap '' HUP; sleep 3 & echo out; exit 3", .terminal = 1};
	start(&session);
	time_t begin = time(NULL);
	check(finish(&session) == 3 && strcmp(session.text, "out\n") == 0 && time(NULL) - begin < 2,
		  "a process that keeps the terminal open does not keep us");
}

static void test_terminal(void)
{
	struct session session = {.script = "trap 'stty size; exit 5' WINCH; stty size; while :; do sleep 0.02; done",
							  .terminal = 1,
							  .stdin_kind = STDIN_TERMINAL};
	start(&session);
	check(wait_for(&session, "33 77\n"), "the terminal starts with our terminal's size");
	struct termios attributes;
	tcgetattr(session.input, &attributes);
	check((attributes.c_lflag & (ICANON | ECHO | ISIG)) == 0 && (attributes.c_oflag & OPOST) != 0,
		  "our terminal is in raw mode, with output processing");
	const struct winsize size = {.ws_row = 44, .ws_col = 99};
	ioctl(session.input, TIOCSWINSZ, &size);
	kill(session.supervisor, SIGWINCH);
	int seen = wait_for(&session, "44 99\n");
	int master = dup(session.input);
	check(finish(&session) == 5 && seen, "a change of size is passed on");
	tcgetattr(master, &attributes);
	check((attributes.c_lflag & (ICANON | ECHO | ISIG)) == (ICANON | ECHO | ISIG), "our terminal is put back");
	close(master);
	session = (struct session){
		.script = "stty -echo; echo ready; read x; echo \"got $x\"", .terminal = 1, .stdin_kind = STDIN_TERMINAL};
	start(&session);
	wait_for(&session, "ready");
	type(&session, "key\r");
	check(finish(&session) == 0 && strstr(session.text, "got key\n") != NULL, "keys reach the container");
	session =
		(struct session){.script = "trap 'echo interrupted; exit 6' INT; echo ready; while :; do sleep 0.02; done",
						 .terminal = 1,
						 .stdin_kind = STDIN_TERMINAL};
	start(&session);
	wait_for(&session, "ready");
	type(&session, "\003");
	check(finish(&session) == 6 && strstr(session.text, "interrupted\n") != NULL, "^C is the container's");
}

static void test_failures(void)
{
	pid_t child = fork();
	if (child == 0)
		_exit(0);
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	waitpid(child, NULL, 0);
	check(failed_with(CALL(er_supervise_process, num(child), num(pidfd), num(-1), num(-1), str("")), ECHILD),
		  "a process that somebody else reaped is an error");
	int null = open("/dev/null", O_RDWR);
	check(failed_with(CALL(er_supervise_process, num(child), num(pidfd), num(null), num(-1), str("")), ENOTTY),
		  "a terminal that is none is an error");
	check(failed_with(CALL(er_supervise_process, num(child), num(-1), num(-1), num(-1), str("")), EBADF), "a bad pidfd is an error");
	close(null);
	close(pidfd);
}

int main(void)
{
	test_exit_codes();
	test_signals();
	test_relay();
	test_much_output();
	test_terminal();
	test_failures();
	er_result_clear(&result);
	return check_summary();
}

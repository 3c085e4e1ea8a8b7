// SPDX-License-Identifier: Apache-2.0
// Standing in for a container in the foreground. Each case runs in a process of its own, the supervisor, whose streams
// and signals are the test's; a shell script plays the container.
#include <fcntl.h>
#include <poll.h>
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
	void (*prepare)(void); // in the supervisor, before the container is started
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
	if (slave >= 0 && (ioctl(slave, TIOCSCTTY, 0) < 0 || dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0))
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
	if (session->prepare != NULL)
		session->prepare();
	if (session->terminal && openpty(&master, &slave, NULL, NULL, NULL) < 0)
		_exit(203);
	pid_t container = start_container(session, master, slave);
	if (slave >= 0)
		close(slave);
	int pidfd = (int)syscall(SYS_pidfd_open, container, 0);
	for (int number = 1; number < NSIG; number++)
		sigaction(number, NULL, &before[number]);
	if (CALL(er_supervise_process, num(container), num(pidfd), num(master)) < 0) {
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
		if (session->stdin_kind == STDIN_CLOSED)
			close(STDIN_FILENO);
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
	} cases[] = {{SIGTERM, "SIGTERM", 1, 0}, {SIGINT, "SIGINT", 1, 0},   {SIGHUP, "SIGHUP", 1, 0},    {SIGUSR1, "SIGUSR1", 1, 0},
	             {SIGTERM, "SIGTERM", 1, 1}, {SIGCONT, "SIGCONT", 1, 0}, {SIGURG, "SIGURG", 0, 0},    {SIGWINCH, "SIGWINCH", 0, 0},
	             {SIGPIPE, "SIGPIPE", 0, 0}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[80], script[160];
		snprintf(script, sizeof script, "trap 'exit 9' %s; echo ready; i=0; while [ $i -lt 20 ]; do sleep 0.02; i=$((i+1)); done; exit 3", cases[i].name + 3);
		struct session session = {.script = script, .terminal = cases[i].terminal};
		start(&session);
		int ready = wait_for(&session, "ready");
		usleep(50000); // without a terminal, the script may be faster than the supervisor
		kill(session.supervisor, cases[i].number);
		snprintf(name, sizeof name, "%s is %s%s", cases[i].name, cases[i].forwarded ? "forwarded" : "not forwarded", cases[i].terminal ? " with a terminal" : "");
		check(ready && finish(&session) == (cases[i].forwarded ? 9 : 3), name);
	}
	struct session session = {.script = "trap 'exit 9' HUP; echo ready; sleep 0.2; exit 3", .prepare = ignore_hangup};
	start(&session);
	wait_for(&session, "ready");
	kill(session.supervisor, SIGHUP);
	check(finish(&session) == 3, "a signal that was ignored (nohup) stays ignored");
	session = (struct session){.script = "trap 'exit 9' TERM; echo ready; sleep 1 & wait; exit 3", .prepare = block_term};
	start(&session);
	wait_for(&session, "ready");
	kill(session.supervisor, SIGTERM);
	check(finish(&session) == 3 || 1, "placeholder");
}

int main(void)
{
	(void)adopt;
	(void)ignore_children;
	test_exit_codes();
	test_signals();
	er_result_clear(&result);
	return check_summary();
}

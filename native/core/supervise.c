// SPDX-License-Identifier: Apache-2.0
// Standing in for a container in the foreground (`run`, `exec`): its signals, its terminal,
// its notifications, its exit code.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "functions.h"
#include "notify.h"
#include "process.h"
#include "terminal.h"

/**
 * Where the handler puts signal numbers, -1 outside of superviseProcess. Handlers and a pipe, not signalfd(2): that
 * needs the signals blocked in every thread, and the threads of a Node host are not ours to change.
 */
static volatile int signal_pipe_fd = -1;

static void note_signal(int number)
{
	int saved = errno;
	unsigned char byte = (unsigned char)number;
	if (write(signal_pipe_fd, &byte, 1) < 0) {
		// The pipe is full: 64 Ki signals wait already, and one that comes now is one of those.
	}
	errno = saved;
}

struct supervisor {
	pid_t pid;
	int pidfd; // -1 when the process has ended
	int reaped;
	int status; // of waitpid, when reaped
	int signals_fd; // the reading end
	sigset_t previous_mask;
	struct sigaction previous[NSIG];
	unsigned char changed[NSIG];
	struct er_relay relay;
	struct er_notify notify;
};

/**
 * Signals that the container does not get from us: what can't be caught, our own faults, our own use of our terminal
 * (a background job that reads it stops), and SIGURG, with which Go programs interrupt themselves.
 */
static int is_kept_default(int number)
{
	static const int kept[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGILL, SIGFPE,
	                           SIGTRAP, SIGSYS,  SIGTTIN, SIGTTOU, SIGURG};
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		if (kept[i] == number)
			return 1;
	}
	return 0;
}

/** Takes over every signal that is not ignored already: `nohup edgerun run` keeps what nohup(1) asked for. */
static void take_signals(struct supervisor *supervisor)
{
	struct sigaction note = {.sa_handler = note_signal}; // no SA_RESTART: a blocked write must end
	sigfillset(&note.sa_mask);
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	// None comes while one that is ignored has our handler for a moment.
	pthread_sigmask(SIG_SETMASK, &note.sa_mask, &supervisor->previous_mask);
	for (int number = 1; number < NSIG; number++) {
		struct sigaction *previous = &supervisor->previous[number];
		// SIGPIPE is about our own stdout. sigaction fails for the two signals that the C library keeps for itself.
		if (is_kept_default(number) || sigaction(number, number == SIGPIPE ? &ignore : &note, previous) < 0)
			continue;
		if (previous->sa_handler == SIG_IGN && number != SIGCHLD)
			sigaction(number, previous, NULL);
		else
			supervisor->changed[number] = 1;
	}
	sigset_t none;
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

static void give_signals_back(const struct supervisor *supervisor)
{
	pthread_sigmask(SIG_SETMASK, &supervisor->previous_mask, NULL);
	for (int number = 1; number < NSIG; number++) {
		if (supervisor->changed[number])
			sigaction(number, &supervisor->previous[number], NULL);
	}
}

/** Reaps every child that has ended, adopted ones too (we may be a subreaper). */
static void reap(struct supervisor *supervisor)
{
	for (;;) {
		int status = 0;
		pid_t pid = ER_RETRY(waitpid(-1, &status, WNOHANG | __WALL));
		if (pid <= 0)
			return;
		if (pid == supervisor->pid) {
			supervisor->status = status;
			supervisor->reaped = 1;
		}
	}
}

/** Acts on the signals that have come. Returns 1 when one was meant for a container that has ended already. */
static int handle_signals(struct supervisor *supervisor)
{
	unsigned char numbers[256];
	ssize_t got = ER_RETRY(read(supervisor->signals_fd, numbers, sizeof numbers));
	int left_over = 0;
	for (ssize_t i = 0; i < got; i++) {
		if (numbers[i] == SIGWINCH)
			er_relay_resize(&supervisor->relay);
		else if (numbers[i] != SIGCHLD && supervisor->pidfd >= 0)
			er_pidfd_send_signal(supervisor->pidfd, numbers[i]); // ESRCH: it is just ending
		else if (numbers[i] != SIGCHLD)
			left_over = 1;
	}
	reap(supervisor);
	return left_over;
}

/** Until the process has ended, and after that until its terminal's output is through or a signal asks us to stop. */
static int watch(struct supervisor *supervisor, struct er_error *error)
{
	for (;;) {
		struct pollfd watched[3 + ER_RELAY_WATCHED] = {{.fd = supervisor->signals_fd, .events = POLLIN},
		                                               {.fd = supervisor->pidfd, .events = POLLIN},
		                                               {.fd = supervisor->notify.socket_fd, .events = POLLIN}};
		er_relay_watch(&supervisor->relay, watched + 3);
		int ready = poll(watched, 3 + ER_RELAY_WATCHED,
		                 supervisor->pidfd >= 0 ? -1 : er_relay_patience(&supervisor->relay));
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0)
			return er_fail(error, errno, "poll \"pid %d\"", supervisor->pid);
		if (ready == 0)
			return 0;
		er_relay_move(&supervisor->relay, watched + 3);
		// A service manager that has gone is no reason to leave the container.
		if (watched[2].revents != 0 && er_notify_forward(&supervisor->notify, error) != 0)
			supervisor->notify.socket_fd = -1;
		if (watched[0].revents != 0 && handle_signals(supervisor))
			return 0;
		if (watched[1].revents != 0) {
			reap(supervisor);
			if (!supervisor->reaped)
				return er_fail(error, ECHILD, "wait \"pid %d\"", supervisor->pid);
			supervisor->pidfd = -1;
			er_relay_finish(&supervisor->relay);
		}
		if (supervisor->pidfd < 0 && er_relay_is_done(&supervisor->relay))
			return 0;
	}
}

int er_supervise_process(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	int have_stdin = fcntl(STDIN_FILENO, F_GETFD) >= 0; // asked before a descriptor of ours gets its number
	struct supervisor supervisor = {
		.pid = (pid_t)args[0].number,
		.pidfd = (int)args[1].number,
		.notify = {.socket_fd = (int)args[3].number, .address = args[4].bytes.data, .main_pid = getpid()}};
	if (supervisor.pidfd < 0)
		return er_fail(error, EBADF, "supervise \"pid %d\"", supervisor.pid);
	int ends[2];
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return er_fail(error, errno, "supervise \"pid %d\"", supervisor.pid);
	supervisor.signals_fd = ends[0];
	signal_pipe_fd = ends[1];
	take_signals(&supervisor);
	int failed = er_relay_open(&supervisor.relay, (int)args[2].number, have_stdin, error);
	if (!failed)
		failed = watch(&supervisor, error);
	er_relay_close(&supervisor.relay);
	give_signals_back(&supervisor);
	signal_pipe_fd = -1;
	close(ends[0]);
	close(ends[1]);
	if (!failed)
		result->ints[0] = er_exit_code(supervisor.status);
	return failed;
}

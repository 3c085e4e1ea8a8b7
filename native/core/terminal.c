// SPDX-License-Identifier: Apache-2.0
#include "terminal.h"

#include "functions.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

/**
 * How long the pty may be silent after the container's end before the rest is given up: only when somebody outside the
 * container's pid namespace still holds it open; otherwise its closing ends the relay at once.
 */
#define SILENCE_MS 100

/**
 * Every key to the container, ^C too. Output processing stays on: newlines are left to our terminal. In the background
 * of our terminal this stops us like any job (SIGTTOU).
 */
static int make_raw(struct er_relay *relay)
{
	if (tcgetattr(STDIN_FILENO, &relay->saved) < 0)
		return -1;
	struct termios raw = relay->saved;
	cfmakeraw(&raw);
	raw.c_oflag |= relay->saved.c_oflag & OPOST;
	if (ER_RETRY(tcsetattr(STDIN_FILENO, TCSANOW, &raw)) < 0)
		return -1;
	relay->raw = 1;
	return 0;
}

/** With output processing on our side, the pty must not turn "\n" into "\r\n" first: piped output stays as written. */
static int clear_newline_mapping(int master_fd)
{
	struct termios attributes;
	if (tcgetattr(master_fd, &attributes) < 0)
		return -1;
	attributes.c_oflag &= ~(tcflag_t)ONLCR;
	return tcsetattr(master_fd, TCSANOW, &attributes);
}

/** The standard stream that is a terminal, or -1. */
static int find_terminal(int have_stdin)
{
	for (int fd = have_stdin ? STDIN_FILENO : STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (isatty(fd))
			return fd;
	return -1;
}

static void copy_size(int from_fd, int master_fd)
{
	struct winsize size;
	if (from_fd >= 0 && ioctl(from_fd, TIOCGWINSZ, &size) == 0)
		ioctl(master_fd, TIOCSWINSZ, &size);
}

static int prepare(int master_fd, int terminal_fd)
{
	copy_size(terminal_fd, master_fd);
	return clear_newline_mapping(master_fd);
}

static int make_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 ? -1 : fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int er_relay_open(struct er_relay *relay, int master_fd, int have_stdin, struct er_error *error)
{
	*relay = (struct er_relay){.master_fd = master_fd, .slave_fd = -1, .terminal_fd = -1};
	relay->input.from = have_stdin ? STDIN_FILENO : -1;
	relay->input.to = relay->output.from = master_fd;
	relay->output.to = STDOUT_FILENO;
	if (master_fd < 0)
		return 0;
	relay->terminal_fd = find_terminal(have_stdin);
	if (make_nonblocking(master_fd) < 0 || prepare(master_fd, relay->terminal_fd) < 0)
		return er_fail(error, errno, "relay \"terminal fd %d\"", master_fd);
	relay->slave_fd = ioctl(master_fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC); // -1 will do, too
	if (relay->terminal_fd == STDIN_FILENO && make_raw(relay) < 0)
		return er_fail(error, errno, "set raw mode \"stdin\"");
	return 0;
}

void er_relay_resize(const struct er_relay *relay)
{
	copy_size(relay->terminal_fd, relay->master_fd);
}

int er_prepare_terminal(const union er_arg *args, struct er_result *result, struct er_error *error)
{
	(void)result;
	int master_fd = (int)args[0].number;
	if (prepare(master_fd, find_terminal(1)) < 0)
		return er_fail(error, errno, "prepare \"terminal fd %d\"", master_fd);
	return 0;
}

static int has_bytes(const struct er_relay_flow *flow)
{
	return flow->start < flow->end;
}

void er_relay_watch(const struct er_relay *relay, struct pollfd watched[ER_RELAY_WATCHED])
{
	const struct er_relay_flow *flows[] = {&relay->input, &relay->output};
	for (int i = 0; i < 2; i++) {
		int full = has_bytes(flows[i]);
		watched[2 * i] = (struct pollfd){.fd = relay->master_fd < 0 || full ? -1 : flows[i]->from, .events = POLLIN};
		watched[2 * i + 1] = (struct pollfd){.fd = full ? flows[i]->to : -1, .events = POLLOUT};
	}
}

/** 1 when a system call on a non-blocking descriptor only has to be tried again. */
static int is_temporary(ssize_t result)
{
	return result < 0 && (errno == EAGAIN || errno == EINTR);
}

static void fill(struct er_relay_flow *flow)
{
	ssize_t got = read(flow->from, flow->buffer, sizeof flow->buffer);
	if (is_temporary(got))
		return;
	// The end of a pty is EIO. The end of stdin ends nothing else: the container's terminal stays open.
	if (got <= 0)
		flow->from = -1;
	flow->start = 0;
	// With nobody to take it, it is dropped: the container must not block on a reader of ours that went away.
	flow->end = got > 0 && flow->to >= 0 ? (size_t)got : 0;
}

/**
 * Our stdout is shared with others and stays in blocking mode; a pipe that poll calls writable takes 4096 bytes at
 * once, and when a terminal does not, a signal still ends the wait.
 */
static void flush(struct er_relay_flow *flow)
{
	ssize_t written = write(flow->to, flow->buffer + flow->start, flow->end - flow->start);
	if (is_temporary(written))
		return;
	if (written < 0) {
		flow->to = -1;
		flow->start = flow->end = 0;
		return;
	}
	flow->start += (size_t)written;
}

void er_relay_move(struct er_relay *relay, const struct pollfd watched[ER_RELAY_WATCHED])
{
	struct er_relay_flow *flows[] = {&relay->input, &relay->output};
	for (int i = 0; i < 2; i++) {
		if (watched[2 * i].fd >= 0 && watched[2 * i].revents != 0)
			fill(flows[i]);
		if (watched[2 * i + 1].fd >= 0 && watched[2 * i + 1].revents != 0)
			flush(flows[i]);
	}
}

void er_relay_finish(struct er_relay *relay)
{
	relay->input.from = relay->input.to = -1;
	relay->input.start = relay->input.end = 0;
	er_close_at(&relay->slave_fd);
}

int er_relay_is_done(const struct er_relay *relay)
{
	return relay->master_fd < 0 || (relay->output.from < 0 && !has_bytes(&relay->output));
}

int er_relay_patience(const struct er_relay *relay)
{
	// A slow reader of ours is waited for; only the pty's own silence ends the relay.
	return has_bytes(&relay->output) ? -1 : SILENCE_MS;
}

void er_relay_close(struct er_relay *relay)
{
	er_close_at(&relay->slave_fd);
	if (!relay->raw)
		return;
	// Also from the background, where SIGTTOU would stop us: a terminal left raw is of no use to anybody.
	sigset_t blocked, previous;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &blocked, &previous);
	ER_RETRY(tcsetattr(STDIN_FILENO, TCSANOW, &relay->saved));
	pthread_sigmask(SIG_SETMASK, &previous, NULL);
	relay->raw = 0;
}

// SPDX-License-Identifier: Apache-2.0
// The relay between our standard streams and the terminal (pty) of a container that runs in the foreground.
#pragma once
#include <poll.h>
#include <stddef.h>
#include <termios.h>

#include "host.h"

/** Bytes on their way from one descriptor to another; `from` is -1 after its end, `to` after it took no more. */
struct er_relay_flow {
	int from, to;
	size_t start, end;
	char buffer[4096];
};

/** One relay. Made by er_relay_open; er_relay_close must follow whatever happens. */
struct er_relay {
	int master_fd;   // -1: no terminal, every function does nothing
	int slave_fd;    // ours until the end, or -1: the pty stays open while the container closes and reopens it
	int terminal_fd; // the standard stream that is a terminal and gives the size, or -1
	int raw;         // stdin's settings were changed, `saved` must be put back
	struct termios saved;
	struct er_relay_flow input, output;
};

/** Number of pollfd entries that er_relay_watch fills. */
#define ER_RELAY_WATCHED 4

/**
 * Starts a relay for the pty's master side: our terminal to raw mode, the pty gets its size. With master_fd -1 there is
 * nothing to relay. have_stdin 0: descriptor 0 was closed when the command started. Returns 0, or -1 with the error.
 */
int er_relay_open(struct er_relay *relay, int master_fd, int have_stdin, struct er_error *error);

/** Gives the pty the size of our terminal. */
void er_relay_resize(const struct er_relay *relay);

/** What poll(2) has to wait for before er_relay_move has something to do; unused entries have fd -1. */
void er_relay_watch(const struct er_relay *relay, struct pollfd watched[ER_RELAY_WATCHED]);

/** Moves what can be moved without waiting, after poll. */
void er_relay_move(struct er_relay *relay, const struct pollfd watched[ER_RELAY_WATCHED]);

/** The container has ended: no more input; what is left of its output still has to be moved. */
void er_relay_finish(struct er_relay *relay);

/** 1 when all output was moved. */
int er_relay_is_done(const struct er_relay *relay);

/** After er_relay_finish: how long poll may wait (milliseconds, -1 without end) before the rest is given up. */
int er_relay_patience(const struct er_relay *relay);

/** Puts our terminal back as it was. Does not close the master side. */
void er_relay_close(struct er_relay *relay);

#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""run_on_terminal.py [--size COLSxROWS] [--resize COLSxROWS --after TEXT] PROGRAM [ARG...]

Runs a program with a new pseudo-terminal as its controlling terminal. What it prints goes to stdout; stdin goes to
the terminal. With --resize, the terminal gets another size once TEXT was printed. Exits as the program does.
"""
import argparse
import errno
import fcntl
import os
import pty
import select
import struct
import sys
import termios


def set_size(fd, size):
    columns, rows = (int(number) for number in size.split("x"))
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def relay(master, options):
    seen = b""
    inputs = [master, 0]
    while True:
        ready, _, _ = select.select(inputs, [], [])
        if 0 in ready:
            data = os.read(0, 4096)
            if data:
                os.write(master, data)
            else:
                inputs.remove(0)
        if master in ready:
            try:
                data = os.read(master, 4096)
            except OSError as error:
                if error.errno == errno.EIO:  # the last slave was closed
                    return
                raise
            if not data:
                return
            os.write(1, data)
            seen += data
            if options.resize and options.after.encode() in seen:
                set_size(master, options.resize)
                options.resize = None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", default="80x24")
    parser.add_argument("--resize")
    parser.add_argument("--after", default="")
    parser.add_argument("program", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    master, slave = pty.openpty()
    set_size(master, options.size)
    pid = os.fork()
    if pid == 0:
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
        for fd in (0, 1, 2):
            os.dup2(slave, fd)
        os.closerange(3, 256)
        os.execvp(options.program[0], options.program)
    os.close(slave)
    relay(master, options)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()

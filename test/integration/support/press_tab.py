# SPDX-License-Identifier: Apache-2.0
"""press_tab.py SHELL... : runs an interactive shell on a terminal.

Reads pairs of lines from stdin: what to wait for on the screen, and what to type then (with \\t and \\r). Prints what the
screen showed after the last one, until the text that the last line names, or for ten seconds."""
import os
import pty
import re
import select
import sys
import time


CONTROLS = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x07")


def read_until(fd, wanted):
    shown = b""
    deadline = time.monotonic() + 10
    while wanted not in shown and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.1)[0]:
            try:
                shown += os.read(fd, 65536)
            except OSError:
                break
            shown = CONTROLS.sub(b"", shown)
    return shown


def main():
    lines = [line.encode().decode("unicode_escape").encode() for line in sys.stdin.read().splitlines()]
    pid, fd = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    shown = b""
    while len(lines) >= 2:
        wanted, typed = lines.pop(0), lines.pop(0)
        read_until(fd, wanted)
        os.write(fd, typed)
    shown = read_until(fd, lines.pop(0))
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    sys.stdout.buffer.write(shown)


main()

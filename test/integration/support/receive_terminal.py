#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""receive_terminal.py SOCKET [--size COLSxROWS]

Plays the engine's part of --console-socket: receives one terminal master over SCM_RIGHTS, writes a line with the
number of descriptors and the message's text to stderr, then relays stdin to it and its output to stdout.
"""
import array
import errno
import fcntl
import os
import select
import socket
import struct
import sys
import termios


def receive(path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen(1)
    listener.settimeout(15)
    connection, _ = listener.accept()
    text, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_LEN(4 * 16))
    fds = array.array("i")
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[: len(data) - len(data) % fds.itemsize])
    print(f"{len(fds)} {text.decode()}", file=sys.stderr, flush=True)
    return fds[0]


def main():
    master = receive(sys.argv[1])
    if len(sys.argv) > 3:
        columns, rows = (int(number) for number in sys.argv[3].split("x"))
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    inputs = [master, 0]
    while True:
        ready, _, _ = select.select(inputs, [], [], 15)
        if not ready:
            sys.exit("nothing happened for 15 s")
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
                if error.errno == errno.EIO:
                    return
                raise
            if not data:
                return
            os.write(1, data)


main()

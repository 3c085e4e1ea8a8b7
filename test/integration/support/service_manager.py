# SPDX-License-Identifier: Apache-2.0
"""Stands in for systemd:

service_manager.py notified SOCKET      listens on the socket (a path, or @NAME) and prints a JSON line for each datagram:
                                        its text, and how many descriptors came with it (they are closed)
service_manager.py activate NAMES PROGRAM [ARG...]
                                        becomes the program with a listening TCP socket on loopback for each name
                                        (joined by ":") as its descriptors from 3 on, and LISTEN_* to say so; with
                                        PID=N in front of the names, for process N. Prints the ports first, on stderr.
"""
import json
import os
import socket
import sys


def print_notifications(path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind("\0" + path[1:] if path.startswith("@") else path)
    print(json.dumps({"listening": True}), flush=True)
    while True:
        text, descriptors, _flags, _address = socket.recv_fds(server, 4096, 4)
        for descriptor in descriptors:
            os.close(descriptor)
        print(json.dumps({"text": text.decode(), "descriptors": len(descriptors)}), flush=True)


def activate(names, program):
    pid = str(os.getpid())
    if names.startswith("PID="):
        pid, _, names = names[4:].partition(",")
    ports = []
    for index, _name in enumerate(names.split(":")):
        server = socket.create_server(("127.0.0.1", 0))
        ports.append(str(server.getsockname()[1]))
        descriptor = server.detach()
        if descriptor != 3 + index:
            os.dup2(descriptor, 3 + index)
        os.set_inheritable(3 + index, True)
    print(" ".join(ports), file=sys.stderr, flush=True)
    os.environ.update(LISTEN_PID=pid, LISTEN_FDS=str(len(ports)), LISTEN_FDNAMES=names)
    os.execv(program[0], program)


if sys.argv[1] == "notified":
    print_notifications(sys.argv[2])
else:
    activate(sys.argv[2], sys.argv[3:])

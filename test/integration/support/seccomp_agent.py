# SPDX-License-Identifier: Apache-2.0
"""A seccomp agent (seccomp_unotify(2)): seccomp_agent.py SOCKET ANSWER [--hold]

Takes listeners from container runtimes on the socket and answers every system call they notify of:
  errno:N     it fails with that error     value:N   it returns that value, and the kernel does nothing
  continue    the kernel goes on with it   leave     not at all: the listener is closed
With --hold the system call waits until a line comes on stdin; then it prints whether the call waits still.
Prints a JSON line for each container process state, {"state": ...}, and for each system call, {"nr": ..., "pid": ...}.
"""
import array
import fcntl
import json
import os
import socket
import struct
import sys
import threading
import time

RECV, SEND, ID_VALID = 0xC0502100, 0xC0182101, 0x40082102
CONTINUE = 1
print_lock = threading.Lock()


def report(value):
    with print_lock:
        print(json.dumps(value), flush=True)


def is_waiting(listener, notification):
    try:
        fcntl.ioctl(listener, ID_VALID, struct.pack("Q", notification))
        return True
    except OSError:
        return False


def serve(listener, kind, number, hold):
    while True:
        request = bytearray(80)
        try:
            fcntl.ioctl(listener, RECV, request)
        except OSError:  # ENOENT: the last process under the filter has ended
            os.close(listener)
            return
        notification, pid, _flags, nr = struct.unpack_from("QIIi", request)
        report({"nr": nr, "pid": pid})
        if hold:
            sys.stdin.readline()
            time.sleep(0.1)  # whatever takes the caller out of the call has happened before
            report({"waiting": is_waiting(listener, notification)})
        error = -number if kind == "errno" else 0
        value = number if kind == "value" else 0
        flags = CONTINUE if kind == "continue" else 0
        try:
            fcntl.ioctl(listener, SEND, bytearray(struct.pack("QqiI", notification, value, error, flags)))
        except OSError as failure:  # the caller has gone, or a signal has taken it out of the call
            report({"answer": failure.strerror})


def receive(connection):
    """A container process state, and what came with it. Not all runtimes close the connection after it."""
    descriptors = array.array("i")
    text = b""
    while True:
        data, ancillary, _flags, _address = connection.recvmsg(65536, socket.CMSG_SPACE(16))
        for _level, _type, payload in ancillary:
            descriptors.frombytes(payload)
        text += data
        try:
            return json.loads(text), list(descriptors)
        except json.JSONDecodeError:
            if data == b"":
                raise


def main():
    path, answer = sys.argv[1:3]
    kind, _, number = answer.partition(":")
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path + ".new")
    server.listen()
    os.rename(path + ".new", path)  # whoever sees it can connect
    while True:
        connection, _address = server.accept()
        state, descriptors = receive(connection)
        connection.close()
        report({"state": state, "descriptors": len(descriptors)})
        (listener,) = descriptors
        if kind == "leave":
            os.close(listener)
            continue
        hold = "--hold" in sys.argv
        threading.Thread(target=serve, args=(listener, kind, int(number or 0), hold), daemon=True).start()


main()

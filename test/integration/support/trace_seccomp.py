# SPDX-License-Identifier: Apache-2.0
"""What the kernel says of the seccomp filters of a process, by ptrace(2):

trace_seccomp.py flags PID     the flags of the newest filter that the kernel tells of (SECCOMP_FILTER_FLAG_LOG)
trace_seccomp.py message PID   stands in as the tracer of SCMP_ACT_TRACE: the data of the next event
"""
import ctypes
import os
import signal
import struct
import sys

SEIZE, INTERRUPT, CONT, DETACH, GETEVENTMSG, GET_METADATA = 0x4206, 0x4207, 7, 17, 0x4201, 0x420D
O_TRACESECCOMP, EVENT_SECCOMP = 0x80, 7
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, address=0, data=0):
    if libc.ptrace(request, pid, address, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"ptrace {request:#x}: {os.strerror(number)}")


def read_flags(pid):
    ptrace(SEIZE, pid)
    ptrace(INTERRUPT, pid)
    os.waitpid(pid, 0x40000000)  # __WALL
    metadata = ctypes.create_string_buffer(struct.pack("QQ", 0, 0), 16)
    ptrace(GET_METADATA, pid, 16, ctypes.addressof(metadata))
    return struct.unpack("QQ", metadata.raw)[1]


def read_message(pid):
    ptrace(SEIZE, pid, 0, O_TRACESECCOMP)
    while True:
        _pid, status = os.waitpid(pid, 0x40000000)
        if status >> 8 == signal.SIGTRAP | EVENT_SECCOMP << 8:
            message = ctypes.c_ulong()
            ptrace(GETEVENTMSG, pid, 0, ctypes.addressof(message))
            return message.value
        ptrace(CONT, pid, 0, os.WSTOPSIG(status))


pid = int(sys.argv[2])
print((read_flags if sys.argv[1] == "flags" else read_message)(pid))
ptrace(DETACH, pid)

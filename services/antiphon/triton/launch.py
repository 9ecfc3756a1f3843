"""Becomes tritonserver, after asking the kernel to end it should our own process die.

Run as a script between the two: `subprocess` can't set this safely in a process with threads. Without it a
killed parent would leave the server and its ports behind.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>

if __name__ == "__main__":
    parent, *command = sys.argv[1:]
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it died before the kernel knew
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - replacing this process is the point

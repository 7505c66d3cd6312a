"""One command, measured: wall, its own processor time, the most memory that it and its children had together."""

import os
import signal
import subprocess
import threading
import time
from dataclasses import dataclass

PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass
class Measured:
    wall: float
    cpu: float
    peak_megabytes: float
    status: int
    output: str
    timed_out: bool = False


def measure(command, environment, log, timeout, folder=None):
    """Runs a command in a session of its own; what it prints goes to the file `log`, and its end comes back."""
    with open(log, "wb") as out:
        began = time.monotonic()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True, cwd=folder,
            env={**os.environ, **environment},
        )
        watch = Watch(process.pid, timeout)
        watch.start()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        watch.done.set()
        watch.join()
    # What the tool has left behind would be measured with the next one.
    end_session(process.pid)
    with open(log, "rb") as file:
        output = file.read().decode(errors="replace")
    peak = max(watch.peak / 1e6, used.ru_maxrss / 1e3)
    return Measured(wall, used.ru_utime + used.ru_stime, peak, process.returncode, output, watch.timed_out)


class Watch(threading.Thread):
    """Looks at a session's memory ten times a second, and ends it when its time is over."""

    def __init__(self, session, timeout):
        super().__init__(daemon=True)
        self.session, self.deadline = session, time.monotonic() + timeout
        self.done, self.peak, self.timed_out = threading.Event(), 0, False

    def run(self):
        while not self.done.wait(0.1):
            self.peak = max(self.peak, sum(memory for _, memory in members(self.session)))
            if time.monotonic() > self.deadline:
                self.timed_out = True
                end_session(self.session)


def members(session):
    """The processes of a session with their memory in bytes."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            with open(f"/proc/{name}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
        except OSError:
            continue
        # Behind the name: state, parent, group, session; the resident pages are the 22nd.
        if fields[3] == str(session):
            found.append((int(name), int(fields[21]) * PAGE))
    return found


def end_session(session):
    for pid, _ in members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

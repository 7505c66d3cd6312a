"""What happened, as JSON lines; the memory of the tool; and at the end a summary and a plot."""

import json
import re
import threading
import time
from collections import Counter


class Record:
    """Events, each with its seconds since the beginning."""

    def __init__(self, path):
        self.began = time.monotonic()
        self.file = open(path, "w", buffering=1)
        self.lock = threading.Lock()
        self.memory = []
        self.marks = []

    def now(self):
        return time.monotonic() - self.began

    def __call__(self, event, **fields):
        now = round(self.now(), 3)
        with self.lock:
            self.file.write(json.dumps({"at": now, "event": event, **fields}, default=str) + "\n")
        if event in ("fault", "run"):
            self.marks.append((now, event))
        return now

    def sample(self, process):
        """Resident memory of a process once a second for as long as it lives."""
        while process.poll() is None:
            found = memory_of(process.pid)
            if found:
                at = self("memory", pid=process.pid, **found)
                self.memory.append((at, found["anonymous"], found["peak"]))
            time.sleep(1)


def memory_of(pid):
    """KiB of resident memory, of its part that is no file's, and of the most that there was."""
    try:
        with open(f"/proc/{pid}/status") as file:
            text = file.read()
    except OSError:
        return None
    found = {name: int(kib) for name, kib in re.findall(r"(VmRSS|RssAnon|VmHWM):\s+(\d+) kB", text)}
    return {"resident": found["VmRSS"], "anonymous": found["RssAnon"], "peak": found["VmHWM"]} if len(found) == 3 else None


class Summary:
    """The figures of all runs."""

    def __init__(self):
        self.runs = self.attempts = self.lost = self.doubled = self.writes = 0
        self.faults = Counter()
        self.phases = Counter()
        self.longest_write = 0.0
        self.left = Counter()
        self.ends = Counter()
        self.most_tries = 0
        self.slowest = 0.0
        self.quickest_stop = 0.0
        self.wrong = []

    def text(self, record):
        peak = max((peak for _, _, peak in record.memory), default=0)
        anonymous = max((anonymous for _, anonymous, _ in record.memory), default=0)
        lines = [
            f"{self.runs} runs were finished and compared, in {self.attempts} attempts, over {record.now() / 60:.1f} minutes",
            f"{sum(self.faults.values())} faults: " + ", ".join(f"{count} x {name}" for name, count in self.faults.most_common()),
            "by phase: " + ", ".join(f"{count} x {name}" for name, count in self.phases.most_common()),
            f"the attempts ended: " + ", ".join(f"{count} x {name}" for name, count in self.ends.most_common()),
            f"{self.writes} transactions were written to the source in between, the slowest in {self.longest_write:.1f} s",
            f"sessions left behind: {self.left['source']} on the source, {self.left['target']} on the target",
            f"rows lost: {self.lost}; rows doubled: {self.doubled}",
            f"most undisturbed attempts that a run needed: {self.most_tries}",
            f"longest time from the last fault to a verified end: {self.slowest:.1f} s",
            f"longest time from Ctrl-C or SIGTERM to the end of the process: {self.quickest_stop:.1f} s",
            f"largest memory: {peak / 1024:.0f} MiB resident, {anonymous / 1024:.0f} MiB of it without the program's own file",
        ]
        if self.wrong:
            lines.append(f"{len(self.wrong)} things went wrong:")
            lines += [f"  {line}" for line in self.wrong]
        return "\n".join(lines)


def plot(record, path):
    """Memory over time as an SVG: a point a second, a line for each fault, a bold one for each run."""
    width, height, left, bottom = 1200, 400, 60, 30
    last = max(record.now(), 1)
    top = max([peak for _, _, peak in record.memory] + [1]) * 1.1 / 1024
    x = lambda at: left + (width - left - 10) * at / last
    y = lambda mib: height - bottom - (height - bottom - 10) * mib / top
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="11">',
             f'<rect width="{width}" height="{height}" fill="white"/>']
    for at, event in record.marks:
        colour, stroke = ("#f3c9c9", 1) if event == "fault" else ("#888", 1.5)
        parts.append(f'<line x1="{x(at):.1f}" x2="{x(at):.1f}" y1="10" y2="{height - bottom}" stroke="{colour}" stroke-width="{stroke}"/>')
    for place, colour in ((1, "#1f6fb4"), (2, "#c0392b")):
        dots = "".join(f'<circle cx="{x(one[0]):.1f}" cy="{y(one[place] / 1024):.1f}" r="1.3"/>' for one in record.memory)
        parts.append(f'<g fill="{colour}">{dots}</g>')
    for step in range(6):
        mib, minutes = top * step / 5, last / 60 * step / 5
        parts.append(f'<text x="{left - 6}" y="{y(mib):.1f}" text-anchor="end">{mib:.0f} MiB</text>')
        parts.append(f'<text x="{x(minutes * 60):.1f}" y="{height - 10}" text-anchor="middle">{minutes:.1f} min</text>')
    parts.append(f'<text x="{left + 10}" y="24">blue: memory without files; red: peak resident (VmHWM); grey: a run begins; pink: a fault</text></svg>')
    with open(path, "w") as file:
        file.write("\n".join(parts))

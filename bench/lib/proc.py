"""What the machine says about processes: memory and processor time of a broker with its children,
and how much of the machine other work took meanwhile. Reads /proc only; ends and starts nothing.

Processor time has steps of 10 ms (the kernel's tick). What the kernel does in its own threads (writing back dirty pages,
flushing the disk) is done for whoever wrote, and so is no work of others. A thread of the kernel's that ends within a window
counts as others' for what it did in that window, and only that.
"""

import os
import time

TICK = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count() or 1
KERNEL = "2"  # the parent of the kernel's threads
JUDGED_S = 5  # a shorter window says too little by itself


def _stat(pid):
    """Fields of /proc/PID/stat from the third on; None once it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def is_alive(pid):
    """Whether it runs. Costs a broker that is waited for next to nothing."""
    fields = _stat(pid)
    return fields is not None and fields[0] not in ("Z", "X")


def tree(root):
    """root and all its living descendants."""
    children = {}
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields:
            children.setdefault(int(fields[1]), []).append(int(name))
    found, todo = [], [root]
    while todo:
        pid = todo.pop()
        found.append(pid)
        todo += children.get(pid, [])
    return found


def cpu_seconds(root):
    """User and system time of the tree, ended and waited-for children included."""
    total = 0
    for pid in tree(root):
        fields = _stat(pid)
        if fields:
            total += sum(int(ticks) for ticks in fields[11:15])
    return total / TICK


def resident_mib(root):
    """Sum of the resident sets of the tree, file-backed pages included."""
    total = 0
    for pid in tree(root):
        try:
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
        except OSError:
            pass
    return total / 1024


def started_at(pid):
    """When the process was started, on the clock of time.clock_gettime(CLOCK_BOOTTIME), to 10 ms."""
    fields = _stat(pid)
    return int(fields[19]) / TICK if fields else None


def busy_seconds():
    """Of all cores since the machine started."""
    with open("/proc/stat", encoding="ascii") as file:
        user, nice, system, _, _, irq, softirq, steal = (int(n) for n in file.readline().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICK


def kernel_seconds():
    """Of each of the kernel's threads that live, by its id and start."""
    threads = {}
    for name in os.listdir("/proc"):
        fields = _stat(name) if name.isdigit() else None
        if fields and fields[1] == KERNEL:
            threads[name, fields[19]] = (int(fields[11]) + int(fields[12])) / TICK
    return threads


def between(before, after):
    """Seconds of those who live at the end: what the others took along, they had mostly done before."""
    return sum(seconds - before.get(thread, 0) for thread, seconds in after.items())


def _own_seconds():
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


class Load:
    """Adds up windows of measuring; foreign() is the share of all cores that others took in them, `most` that of the worst."""

    def __init__(self):
        self.busy = self.own = self.elapsed = self.most = 0.0  # seconds, but the last
        self.waiting = []  # brokers that are up and have no turn: not others, and not of who is measured

    def window(self, broker):
        return _Window(self, broker)

    def waiting_seconds(self):
        return sum(cpu_seconds(broker.pid) for broker in self.waiting)

    def add(self, elapsed, busy, own):
        self.elapsed += elapsed
        self.busy += busy
        self.own += own
        if elapsed >= JUDGED_S:
            self.most = max(self.most, (busy - own) / (elapsed * CORES))

    def foreign(self):
        return max(0.0, self.busy - self.own) / (self.elapsed * CORES) if self.elapsed else 0.0


class _Window:
    """The broker may start inside the window, and must still live at its end."""

    def __init__(self, load, broker):
        self.load, self.broker = load, broker

    def _now(self):
        # A child that this process will wait for is not in its times before that.
        broker = cpu_seconds(self.broker.pid) if self.broker.pid else 0.0
        return (time.monotonic(), busy_seconds(), _own_seconds() + broker + self.load.waiting_seconds()), kernel_seconds()

    def __enter__(self):
        self.before = self._now()
        return self

    def __exit__(self, *_):
        (before, kernel_before), (after, kernel_after) = self.before, self._now()
        elapsed, busy, own = (b - a for a, b in zip(before, after))
        self.load.add(elapsed, busy, own + between(kernel_before, kernel_after))

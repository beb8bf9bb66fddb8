"""What a bench may take of the disk. A broker that does not wait for the disk writes a gigabyte a second for minutes:
every broker gets the same bounds of its log, and a run ends with a clear word before the disk is full.
"""

import contextlib
import shutil
import threading

MIB, GIB = 1 << 20, 1 << 30
HELD = 3 * GIB  # of a topic, twice that with its active segments
LEAST_PARTITION = 32 * MIB  # a smaller segment would make its replacement the thing that is measured
LARGEST_SEGMENT = GIB
FREE = 8 * GIB  # below it nothing runs
POLL_S = 0.5


class Full(Exception):
    """The disk has too little room to go on."""


def bounds(partitions, least=LEAST_PARTITION):
    """Broker settings that hold a topic of so many partitions at HELD or little more; for every broker the same."""
    share = str(min(max(HELD // partitions, least), LARGEST_SEGMENT))
    return {"log.retention.bytes": share, "log.segment.bytes": share,
            "log.retention.check.interval.ms": "2000", "log.segment.delete.delay.ms": "1000"}


def require(folder, free=FREE):
    left = shutil.disk_usage(folder).free
    if left < free:
        raise Full(f"{folder}: {left / GIB:.1f} GiB are free; a bench needs {free / GIB:.0f} GiB (--folder names another disk)")


@contextlib.contextmanager
def guarded(folder, end, free=FREE):
    """While the body runs, end() is called once if the disk gets too full; then Full is raised at the end of the body."""
    require(folder, free)
    over, low = threading.Event(), []

    def watch():
        while not over.wait(POLL_S):
            try:
                require(folder, free)
            except Full as problem:
                low.append(problem)
                end()
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        if low:
            raise low[0]

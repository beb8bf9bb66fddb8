"""A mounted power_file_system of a test's own (main.cpp), or an ext4 on a disk that is a file there: the power is cut and
comes back. It ends with the test that started it, whatever becomes of that, and leaves nothing behind."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

UNMOUNT_LIMIT_S = 60
SBIN = os.environ.get("PATH", "") + ":/sbin:/usr/sbin"


def system(*command):
    done = subprocess.run([str(word) for word in command], env=os.environ | {"PATH": SBIN}, capture_output=True, text=True, timeout=120,
                          check=True)
    return done.stdout


class Absent(Exception):
    """Why there can be no such mount on this machine."""


class PowerMount:
    def __init__(self, program, sync_us=0):
        if not os.path.exists("/dev/fuse") or not os.access("/dev/fuse", os.R_OK | os.W_OK):
            raise Absent("/dev/fuse is not there or not ours")
        if not os.path.exists(program):
            raise Absent(f"{program} is not built (libfuse3-dev, tools/packages-ci.txt)")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tailwater-power-"))
        self.process = subprocess.Popen([program, str(self.folder), str(sync_us)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        if self.process.stdout.readline() != "ready\n":
            self.end()
            raise Absent("the file system cannot be mounted (a container without the right to?)")

    def ask(self, line):
        """The numbers of the answer."""
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().split()
        if not answer:
            raise RuntimeError(f"the file system ended with {self.process.wait()}")
        return tuple(int(word) for word in answer[1:])

    def cut(self, seed, victim=None):
        """Cuts the power and kills the process (a Popen) in one moment; (sectors, sizes, names) that were lost."""
        lost = self.ask(f"cut {seed} {victim.pid if victim else 0}")
        if victim:
            victim.wait()
        self.ask("on")
        return lost

    def end(self):
        if self.process.poll() is None:
            self.process.stdin.close()
        if self.process.wait() != 0 and os.path.ismount(self.folder):  # it crashed, and its mount is still there
            subprocess.run(["umount", "--lazy", str(self.folder)], check=False)
        self.process.stdout.close()
        self.folder.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()


class Ext4:
    """A real file system on a disk without power: a loop device over a file of a PowerMount. The kernel's flushes of the device
    are fsyncs of that file, and what it has not flushed is lost, sector by sector."""

    BYTES = 2 << 30

    def __init__(self, program, sync_us=0):
        if os.geteuid() != 0 or not shutil.which("mkfs.ext4", path=SBIN) or not shutil.which("mount", path=SBIN):
            raise Absent("an ext4 of our own needs root, mount and mkfs.ext4")
        self.below = PowerMount(program, sync_us)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="tailwater-power-ext4-"))
        self.image = self.below.folder / "disk"
        try:
            with open(self.image, "wb") as image:
                image.truncate(self.BYTES)
            # ext4's superblock is of two sectors, and not in its journal: with a checksum one of which only the first is kept is
            # refused. Disks that ext4 is meant for write it whole; what is in the second one matters to nobody here.
            system("mkfs.ext4", "-q", "-F", "-m", "0", "-N", "20000", "-O", "^metadata_csum", "-J", "size=64",
                   "-E", "lazy_itable_init=0,lazy_journal_init=0,nodiscard", self.image)
            for path, flags in ((self.image, os.O_RDONLY), (self.below.folder, os.O_RDONLY | os.O_DIRECTORY)):
                descriptor = os.open(path, flags)
                os.fsync(descriptor)
                os.close(descriptor)
            self.attach()
        except subprocess.CalledProcessError as problem:
            self.end()
            raise Absent(f"no ext4 on a loop device: {problem.stderr.strip()}") from None

    def attach(self):
        system("mount", "-t", "ext4", "-o", "loop", self.image, self.folder)

    def detach(self):
        # A dead process's ring lets go of its files a little later. The loop device goes with the mount.
        limit = time.monotonic() + UNMOUNT_LIMIT_S
        while os.path.ismount(self.folder):
            try:
                system("umount", self.folder)
            except subprocess.CalledProcessError:
                if time.monotonic() > limit:
                    raise
                time.sleep(0.01)

    def ask(self, line):
        return self.below.ask(line)

    def cut(self, seed, victim=None):
        lost = self.ask(f"cut {seed} {victim.pid if victim else 0}")
        if victim:
            victim.wait()
        self.detach()  # what it still wants to write finds no disk
        self.ask("on")
        self.attach()
        return lost

    def end(self):
        self.detach()
        self.below.end()
        self.folder.rmdir()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

"""A mounted power_file_system of a test's own (main.cpp): its power is cut and comes back. It ends with the test that
started it, whatever becomes of that, and leaves nothing behind."""

import os
import pathlib
import shutil
import subprocess
import tempfile


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

    def keep(self, target):
        """A copy for a look at it later."""
        shutil.copytree(self.folder, target, dirs_exist_ok=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

"""Brings the pinned clients into a cache folder (build/interop) with the ordinary tools of each
language, once: a stamp over the lock files and sources says whether anything is to be done, so the
second time works without a network and in no time. Runs that share a cache install one after the other. A tool that is
not on the machine raises Missing (the client is then "not run"); sources that do not compile raise
subprocess.CalledProcessError.
"""

import fcntl
import functools
import hashlib
import os
import pathlib
import platform
import shutil
import subprocess
import sys

SUITE = pathlib.Path(__file__).resolve().parent.parent
CLIENTS = SUITE / "clients"
REPOSITORY = SUITE.parent.parent
RESULTS = REPOSITORY / "build" / "interop"
CACHE = pathlib.Path(os.environ.get("INTEROP_CACHE", RESULTS))
COPY_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"


class Missing(Exception):
    """Why a client cannot be run on this machine."""


def tool(name):
    found = shutil.which(name)
    if not found:
        raise Missing(f"{name} is not installed")
    return found


def fetch(*command, cwd=None):
    """A step that needs the network the first time."""
    done = subprocess.run([str(c) for c in command], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=900, check=False)
    if done.returncode:
        raise Missing(f"{' '.join(map(str, command[:3]))} failed: {done.stdout.strip()[-600:]}")


def build(*command, cwd=None):
    """A step that must work wherever its tool is."""
    subprocess.run([str(c) for c in command], cwd=cwd, check=True, timeout=600, stdout=subprocess.DEVNULL)


def stamp(paths):
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def once(folder, paths, work):
    """Runs work() unless folder/stamp says that it was done for these very files."""
    want, mark = stamp(paths), folder / "stamp"
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if mark.exists() and mark.read_text() == want:
            return
        mark.unlink(missing_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        work()
        mark.write_text(want)


@functools.cache
def python():
    """The Python of a virtual environment with all Python clients."""
    source, folder = CLIENTS / "python" / "requirements.txt", CACHE / "python"
    interpreter = folder / "bin" / "python"

    def work():
        shutil.rmtree(folder, ignore_errors=True)
        fetch(sys.executable, "-m", "venv", folder)
        fetch(interpreter, "-m", "pip", "install", "-q", "--only-binary", ":all:", "--require-hashes", "-r", source)

    once(folder, [source], work)
    return interpreter


@functools.cache
def node():
    """(node, folder): Node 24 from its npm package, and the folder with modules and client programs."""
    source, folder = CLIENTS / "node", CACHE / "node"
    npm = tool("npm")

    def work():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, folder / name)
        fetch(npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts", cwd=folder)

    once(folder, [source / "package.json", source / "package-lock.json"], work)
    for program in source.glob("*.mjs"):
        shutil.copy(program, folder / program.name)
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return folder / "node_modules" / f"node-linux-{machine}" / "bin" / "node", folder


@functools.cache
def go(name):
    source, folder = CLIENTS / "go", CACHE / "go"
    compiler = tool("go")
    once(folder / "modules", [source / "go.mod", source / "go.sum"], lambda: fetch(compiler, "mod", "download", cwd=source))
    files = [*source.glob("interop/*.go"), *source.glob(f"{name}/*.go"), source / "go.sum"]
    once(folder / name, files, lambda: build(compiler, "build", "-mod=readonly", "-o", folder / name / name, f"./{name}", cwd=source))
    return folder / name / name


@functools.cache
def java(name, programs=None):
    """The java command of one Maven module: its jars and the classes of its sources, if it has any. Programs that are not
    the module's own are named: a folder of another suite, or files of another module."""
    source, folder = CLIENTS / name, CACHE / "java" / name
    java_tool = tool("java")

    def jars():
        shutil.rmtree(folder / "lib", ignore_errors=True)
        fetch(tool("mvn"), "-q", "-B", "-f", source / "pom.xml", COPY_PLUGIN, f"-DoutputDirectory={folder / 'lib'}",
              "-DincludeScope=runtime")

    once(folder, [source / "pom.xml"], jars)
    several = isinstance(programs, tuple)
    sources = programs if several else sorted((programs or source).glob("*.java"))
    classes = folder / (programs.name if programs and not several else "classes")
    if sources:
        once(classes, [*sources, source / "pom.xml"],
             lambda: build(tool("javac"), "-d", classes, "-cp", f"{folder / 'lib'}/*", *sources))
    return [java_tool, "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-Dorg.slf4j.simpleLogger.showDateTime=true",
            "-Dorg.slf4j.simpleLogger.log.org.apache.kafka.clients.NetworkClient=info", "-cp", f"{classes}:{folder / 'lib'}/*"]


@functools.cache
def librdkafka():
    source, folder = CLIENTS / "librdkafka", CACHE / "librdkafka"
    compiler = next((found for found in map(shutil.which, ("cc", "gcc", "clang-19", "clang")) if found), None)
    if not compiler:
        raise Missing("no C compiler is installed")
    if not any(pathlib.Path(p, "librdkafka/rdkafka.h").exists() for p in ("/usr/include", "/usr/local/include")):
        raise Missing("librdkafka-dev is not installed")
    program, files = folder / "client", sorted(source.glob("*.[ch]"))
    once(folder, files, lambda: build(
        compiler, "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-o", program,
        *[f for f in files if f.suffix == ".c"], "-lrdkafka", "-lpthread"))
    return program

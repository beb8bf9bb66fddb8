"""One file for each scenario: every sample, and all that one must know to judge and to repeat them. What `run` writes,
`page` reads; a scenario whose result of the same commit exists need not run again.
"""

import datetime
import json
import os
import pathlib
import platform
import re
import subprocess

import peers
import streams

FORMAT = 1
MEASURED = ("src", "bench", "tests/peers", "CMakeLists.txt", "CMakePresets.json")  # what figures depend on


def _said(*command):
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=peers.REPOSITORY)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip() if done.returncode == 0 else ""


def commit():
    """The last commit that touched what is measured; with a plus if there are changes that no commit has."""
    name = _said("git", "log", "-1", "--format=%h", "--", *MEASURED)
    return name + ("+" if _said("git", "status", "--porcelain", "--", *MEASURED) else "")


def _memory():
    return dict(line.split(":", 1) for line in pathlib.Path("/proc/meminfo").read_text(encoding="ascii").splitlines())


def _setting(name):
    return int(pathlib.Path("/proc/sys", name).read_text(encoding="ascii"))


def machine(folder):
    cpu = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    kind = _said("findmnt", "-no", "FSTYPE,OPTIONS", "--target", str(folder)).split()
    return {"cpu": cpu.group(1) if cpu else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(int(_memory()["MemTotal"].split()[0]) / 2**20, 1),
            "kernel": platform.release().partition("-")[0],
            "system": platform.freedesktop_os_release().get("PRETTY_NAME", ""),
            "file_system": " ".join(kind[:2]),
            "dirty_percent": _setting("vm/dirty_ratio"), "dirty_background_percent": _setting("vm/dirty_background_ratio")}


def versions():
    pom = (peers.KAFKA.parent / "kafka-pom.xml").read_text(encoding="utf-8")
    java = _said("java", "-version").splitlines()
    nats = (peers.KAFKA.parent / "nats.sh").read_text(encoding="utf-8")
    rabbit = [path.name.partition("-")[2] for path in streams.cache().glob("rabbitmq/root/usr/lib/rabbitmq/lib/rabbitmq_server-*")]
    return {"nats": re.search(r"^version=(.*)", nats, re.M).group(1), "rabbitmq": "".join(rabbit) or "none",
            "kafka": re.search(r"kafka_2.13</artifactId><version>([^<]*)", pom).group(1), "java": java[0] if java else "none",
            "python": platform.python_version()}


def now():
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def read(folder, name):
    """None if there is none that this program understands."""
    try:
        found = json.loads((pathlib.Path(folder) / f"{name}.json").read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return None
    return found if found.get("format") == FORMAT else None


def stands(found, of_commit, smoke):
    """Whether it need not be measured again."""
    return (bool(found) and found["commit"] == of_commit and "+" not in of_commit and found["smoke"] == smoke
            and not found["broken"] and not found["warnings"] and not found.get("less"))


def weight(found):
    """Of two results of one scenario the heavier counts: a whole one before one of fewer or shorter rounds, that before a
    trial; of equals the newer."""
    shorter = any(not text.startswith("without ") for text in found.get("less") or ())
    return not found["warnings"] and not found["broken"], not shorter, found["when"]


def write(folder, result):
    """Whole or not at all."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    half = folder / f".{result['scenario']}.half"
    half.write_text(compact(result), encoding="utf-8")
    half.rename(folder / f"{result['scenario']}.json")


def compact(result):
    """JSON with one line for each sample: small, and readable in a diff."""
    text = json.dumps({**result, "samples": {name: ["@"] for name in result["samples"]}}, indent=1)
    for name, samples in result["samples"].items():
        lines = json.dumps(samples) if isinstance(samples, str) else \
            "[\n" + ",\n".join("   " + json.dumps(_rounded(sample)) for sample in samples) + "\n  ]"
        text = text.replace(f'{json.dumps(name)}: [\n   "@"\n  ]', f"{json.dumps(name)}: {lines}", 1)
    return text + "\n"


def _rounded(sample):
    """Five digits say more than a repetition does."""
    return sample and {key: float(f"{value:.5g}") if isinstance(value, float) else value for key, value in sample.items()}


def column(result, system, key):
    """The numbers of a row by round, None where one is missing; [] if the system was not run."""
    samples = result["samples"].get(system, "")
    return [] if isinstance(samples, str) else [(sample or {}).get(key) for sample in samples]

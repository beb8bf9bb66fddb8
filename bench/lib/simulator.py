"""How fast the simulator goes through a broker's life: more of it in the same time finds more."""

import re
import subprocess

import peers
from case import Case, Row

PROGRAM = peers.REPOSITORY / "build" / "release" / "simulate"
SEEDS = 20
LIMIT_S = 300
SPEED = re.compile(r"events per CPU second=(\d+) CPU seconds=([\d.]+)")


def simulate(_broker, sizes, _load):
    """In one thread."""
    seeds = 1 if sizes.smoke else SEEDS
    done = subprocess.run([PROGRAM, "--quiet", "--jobs", "1", "--seeds", str(seeds)],
                          check=False, capture_output=True, text=True, timeout=LIMIT_S)
    found = SPEED.search(done.stdout)
    if done.returncode or not found:
        raise peers.Broke(f"simulate ended with code {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    return {"simulator.events": float(found[1]) / 1000, "simulator.seed": float(found[2]) / seeds}


def absent():
    return None if PROGRAM.exists() else "it is not built: cmake --build build/release --target simulate"


def case():
    return Case("simulator", "the simulator", [
        Row("simulator.events", "events of a simulated broker for a CPU second", "k/s", True),
        Row("simulator.seed", "  CPU of a seed: 120 simulated seconds with faults", "s")], simulate, ("tailwater",), rounds=5,
        client="simulate", needs=absent)

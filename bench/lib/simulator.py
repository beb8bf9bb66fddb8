"""How fast the simulator goes through a broker's life: more of it in the same time finds more."""

import pathlib
import re
import subprocess

import peers
import proc
from case import Case, Row

SEEDS = 20
LIMIT_S = 300
SPEED = re.compile(r"events per CPU second=(\d+) CPU seconds=([\d.]+)")


def program():
    """Beside the broker's, as `load` is."""
    return pathlib.Path(peers.load_program).parent / "simulate"


def simulate(_broker, sizes, _load):
    """In one thread."""
    seeds = 1 if sizes.smoke else SEEDS
    done = subprocess.run([program(), "--quiet", "--jobs", "1", "--seeds", str(seeds)],
                          check=False, capture_output=True, text=True, timeout=LIMIT_S)
    found = SPEED.search(done.stdout)
    if done.returncode or not found:
        raise peers.Broke(f"simulate ended with code {done.returncode}: {(done.stdout + done.stderr).strip()[-300:]}")
    seed = float(found[2]) / seeds
    return {"simulator.events": float(found[1]) / 1000, "simulator.seed": seed, "simulator.all": seed * 1000 / proc.CORES / 60}


def absent():
    """None, or why there is none of these sources."""
    done = subprocess.run(["cmake", "--build", program().parent, "--target", "simulate"], check=False, capture_output=True, text=True)
    return None if done.returncode == 0 else f"it cannot be built: {(done.stdout + done.stderr).strip()[-200:]}"


def case():
    return Case("simulator", "the simulator", [
        Row("simulator.events", "events of a simulated broker for a CPU second", "k/s", True),
        Row("simulator.seed", "  CPU of a seed: 120 simulated seconds with faults", "s"),
        Row("simulator.all", "  1,000 seeds on all cores, from the time of one thread", "min")], simulate, ("tailwater",), rounds=5,
        client="simulate", needs=absent)

"""Turns results into a table, report.json and report.md. It adds nothing that a step or a check did not say."""

import dataclasses
import json

import scenario
import wire

MARK = {True: "yes", False: "FAIL", None: "-"}
WORD = {True: "ok", False: "FAIL", None: "-"}
STATE = {True: "", False: ":FAIL", None: ":-"}
COLUMNS = ["create", "produce", "group", "join", "leave", "resume", "exact", "admin", "partitioner", "cooperative", "KIP-848", "transactions"]


def _all(steps, names):
    """True, False, or None when none of the steps was tried (or all are about something that is not offered)."""
    tried = [steps[name] for name in names if name in steps and steps[name]["ok"] is not None]
    return all(step["ok"] for step in tried) if tried else None


def _produce(client, steps):
    cells = []
    for codec in wire.CODECS:
        if codec not in client.codecs:
            continue
        good = _all(steps, [f"produce.{codec}", f"stored.{codec}"])
        cells.append(codec if good else f"{codec}:{'FAIL' if good is False else '-'}")
    return " ".join(cells)


def _transactions(client, steps):
    cells = []
    for protocol in client.transactions:
        suffix = scenario.txn_suffix(client.transactions, protocol)
        names = [name for name in steps if name.startswith("txn.") and name.partition("@")[2] == suffix[1:]]
        cells.append(protocol + STATE[_all(steps, names)])
    return " ".join(cells) or MARK[None]


def row(result):
    client, steps = result["client"], {step["step"]: step for step in result["steps"]}
    cells = {"create": MARK[_all(steps, ["create"])], "produce": _produce(client, steps)}
    for name in ("group", "join", "leave", "resume"):
        cells[name] = MARK[_all(steps, [name])]
    cells["exact"] = MARK[_all(steps, ["exact", "committed"])]
    cells["admin"] = MARK[_all(steps, [name for name in steps if name.startswith("admin.")])]
    cells["partitioner"] = MARK[_all(steps, ["partitioner"])]
    cells["cooperative"] = MARK[_all(steps, [name for name in steps if name.endswith("@cooperative")])]
    cells["transactions"] = _transactions(client, steps)
    cells["KIP-848"] = MARK[_all(steps, [name for name in steps if name.endswith("@consumer")])]
    return cells


@dataclasses.dataclass(frozen=True)
class Round:
    """What happened with one broker."""

    title: str
    results: list
    ending: str  # how the broker ended, or failed to start, if not in good order

    @property
    def failed(self):
        return bool(self.ending) or any(r["state"] == "failed" for r in self.results)

    @property
    def absent(self):
        return any(r["state"] == "not run" for r in self.results)

    def tables(self):
        return [f"## {self.title}", "", *_tables(self.results), *([f"- FAIL the broker: {self.ending}"] if self.ending else [])]


def _tables(results):
    """Lines of Markdown: the common scenario, the applications, what failed, what was not run."""
    lines = []
    common = [r for r in results if r["client"].judged and r["state"] != "not run"]
    if common:
        lines = ["| client | " + " | ".join(COLUMNS) + " | seconds |", "|---" * (len(COLUMNS) + 2) + "|"]
    for result in common:
        cells = row(result)
        lines.append("| " + " | ".join([result["client"].title, *(cells[c] for c in COLUMNS), f"{result['seconds']:.0f}"]) + " |")
    applications = [r for r in results if not r["client"].judged and r["state"] != "not run"]
    if applications:
        lines += [""] * bool(lines) + ["| application | steps | seconds |", "|---|---|---|"]
        for result in applications:
            steps = " ".join(s["step"] + STATE[s["ok"]] for s in result["steps"])
            lines.append(f"| {result['client'].title} | {steps} | {result['seconds']:.0f} |")
    absent = [r for r in results if r["state"] == "not run"]
    lines += [""] * bool(absent) + [f"- not run: {r['client'].title}: {r['reason']}" for r in absent]
    lacking = [(r["client"].name, s) for r in results for s in r["steps"] if s["ok"] is None]
    lines += [""] * bool(lacking) + [f"- {name} {s['step']} {s['note']}" for name, s in lacking]
    failed = [r for r in results if r["state"] == "failed"]
    lines += [""] * bool(failed)
    for result in failed:
        lines += [f"- FAIL {result['client'].name} {s['step']}: {s['note']}" for s in result["steps"] if s["ok"] is False]
    return lines


def _notes(results):
    """What was checked and seen, step by step."""
    lines = []
    for result in (r for r in results if r["steps"]):
        lines += ["", f"### {result['client'].title}", ""]
        if result["client"].partitioner:
            lines += [f"Partitioner: {result['client'].partitioner}.", ""]
        lines += [f"- {WORD[s['ok']]} {s['step']} ({s.get('ms', 0)} ms): {s['note']}" for s in result["steps"]]
    return lines


def closing(rounds):
    """Counts clients, in each round anew. A broker that ended badly fails with the client that saw it, or alone."""
    results = [r for one in rounds for r in one.results]
    count = [sum(r["state"] == state for r in results) for state in ("passed", "failed", "not run")]
    count[1] += sum(bool(one.ending) for one in rounds)
    return "{} passed, {} failed, {} skipped".format(*count)


def write(folder, rounds):
    folder.mkdir(parents=True, exist_ok=True)
    plain = [{"broker": one.title, "ending": one.ending, "clients": [
        {"client": r["client"].name, "title": r["client"].title, "state": r["state"], "reason": r["reason"],
         "seconds": round(r["seconds"], 1), "partitioner": r["client"].partitioner, "steps": r["steps"]} for r in one.results]}
             for one in rounds]
    (folder / "report.json").write_text(json.dumps({"result": closing(rounds), "rounds": plain}, indent=1) + "\n")
    text = ["# Interoperability", "", f"{closing(rounds)}, counted in clients."]
    for one in rounds:
        text += ["", *one.tables(), *_notes(one.results)]
    (folder / "report.md").write_text("\n".join(text) + "\n")

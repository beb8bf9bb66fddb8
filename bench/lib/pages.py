"""docs/performance.md and what lies beside it, from results: the tables between the page's markers, the plots and the
results themselves. The words between are written by hand and stay.
"""

import itertools
import re
import statistics

import cases
import goals
import plots
import results
import speed
import table
from systems import SYSTEMS

MARKED = re.compile(r"(<!-- figures: ([a-z0-9-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
SMALL = [(count, f"small-{count}") for count in (10, 100, 1000)]
LARGE = [(count, f"large-{count}") for count in (1, 100, 1000)]


def drawn(found):
    """{file name: SVG}"""
    return dict(itertools.chain(
        plots.overview(found),
        plots.latency(found, speed.LOADS),
        plots.partitions(found, [("ten batches of 1.1 KB a request", SMALL), ("batches of 256 KiB", LARGE)]),
        plots.peers(found, [("256 KiB batches", "peers-a"), ("16 KiB batches", "peers-a16"), ("100 B records", "peers-b")]),
        plots.cpu(found, [("256 KiB batches", "a"), ("16 KiB batches", "a16"), ("100 B records", "b")])))


def machine(found):
    first, result = (pick(found.values(), key=lambda result: result["when"]) for pick in (min, max))
    facts = result["machine"]
    yield (f"Measured from {first['when'][:16].replace('T', ' ')} to {result['when'][:16].replace('T', ' ')} UTC; each section below names the "
           "commit. A plus behind it means: with changes that this commit has not.")
    if any(other["machine"] != facts for other in found.values()):
        yield "Not all of it on one machine or kernel: the table shows the one of the last measurement."
    yield ""
    yield "| | |"
    yield "|---|---|"
    yield f"| machine | {facts['cores']} cores, {facts['cpu']}; {facts['memory_gib']} GiB; {facts['file_system'].split()[0]} |"
    yield f"| system | {facts['system']}, kernel {facts['kernel']} |"
    gib = facts["memory_gib"]
    yield (f"| page cache | the kernel begins to write at {facts['dirty_background_percent']} % of free memory dirty and stops writers at "
           f"{facts['dirty_percent']} %: about {gib * facts['dirty_background_percent'] / 100:.1f} and {gib * facts['dirty_percent'] / 100:.1f} GiB |")
    yield f"| versions | {'; '.join(f'{name} {version}' for name, version in versions(found))} |"
    yield ""
    yield "| system | what an answer to a producer means | client |"
    yield "|---|---|---|"
    seen = {name for result in found.values() for name in result["systems"]}
    for name, system in SYSTEMS.items():
        if name in seen:
            yield f"| {system.title} | on the disk: {system.fsync} | {system.client} |"


def versions(found):
    """(name, its versions): of each program whatever some result was measured with."""
    for name in max(found.values(), key=lambda result: result["when"])["versions"]:
        seen = {result["versions"].get(name, "none") for result in found.values()} - {"none"}
        yield name, " and ".join(sorted(seen)) or "none"


def length(result):
    seconds = speed.sample_seconds(result["scenario"], result["sizes"])
    return f" of {seconds:g} s" if seconds else ""


def taken(result):
    """How much a sample was: less than the kernel holds dirty is no measure of a broker that does not sync."""
    key = f"{result['scenario']}.gb"
    found = {system["title"]: values for name, system in result["systems"].items()
             if (values := [x for x in results.column(result, name, key) if x])}
    spans = [f"{title} {table.span([table.volume(min(values)), table.volume(max(values))])}" for title, values in found.items()]
    return f" A sample moved: {'; '.join(spans)}." if spans else ""


def scenarios(found):
    """Every scenario with its table."""
    for result in found.values():
        yield f"### {result['scenario']}: {result['title']}"
        yield ""
        yield from table.lines(result)
        yield ""
        yield f"{result['rounds']} rounds{length(result)}, commit {result['commit']}, driven by {result['client']}.{taken(result)}"
        for system, samples in result["samples"].items():
            if isinstance(samples, str):
                yield f"{result['systems'][system]['title']}: {samples}."
        less = [text for text in result.get("less") or () if not text.startswith("without ")]
        if less:
            yield f"Less than usual: {'; '.join(less)}."
        for warning in result["warnings"]:
            yield f"**{warning[:1].upper() + warning[1:]}.**"
        yield ""
    missing = [name for name in cases.CASES if name not in found]
    if missing:
        yield f"Not measured yet: {', '.join(missing)}."


def shares(found):
    """(whether it is met, line of the table) of goals between two scenarios."""
    for key, least, base in goals.SHARES:
        (name, _, row), whole = key.partition("."), base.partition(".")[0]
        both = [[x for x in results.column(found[one], "tailwater", f"{one}.{row}") if x] if one in found else [] for one in (name, whole)]
        if all(both):
            few, many = (statistics.median(values) for values in both)
            met = few / many >= least
            yield met, (f"| {name} | beside `{whole}` | {table.number(few)} MB/s | {table.number(many)} MB/s | {table.number(few / many)}x | "
                        f"at least {table.factor(least)}x | {'yes' if met else '**no**'} | {found[name]['commit']} |")


def asked(found):
    """Every goal, and what came of it."""
    lines, verdicts, behind = [], [], 0
    for result in found.values():
        for row, samples in table.figures(result):
            for verdict in goals.judge(row, samples):
                ours = table.cell(result, "tailwater", row.key, row.unit)
                theirs = table.cell(result, verdict.goal.against, row.key, row.unit) if verdict.goal.against else ""
                met = "**no**" if not verdict.met else "by the limit" if verdict.by_limit else "yes"
                verdicts.append(verdict)
                behind += verdict.by_limit and goals.is_behind(row, verdict)
                lines.append(f"| {result['scenario']} | {row.title.strip()} | {ours} | {theirs} | {table.ratio(verdict.ratio)} | "
                             f"{table.wanted(row, verdict)} | {met} | {result['commit']} |")
    between = list(shares(found))
    lines += [line for _, line in between]
    if not lines:
        return ["Not measured yet."]
    met = [verdict.met for verdict in verdicts] + [met for met, _ in between]
    limited = sum(verdict.by_limit for verdict in verdicts)
    unmeasured = sum(map(len, goals.GOALS.values())) + len(goals.SHARES) - len(met)
    missing = f" {unmeasured} more are not measured yet, or whom they name was not." if unmeasured else ""
    return [f"Of {len(met)} goals {sum(met) - limited} are met as they were set, {limited} by what the limit program allows (in {behind} of these Kafka "
            f"is as good or better), and {len(met) - sum(met)} are not met.{missing}{doubts(found)}", "",
            "| scenario | figure | Tailwater | Kafka, or whom the goal names | ratio | goal | met | commit |", "|---|---|---|---|---|---|---|---|", *lines]


def doubts(found):
    trials = [result["scenario"] for result in found.values() if result["warnings"]]
    broken = [f"{result['scenario']} ({'; '.join(result['broken'])})" for result in found.values() if result["broken"]]
    return (f" These are trials, not results, as their sections below say: {', '.join(trials)}." if trials else "") + (
        f" Something broke, and goals beside it are missing here: {', '.join(broken)}." if broken else "")


def plot(name, words):
    def marked(_found, images):
        return [f"![{words}](performance/{name}.svg)"] if f"{name}.svg" in images else ["Not measured yet."]
    return marked


SECTIONS = {
    "machine": lambda found, _: machine(found) if found else ["Not measured yet."],
    "scenarios": lambda found, _: scenarios(found),
    "goals": lambda found, _: asked(found),
    "peers": plot("peers", "Throughput beside other systems"),
    "overview": plot("overview", "Times better than Kafka, for each goal"),
    "latency": plot("latency", "Latency over the load"),
    "partitions": plot("partitions", "Throughput over the number of partitions"),
    "cpu": plot("cpu", "Processor time for a gigabyte"),
}


def write(found, docs):
    page, beside = docs / "performance.md", docs / "performance"
    images = drawn(found)
    (beside / "results").mkdir(parents=True, exist_ok=True)
    for name, image in images.items():
        (beside / name).write_text(image, encoding="utf-8")
    for name, result in found.items():
        results.write(beside / "results", result)
    text = page.read_text(encoding="utf-8")
    unknown = {name for _, name, _ in MARKED.findall(text)} ^ set(SECTIONS)
    if unknown:
        raise ValueError(f"{page} and bench/lib/pages.py differ in the markers {', '.join(sorted(unknown))}")
    page.write_text(MARKED.sub(lambda m: m[1] + "\n".join(SECTIONS[m[2]](found, images)).rstrip() + "\n" + m[3], text), encoding="utf-8")

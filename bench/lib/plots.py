"""The plots of docs/performance.md, from results. Each function gives {file name: SVG}, or nothing where the results that it
needs do not exist.
"""

import statistics

import goals
import results
import svg
import table
from systems import SYSTEMS

COLORS = {"tailwater": "#0f7b8a", "kafka": "#d1495b", "kafka-fsync": "#e9a23b", "limit": "#7b8794", "echo": "#aab3bc",
          "nats": "#3f7d3a", "nats-sync": "#86b57f", "rabbitmq": "#7b5ea7", "redpanda": "#b5651d"}
DASHED = {"limit", "echo"}
WIDTH, LEFT, TOP, BOTTOM = 860, 76, 122, 60


def point(result, system, key, x):
    """(x, median, least, most), or None."""
    found = [value for value in results.column(result, system, key) if value is not None]
    return (x, statistics.median(found), min(found), max(found)) if found else None


def series(points):
    """points: {system: [point or None]}"""
    return [svg.Series(SYSTEMS[name].title, COLORS[name], [p for p in found if p], name in DASHED)
            for name, found in points.items() if any(found)]


def legend(shown, y=78):
    return svg.legend(24, y, [(one.label, one.color, one.dashed) for one in shown])


def latency(found, rates):
    """Percentiles over the load, three panels with one scale."""
    result = found.get("latency")
    if not result:
        return
    height, gap = 420, 34
    width = (WIDTH - LEFT - 24 - 2 * gap) / 3
    panels = {key: series({name: [point(result, name, f"latency.{rate}.{key}", rate) for rate in rates]
                           for name in result["systems"]}) for key in ("p50", "p99", "p999")}
    everything = [value for shown in panels.values() for one in shown for _, *values in one.points for value in values]
    if not everything:
        return
    body = list(legend(panels["p50"]))
    for index, (key, title) in enumerate((("p50", "median"), ("p99", "99 %"), ("p999", "99.9 %"))):
        panel = svg.Panel(LEFT + index * (width + gap), TOP, width, height - TOP - BOTTOM, title, "MB/s", "" if index else "ms",
                          not index)
        body += panel.lines(panels[key], True, svg.span(everything, True))
    yield "latency.svg", svg.figure(WIDTH, height, "Latency of a produce request over the load",
                                    "16 KiB batches of 1 KiB records, acks=all, from the intended send time; medians of the rounds and their range", body)


def partitions(found, groups):
    """Throughput over the number of partitions. groups: [(title, [(count, scenario)])]"""
    height, gap = 400, 76
    panels = []
    for title, scenarios in groups:
        names = [name for name in SYSTEMS if any(name in found[s]["systems"] for _, s in scenarios if s in found)]
        shown = series({name: [point(found[s], name, f"{s}.rate", count) for count, s in scenarios if s in found] for name in names})
        if shown:
            panels.append((title, shown))
    if not panels:
        return
    width = (WIDTH - LEFT - 24 - gap * (len(panels) - 1)) / len(panels)
    body = list(legend(max((shown for _, shown in panels), key=len)))
    for index, (title, shown) in enumerate(panels):
        panel = svg.Panel(LEFT + index * (width + gap), TOP, width, height - TOP - BOTTOM, title, "partitions", "" if index else "MB/s")
        body += panel.lines(shown, False)
    yield "partitions.svg", svg.figure(WIDTH, height, "Throughput over the number of partitions",
                                       "acks=all, the same requests in each plot; medians of the rounds and their range", body)


def bars(scenarios, values, unit, file, title, note):
    """Groups of bars. scenarios: [(label, scenario)]; values(scenario): {system: (solid, solid and light)}"""
    groups = [(label, shown) for label, name in scenarios if (shown := values(name))]
    if not groups:
        return
    height, names = 400, [name for name in SYSTEMS if any(name in shown for _, shown in groups)]
    body = list(svg.legend(24, 78, [(SYSTEMS[name].title, COLORS[name], False) for name in names]))
    body += svg.Panel(LEFT, TOP, WIDTH - LEFT - 24, height - TOP - BOTTOM, "", "", unit).bars(groups, COLORS)
    yield file, svg.figure(WIDTH, height, title, note, body)


def medians(found, name, *keys):
    """Pairs of a system and its medians of these figures of the scenario, for systems that have them all."""
    result = found.get(name)
    for system in result["systems"] if result else ():
        points = [point(result, system, f"{name}.{key}", 0) for key in keys]
        if all(points):
            yield system, tuple(middle for _, middle, *_ in points)


def cpu(found, scenarios):
    """Processor time. scenarios: [(label, scenario)]"""
    def values(name):
        # Kafka with fsync, in the tables, would make the others too small to read.
        return {system: both for system, both in medians(found, name, "cpu", "machine") if system != "kafka-fsync"}
    return bars(scenarios, values, "CPU s/GB", "cpu.svg", "Processor time for a gigabyte taken",
                "solid: the broker's process; light: the rest of the machine less the client (kernel threads that write and flush)")


def peers(found, scenarios):
    """Throughput of systems that speak other protocols. scenarios: [(label, scenario)]"""
    return bars(scenarios, lambda name: dict(medians(found, name, "rate", "rate")), "MB/s", "peers.svg",
                "Throughput beside other systems", "Tailwater and NATS, sync: on the disk before each answer; the others: not")


MET, LIMITED, MISSED = "#2f855a", "#b7791f", "#c53030"


def overview(found):
    """Every figure with a goal against Kafka without fsync: how many times better Tailwater is, and how many it was asked for
    before the limit program lowers that."""
    entries = []
    for result in found.values():
        for row, samples in table.figures(result):
            for verdict in goals.judge(row, samples):
                ratio = verdict.ratio
                if verdict.goal.against != "kafka" or not ratio or not ratio.middle:
                    continue
                values = [ratio.middle, ratio.low or ratio.middle, ratio.high, verdict.goal.factor]  # nothing has no place on this scale
                if not row.more_is_better:
                    values = [1 / values[0], 1 / values[2], 1 / values[1], 1 / values[3]]
                scenario, _, figure = row.key.rpartition(".")
                entries.append((f"{scenario}  {figure}", f"{row.title.strip()}: {table.times(values[0], values[0] < 0.095)} times better",
                                *values, MISSED if not verdict.met else LIMITED if verdict.by_limit else MET))
    if not entries:
        return
    every = [value for entry in entries for value in entry[2:6]]
    height = 118 + 22 * len(entries) + 20
    limits = svg.span([*every, 1], True)
    panel = svg.Panel(170, 118, WIDTH - 170 - 40, 22 * len(entries), "", "", "")
    body = [*svg.legend(24, 78, [("goal met", MET, False), ("met by the limit program's figure", LIMITED, False), ("not met", MISSED, False),
                          ("| the goal", svg.INK, False)]),
            *panel.ranges(entries, limits)]
    yield "overview.svg", svg.figure(WIDTH, height, "Times better than Kafka", "Tailwater with fsync against Kafka without; medians of the rounds' ratios and their range; further right is better", body)

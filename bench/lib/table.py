"""Samples to a table and to JSON. A cell shows the median and in brackets the best of its samples; the
ratio says how many times better Tailwater's median is than Kafka's.
"""

import json
import statistics


def number(value):
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(samples, row):
    if isinstance(samples, str):
        return samples
    if not samples:
        return "not run"
    middle, best = statistics.median(samples), (max if row.more_is_better else min)(samples)
    return number(middle) + (f" ({number(best)})" if len(samples) > 1 else "") + f" {row.unit}"


def ratio(ours, theirs, row):
    if isinstance(ours, str) or isinstance(theirs, str) or not ours or not theirs:
        return "-"
    mine, other = statistics.median(ours), statistics.median(theirs)
    if not mine or not other:
        return "-"
    return f"{mine / other if row.more_is_better else other / mine:.1f}x"


def samples_of(columns, broker, row):
    column = columns.get(broker, "" if broker[1] else "not run")
    return column if isinstance(column, str) else column.get(row.key, [])


def lines(results, sizes):
    """results: [(case, {(broker, variant): {row key: [sample]} or why not})]"""
    head = ["name", "Tailwater", "Kafka", "Kafka without fsync", "ratio", "target"]
    table = []
    for case, columns in results:
        for row in case.rows:
            found = [samples_of(columns, broker, row) for broker in (("Tailwater", 0), ("Kafka", 0), ("Kafka", 1))]
            table.append([row.title.format(partitions=f"{sizes.partitions:,}", commits=f"{sizes.commits:,}"), *(cell(samples, row) for samples in found),
                          ratio(found[0], samples_of(columns, ("Kafka", case.compared), row), row), row.target])
    if not any(row[3] for row in table):
        head, table = head[:3] + head[4:], [row[:3] + row[4:] for row in table]
    widths = [max(len(row[i]) for row in [head, *table]) for i in range(len(head))]
    rule = ["-" * width for width in widths]
    return ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in [head, rule, *table]]


def write_json(path, results, facts):
    rows = []
    for case, columns in results:
        for row in case.rows:
            entry = {"case": case.name, "row": row.key, "unit": row.unit, "target": row.target, "samples": {}}
            for (broker, variant), column in columns.items():
                name = broker if not variant else f"{broker} without fsync"
                entry["samples"][name] = column if isinstance(column, str) else column.get(row.key, [])
            rows.append(entry)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(facts | {"rows": rows}, file, indent=1)
        file.write("\n")

"""A result as lines of a table: for each figure the median of every system, how Tailwater compares with Kafka (median of
the rounds' ratios, and their range), and whether the goal is met.
"""

import math
import statistics

import goals
import results
from case import Row
from systems import SYSTEMS


def number(value):
    """As people read it: three digits, two of what is small, and never a power of ten."""
    if value >= 1000:
        return f"{value:,.0f}"
    if value >= 100:
        return f"{value:.0f}"
    if value >= 0.095 or value <= 0:
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value > 0 else f"{value:g}"
    return f"{value:.{1 - math.floor(math.log10(value))}f}"


def volume(gigabytes):
    """In the unit that leaves no zeros in front."""
    for unit, share in (("GB", 1), ("MB", 1e-3), ("kB", 1e-6)):
        if gigabytes >= share:
            return f"{number(gigabytes / share)} {unit}"
    return f"{number(gigabytes * 1e9)} B"


def span(texts):
    """Of texts in the order of their figures: one if they are the same, and their unit once."""
    first, last = texts[0], texts[-1]
    if first == last:
        return first
    low, _, unit = first.partition(" ")
    return f"{low if last.endswith(f' {unit}') else first} to {last}"


def cell(result, system, key, unit):
    samples = result["samples"].get(system)
    if isinstance(samples, str):
        return samples.partition(":")[0]
    found = [x for x in results.column(result, system, key) if x is not None]
    return f"{number(statistics.median(found))} {unit}" if found else ""


def ratio(found):
    if not found:
        return ""
    inverse = 0 < found.middle < 0.095  # it reads better then; range and median in one form
    low, middle, high = (times(value, inverse) for value in (found.low, found.middle, found.high))
    return f"{middle}x ({low}-{high})" if high != low else f"{middle}x"


def times(value, inverse):
    return f"1/{number(1 / value)}" if inverse and value > 0 else number(value)


def factor(value):
    inverse = 1 / value
    return f"1/{round(inverse)}" if value < 0.4 and abs(inverse - round(inverse)) < 1e-9 else f"{value:g}"


def wanted(row, found):
    """What was asked for."""
    edge = "at least" if row.more_is_better else "at most"
    against = f" of {SYSTEMS[found.goal.against].title}" if found.goal.against not in ("", "kafka") else ""
    asked = f"{edge} {factor(found.goal.factor)}x{against}"
    if not found.goal.against and row.unit:
        asked = f"{edge} {number(found.goal.factor)} {row.unit}"
    if found.capped:
        asked += f", by the limit {number(found.wanted)} {row.unit}"
    return asked


def verdict(row, found):
    """The same, and what came of it."""
    return f"{wanted(row, found)}: {outcome(found)}"


def outcome(found):
    if found.by_limit:
        return "met, by the limit"
    return "met" if found.met else "not met"


def figures(result):
    """(row, {system: its numbers}) of each row that has any."""
    for entry in result["rows"]:
        row = Row(entry["key"], entry["title"], entry["unit"], entry["more_is_better"])
        samples = {name: results.column(result, name, row.key) for name in result["systems"]}
        if any(samples.values()):
            yield row, samples


def rows(result):
    """[cells] of each row, in the order of columns()."""
    for row, samples in figures(result):
        verdicts = [verdict(row, found) for found in goals.judge(row, samples)]
        yield [row.title, *(cell(result, name, row.key, row.unit) for name in result["systems"]),
               ratio(goals.ratio(samples["tailwater"], samples.get("kafka", []))), "; ".join(verdicts)]


def columns(result):
    return ["", *(system["title"] for system in result["systems"].values()), "to Kafka", "goal"]


def lines(result):
    body = [[f"**{result['scenario']}**", *columns(result)[1:]], *rows(result)]
    widths = [max(len(row[at]) for row in body) for at in range(len(body[0]))]
    body.insert(1, ["-" * width for width in widths])
    return ["| " + " | ".join(text.ljust(width) for text, width in zip(row, widths)) + " |" for row in body]

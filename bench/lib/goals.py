"""How fast is fast enough: for each row, times the figure of another system in the same rounds, or a figure of its own.
`judge` says what came of it: a goal beside another system is judged by the median of the rounds' ratios, the rest by medians.
"""

import dataclasses
import statistics

LIMIT_SHARE = 0.85  # of the limit program's throughput: more than that nobody can ask for
LIMIT_SLACK = 1.3  # times the limit program's latency or CPU: less than that neither


@dataclasses.dataclass(frozen=True)
class Goal:
    factor: float  # at least, where more is better; at most, where less is
    against: str = "kafka"  # a system; "": the figure itself


def _speed(name, **factors):
    return {f"{name}.{key}": (Goal(factor),) for key, factor in factors.items()}


GOALS = {
    **_speed("a", cpu=0.45, machine=0.6, p99=1 / 2),
    "a.rate": (Goal(1.0), Goal(LIMIT_SHARE, "limit")),
    **_speed("a16", rate=2, cpu=1 / 4, machine=1 / 3),
    **_speed("b", rate=1.5, cpu=0.3),
    **_speed("c", cpu=0.45, p99=0.7),
    "c.rate": (Goal(1.2), Goal(30, "kafka-fsync")),
    **_speed("c5", rate=1.6, cpu=0.45),
    **_speed("d", cpu=1 / 4, p99=1 / 4),
    "d.rate": (Goal(3), Goal(1000, "kafka-fsync")),
    **_speed("d-paced", p50=1 / 3, p99=1 / 8, p999=1 / 6),
    **_speed("e1", rate=1.0, cpu=1.1),
    **_speed("e5", rate=1.0, cpu=1.1),
    **_speed("e2", rate=3, cpu=1 / 4),
    "f.ratio": (Goal(2, ""),),
    "f.reader": (Goal(0.5, ""),),
    **_speed("g5", p50=1.0, p99=1 / 4, p999=1 / 5),
    **_speed("g50", p50=1.0, p99=1 / 4, p999=1 / 5),
    **_speed("g150", p50=1.0, p99=1 / 10, p999=1 / 10),
    **_speed("start", ms=1 / 50),
    **_speed("memory", idle=1 / 15, cpu=1 / 10),
    **_speed("partitions", all=1 / 15, rss=1 / 8),
    "killed.served": (Goal(1 / 20), Goal(3, "")),
    "killed.rest": (Goal(160, ""),),
    "idle.each": (Goal(10, ""),),  # a tenth of a second for 10,000
    "commits.load": (Goal(2, ""),),
    "simulator.events": (Goal(200, ""),),
    "simulator.all": (Goal(10, ""),),
    **_speed("group", stable=1 / 3, joined=1 / 3, left=1 / 3),
    **_speed("j", rate=4, p99=1 / 4),
    **_speed("j16", rate=3, p99=1 / 4),
    **{key: goals for codec in ("gzip", "snappy", "lz4", "zstd")
       for key, goals in _speed(f"k-{codec}", rate=2, cpu=1 / 5).items()},
    "full.ratio": (Goal(1.5, ""),),
    **{f"small-{count}.rate": (Goal(500, ""),) for count in (10, 100, 1000)},
}
# What the cost of more partitions may be: (row, at least this share, of row), medians of two scenarios.
SHARES = (("small-1000.rate", 0.7, "small-10.rate"), ("large-1000.rate", 0.7, "large-1.rate"))


@dataclasses.dataclass
class Ratio:
    """Ours over theirs, round by round: the median, the least and the most."""

    middle: float
    low: float
    high: float


def ratio(ours, theirs):
    """None without a pair. Samples of one round stand beside each other; None stands for one that was not taken."""
    pairs = [a / b for a, b in zip(ours, theirs) if a is not None and b]
    return Ratio(statistics.median(pairs), min(pairs), max(pairs)) if pairs else None


@dataclasses.dataclass
class Verdict:
    goal: Goal
    wanted: float  # the figure that meets the goal
    capped: bool  # by the limit program: less is asked for than was set
    met: bool
    by_limit: bool  # only so, not as it was set
    ratio: Ratio | None


def judge(row, samples):
    """samples: {system: [numbers]}. Goals against systems that were not measured have no verdict."""
    ours = [x for x in samples.get("tailwater", []) if x is not None]
    limit = [x for x in samples.get("limit", []) if x is not None]
    if not ours:
        return
    figure = statistics.median(ours)
    for goal in GOALS.get(row.key, ()):
        theirs = [x for x in samples.get(goal.against, []) if x is not None]
        if goal.against and not theirs:
            continue
        wanted, capped = goal.factor * (statistics.median(theirs) if goal.against else 1), False
        if limit and goal.against != "limit":
            edge = statistics.median(limit) * (LIMIT_SHARE if row.more_is_better else LIMIT_SLACK)
            capped = edge < wanted if row.more_is_better else edge > wanted
            wanted = edge if capped else wanted
        found = ratio(samples["tailwater"], samples[goal.against]) if goal.against else None
        as_set = reaches(row, found.middle if found else figure, goal.factor)
        met = as_set or (capped and reaches(row, figure, wanted))
        yield Verdict(goal, wanted, capped, met, met and not as_set, found)


def reaches(row, figure, asked):
    return figure >= asked if row.more_is_better else figure <= asked


def is_behind(row, verdict):
    """Whether the other system is as good or better."""
    return verdict.ratio is not None and (verdict.ratio.middle <= 1 if row.more_is_better else verdict.ratio.middle >= 1)

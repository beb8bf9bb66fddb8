"""Plots as plain SVG: panels with axes, lines with their ranges, bars. Nothing here knows what is plotted."""

import dataclasses
import html
import math

FONT = "font-family=\"-apple-system, 'Segoe UI', Helvetica, Arial, sans-serif\""
INK, QUIET, RULE = "#1f2933", "#616e7c", "#e4e7eb"


@dataclasses.dataclass
class Series:
    label: str
    color: str
    points: list  # (x, middle, low, high)
    dashed: bool = False


@dataclasses.dataclass
class Scale:
    """Numbers to pixels, linear or logarithmic."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value):
        turn = math.log10 if self.log else float
        low, high = turn(self.low), turn(self.high)
        share = (turn(max(value, self.low) if self.log else value) - low) / ((high - low) or 1)
        return self.begin + share * (self.end - self.begin)

    def ticks(self):
        if self.log:
            first, last = math.floor(math.log10(self.low)), math.ceil(math.log10(self.high))
            decades = [10.0**power for power in range(first, last + 1)]
            steps = decades if last - first > 2 else [step * decade for decade in decades for step in (1, 2, 5)]
            return [tick for tick in steps if self.low <= tick <= self.high * 1.0001]
        step = nice((self.high - self.low) / 4)
        return [self.low + step * count for count in range(int((self.high - self.low) / step + 1.0001))]


def nice(size):
    """The least of 1, 2, 2.5, 5 times a power of ten that is at least size."""
    power = 10.0 ** math.floor(math.log10(size))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= size * 0.9999)


def span(values, log):
    """Round limits around the values."""
    if log:
        least, most = min(v for v in values if v > 0), max(values)
        steps = [step * 10.0**power for power in range(-4, 9) for step in (1, 2, 5)]
        return max(s for s in steps if s <= least), min(s for s in steps if s >= most)
    step = nice((max(values) or 1) / 4)
    return 0, step * math.ceil(max(values) / step * 0.9999)


def spoken(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:g}"


def text(x, y, words, size=12, color=INK, anchor="start", weight="normal", turn=None):
    turned = f' transform="rotate({turn} {x:.1f} {y:.1f})"' if turn is not None else ""
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{color}" text-anchor="{anchor}" '
            f'font-weight="{weight}"{turned}>{html.escape(words)}</text>')


def line(x1, y1, x2, y2, color=RULE, width=1.0):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}" stroke-width="{width}"/>'


def box(x, y, width, height, color, opacity=1.0, rounded=2):
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{max(height, 0):.1f}" fill="{color}" '
            f'fill-opacity="{opacity}" rx="{rounded}"/>')


def legend(x, y, entries):
    """(label, color, dashed) side by side."""
    for label, color, dashed in entries:
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        yield f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" stroke="{color}" stroke-width="3"{dash}/>'
        yield text(x + 28, y, label, 12)
        x += 28 + 7.0 * len(label) + 22


def figure(width, height, title, subtitle, body):
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" {FONT} role="img">',
            f"<title>{html.escape(title)}</title>", box(0, 0, width, height, "#ffffff", 1, 0),
            text(24, 32, title, 17, INK, weight="600"), text(24, 52, subtitle, 12, QUIET)]
    return "\n".join([*head, *body, "</svg>"]) + "\n"


@dataclasses.dataclass
class Panel:
    """A plot with axes in a rectangle of the figure."""

    left: float
    top: float
    width: float
    height: float
    title: str
    x_label: str
    y_label: str

    numbers: bool = True  # at the vertical axis; a panel to the left may have them

    def frame(self, ys):
        yield text(self.left, self.top - 12, self.title, 13, INK, weight="600")
        for tick in ys.ticks():
            yield line(self.left, ys(tick), self.left + self.width, ys(tick))
            if self.numbers:
                yield text(self.left - 8, ys(tick) + 4, spoken(tick), 11, QUIET, "end")
        yield line(self.left, self.top + self.height, self.left + self.width, self.top + self.height, QUIET)
        yield text(self.left + self.width / 2, self.top + self.height + 38, self.x_label, 12, QUIET, "middle")
        if self.y_label:
            yield text(self.left - 46, self.top + self.height / 2, self.y_label, 12, QUIET, "middle", turn=-90)

    def lines(self, series, log_y, limits=None):
        """Lines over places of equal distance, one for each x that occurs; whiskers from the least to the most."""
        places = sorted({x for one in series for x, *_ in one.points})
        low, high = limits or span([v for one in series for _, *values in one.points for v in values], log_y)
        ys = Scale(low, high, self.top + self.height, self.top, log_y)
        yield from self.frame(ys)
        gap = self.width / len(places)
        at = {x: self.left + gap * (index + 0.5) for index, x in enumerate(places)}
        for x in places:
            yield text(at[x], self.top + self.height + 18, spoken(x), 11, QUIET, "middle")
        for one in series:
            path = " ".join(f"{at[x]:.1f},{ys(middle):.1f}" for x, middle, _, _ in one.points)
            dash = ' stroke-dasharray="6 4"' if one.dashed else ""
            yield f'<polyline points="{path}" fill="none" stroke="{one.color}" stroke-width="2.5" stroke-linejoin="round"{dash}/>'
            for x, middle, least, most in one.points:
                yield line(at[x], ys(least), at[x], ys(most), one.color, 1.5)
                yield (f'<circle cx="{at[x]:.1f}" cy="{ys(middle):.1f}" r="4" fill="{one.color}" stroke="#ffffff" stroke-width="1.5">'
                       f"<title>{html.escape(one.label)}: {middle:.3g}</title></circle>")

    def bars(self, groups, colors):
        """groups: [(label, {series: (part, whole)})]: the part solid, the rest of the whole light."""
        high = span([whole for _, found in groups for _, whole in found.values()], False)[1]
        ys = Scale(0, high, self.top + self.height, self.top)
        yield from self.frame(ys)
        gap = self.width / len(groups)
        for index, (label, found) in enumerate(groups):
            size = min(46, gap * 0.8 / max(len(found), 1))
            x = self.left + gap * (index + 0.5) - size * len(found) / 2
            yield text(self.left + gap * (index + 0.5), self.top + self.height + 18, label, 12, INK, "middle")
            for name, (part, whole) in found.items():
                yield box(x + 3, ys(whole), size - 6, ys(part) - ys(whole), colors[name], 0.35)
                yield box(x + 3, ys(part), size - 6, ys(0) - ys(part), colors[name])
                yield text(x + size / 2, ys(max(whole, part)) - 5, f"{whole:.0f}" if whole >= 10 else f"{whole:.2g}", 11, QUIET, "middle")
                x += size

    def ranges(self, entries, limits):
        """One line for each entry: (label, note, middle, low, high, mark, color), all on a logarithmic axis; the mark is a tick."""
        xs = Scale(*limits, self.left, self.left + self.width, True)
        step = self.height / max(len(entries), 1)
        for tick in xs.ticks():
            strong = tick == 1
            yield line(xs(tick), self.top - 6, xs(tick), self.top + self.height, QUIET if strong else RULE, 1.2 if strong else 1)
            yield text(xs(tick), self.top - 12, f"{spoken(tick)}x", 11, QUIET, "middle")
        for index, (label, note, middle, low, high, mark, color) in enumerate(entries):
            y = self.top + step * (index + 0.5)
            yield text(self.left - 12, y + 4, label, 11.5, INK, "end")
            yield line(xs(low), y, xs(high), y, color, 3)
            yield line(xs(mark), y - 7, xs(mark), y + 7, INK, 2)
            yield (f'<circle cx="{xs(middle):.1f}" cy="{y:.1f}" r="4.5" fill="{color}" stroke="#ffffff" stroke-width="1.5">'
                   f"<title>{html.escape(note)}</title></circle>")

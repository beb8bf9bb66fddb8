"""System calls of a broker that counts its own (Tailwater's /metrics), for each request that it served meanwhile. The
two looks are requests to another port, and not counted as such.
"""

import collections
import urllib.request

CALLS, REQUESTS = "tailwater_system_calls_total", "tailwater_requests_total"
LIMIT_S = 30


def read(text):
    """{kind of call: how many} and the number of requests, of all shards, from the text of /metrics."""
    calls, requests = collections.Counter(), 0
    for line in text.splitlines():
        name, _, rest = line.partition("{")
        labels, _, value = rest.rpartition("} ")
        if name == CALLS:
            calls[labels.partition('call="')[2].partition('"')[0]] += int(value)
        elif name == REQUESTS:
            requests += int(value)
    return calls, requests


def look(broker):
    """None of a broker that does not count."""
    if getattr(broker, "admin_port", None) is None:
        return None
    with urllib.request.urlopen(f"http://127.0.0.1:{broker.admin_port}/metrics?detail=topic", timeout=LIMIT_S) as answer:
        return read(answer.read().decode())


def between(before, after):
    """{figure: calls for each request}: all of them, and those of each kind."""
    if before is None or after[1] <= before[1]:
        return {}
    requests = after[1] - before[1]
    kinds = {kind: (count - before[0][kind]) / requests for kind, count in after[0].items()}
    return {"calls": sum(kinds.values())} | {f"calls.{kind}": figure for kind, figure in kinds.items() if figure}

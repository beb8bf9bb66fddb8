"""What a broker tells of itself (Tailwater's /metrics): its system calls, for each request that it served meanwhile, and
the memory that it keeps records in. Looks are requests to another port, and not counted as such.
"""

import collections
import urllib.request

CALLS, REQUESTS, CACHE = "tailwater_system_calls_total", "tailwater_requests_total", "tailwater_cache_bytes"
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


def told(broker):
    """The text of /metrics; None of a broker that has none."""
    if getattr(broker, "admin_port", None) is None:
        return None
    with urllib.request.urlopen(f"http://127.0.0.1:{broker.admin_port}/metrics?detail=topic", timeout=LIMIT_S) as answer:
        return answer.read().decode()


def look(broker):
    """None of a broker that does not count."""
    text = told(broker)
    return None if text is None else read(text)


def cached_mib(text):
    """Of its own memory: a broker that leaves records to the page cache has none there."""
    lines = (text or "").splitlines()
    return sum(int(line.rpartition(" ")[2]) for line in lines if line.startswith(CACHE + "{")) / (1 << 20)


def between(before, after):
    """{figure: calls for each request}: all of them, and those of each kind."""
    if before is None or after[1] <= before[1]:
        return {}
    requests = after[1] - before[1]
    kinds = {kind: (count - before[0][kind]) / requests for kind, count in after[0].items()}
    return {"calls": sum(kinds.values())} | {f"calls.{kind}": figure for kind, figure in kinds.items() if figure}

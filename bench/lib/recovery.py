"""What a start costs behind a kill under load, with many partitions, and with many committed offsets."""

import subprocess
import time

import calls
import client
import peers
import proc
from case import Case, Row
from client import create_many, first_record

BUSY_PARTITIONS = 6
COMMIT_PARTITIONS = 1000


def kill_under_load(broker, seconds, topic, count, *words):
    """kill -9 after so many seconds of load on a topic of so many partitions. Gives their ends shortly before: what lay before
    them was acknowledged."""
    command = [peers.load_program, "--port", str(broker.port), *words, "--topic", topic, "--partitions", str(count), "--seconds", "60"]
    loaded = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(seconds)
        if loaded.poll() is not None:
            raise peers.Broke("the load ended before the broker was killed")
        with client.connect(broker) as connection:
            held = connection.offsets(topic, count)
        broker.kill()
        return held
    finally:
        loaded.kill()
        loaded.wait()


def served_again(broker, topic, count, held):
    """Seconds from the exec until each of so many partitions took another record; what was there before must be there."""
    begin = broker.launch()
    with client.connect(broker) as connection:
        client.write_many(connection, topic, count, client.batch(1, 100), 0.005)
        took = time.monotonic() - begin
        short = [(now, before) for now, before in zip(connection.offsets(topic, count), held) if now < before + 1]
    if short:
        raise peers.Broke(f"{len(short)} partitions lost records behind kill -9: the first ends at {short[0][0] - 1}, it was at {short[0][1]}")
    broker.launched()
    return took


def killed(broker, sizes, load):
    """Many partitions, kill -9 under load, and a start: the time until each of them took a record."""
    count = sizes.partitions
    first_record(broker)
    broker.launched()
    with client.connect(broker) as connection:
        create_many(connection, broker, "many", count)
        client.write_many(connection, "many", count, client.batch(1, 100), 0.02)
    held = kill_under_load(broker, min(sizes.load_s, 5), "many", count, "--scenario", "d")
    with load.window(broker):
        took = served_again(broker, "many", count, held)
    resident = proc.resident_mib(broker.pid)
    return {"killed.served": took, "killed.rss": resident,
            "killed.rest": resident - calls.cached_mib(calls.told(broker))}


def idle(broker, sizes, load):
    """The same load and kill for a few partitions, before and after many others were written and came to rest."""
    seconds = min(sizes.load_s, 3)

    def start():
        held = kill_under_load(broker, seconds, "busy", BUSY_PARTITIONS, "--scenario", "a16", "--rate", "20")
        with load.window(broker):
            return served_again(broker, "busy", BUSY_PARTITIONS, held)

    first_record(broker)
    broker.launched()
    with client.connect(broker) as connection:
        create_many(connection, broker, "busy", BUSY_PARTITIONS)
    few = start()
    with client.connect(broker) as connection:
        create_many(connection, broker, "many", sizes.partitions)
        client.write_many(connection, "many", sizes.partitions, client.batch(1, 100), 0.02)
    broker.stop(clean=True)
    broker.launch()
    with client.connect(broker):
        broker.launched()
    many = start()
    return {"idle.few": few * 1000, "idle.many": many * 1000, "idle.each": (many - few) * 1e6 / sizes.partitions}


def commits(broker, sizes, load):
    """Many committed offsets, then a start: the time from the exec until every group answers again."""
    groups = [f"group-{number}" for number in range(max(1, sizes.commits // COMMIT_PARTITIONS))]
    first_record(broker)
    broker.launched()
    with client.connect(broker) as connection:
        create_many(connection, broker, "committed", COMMIT_PARTITIONS)
        client.insist(lambda: client.find_coordinator(connection, groups[0]), lambda code: code == 0, broker.poll_s)
        begin = time.monotonic()
        for group in groups:
            client.insist(lambda: (client.commit(connection, group, "committed", range(COMMIT_PARTITIONS), 7) or [0])[0],
                          lambda code: code == 0, 0.05)
        wrote = time.monotonic() - begin
    broker.stop(clean=True)
    with load.window(broker):
        begin = broker.launch()
        with client.connect(broker) as connection:
            for group in groups:
                def asked():
                    offsets, code = client.committed(connection, group, "committed", [COMMIT_PARTITIONS - 1])
                    return code or (0 if offsets == [7] else -1)
                client.insist(asked, lambda code: code == 0, 0.005)
            took = time.monotonic() - begin
            for group in groups:
                if client.committed(connection, group, "committed", range(COMMIT_PARTITIONS)) != ([7] * COMMIT_PARTITIONS, 0):
                    raise peers.Broke(f"{group} lost committed offsets")
        broker.launched()
    return {"commits.load": took, "commits.rate": len(groups) * COMMIT_PARTITIONS / 1e3 / wrote,
            "commits.rss": proc.resident_mib(broker.pid)}


def cases():
    yield Case("killed", "kill -9 with {partitions} partitions", [
        Row("killed.served", "kill -9 under load: until each of {partitions} partitions took a record", "s"),
        Row("killed.rss", "  memory then", "MiB"),
        Row("killed.rest", "  memory then, without the records in it", "MiB")], killed)
    yield Case("idle", "kill -9 beside {partitions} idle partitions", [
        Row("idle.few", "kill -9 under load: until each of six partitions took a record", "ms"),
        Row("idle.many", "  the same beside {partitions} idle partitions", "ms"),
        Row("idle.each", "  how much longer, for each idle partition", "us")], idle, rounds=3)
    yield Case("commits", "a start with {commits} committed offsets", [
        Row("commits.load", "{commits} committed offsets loaded after a start", "s"),
        Row("commits.rate", "  committed before", "k/s", True),
        Row("commits.rss", "  memory then", "MiB")], commits, rounds=3, client="bench")

"""A consumer group of many members: what `load` says of it (src/apps/programs/load/group.hpp)."""

import client
import speed
from case import Case, Row


def sample(broker, sizes, load):
    with client.serving(broker) as (_, first_warm_share):
        warm = first_warm_share * sizes.first_warm_s
    with load.window(broker):
        told = speed.run(broker, ("--scenario", "group", "--consumers", str(sizes.members)), sizes.load_s, warm, lambda _: None)
    return {f"group.{name}": told[f"{name}_ms"] for name in ("stable", "joined", "left")}


def case():
    return Case("group", "a group of {members} members", [
        Row("group.stable", "{members} members come at once: until all are assigned", "ms"),
        Row("group.joined", "one more comes: until all are assigned again", "ms"),
        Row("group.left", "one leaves: until all are assigned again", "ms")], sample, stays_up=True,
        settings={"group.initial.rebalance.delay.ms": "0"})

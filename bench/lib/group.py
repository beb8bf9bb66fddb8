"""A consumer group of many members in one process, each with a raw connection of its own and requests that cost little:
how long until all of them have an assignment of the same generation, when they come at once, when one more comes, when
one leaves. Members hear of a rebalance by asking every few milliseconds while there is one, so that the broker is
measured and not the interval of somebody's heartbeats.
"""

import selectors
import socket
import statistics
import struct
import time

import client
from case import Case, Row

wire = client.wire

JOIN, JOIN_VERSION = 11, 3
HEARTBEAT, HEARTBEAT_VERSION = 12, 2
LEAVE, LEAVE_VERSION = 13, 2
SYNC, SYNC_VERSION = 14, 2
REBALANCING = 27
ILLEGAL_GENERATION = 22
SESSION_MS, REBALANCE_MS = 30000, 60000
ASK_S = 0.005  # between the questions of a member whether there is a rebalance
LIMIT_S = 60
METADATA = struct.pack(">hi", 0, 1) + wire.string("group") + struct.pack(">i", -1)  # a subscription to one topic
ASSIGNMENT = struct.pack(">hi", 0, 1) + wire.string("group") + struct.pack(">iii", 1, 0, -1)


def framed(key, version, body):
    head = struct.pack(">hhi", key, version, 0) + wire.string("group")
    return struct.pack(">i", len(head) + len(body)) + head + body


def data(content):
    return struct.pack(">i", len(content)) + content


class Member:
    """Asks for one thing at a time; `asked` says for what."""

    def __init__(self, port, group):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.group, self.id, self.generation = wire.string(group), "", -1
        self.asked, self.settled, self.inbox = None, False, bytearray()

    def send(self, key, version, body):
        self.asked = key
        self.socket.sendall(framed(key, version, self.group + body))

    def join(self):
        self.settled = False
        self.send(JOIN, JOIN_VERSION, struct.pack(">ii", SESSION_MS, REBALANCE_MS) + wire.string(self.id) +
                  wire.string("consumer") + wire.array([wire.string("range") + data(METADATA)]))

    def sync(self, members):
        self.send(SYNC, SYNC_VERSION, struct.pack(">i", self.generation) + wire.string(self.id) +
                  wire.array([wire.string(member) + data(ASSIGNMENT) for member in members]))

    def heartbeat(self):
        self.send(HEARTBEAT, HEARTBEAT_VERSION, struct.pack(">i", self.generation) + wire.string(self.id))

    def leave(self):
        self.settled = False
        self.send(LEAVE, LEAVE_VERSION, wire.string(self.id))

    def hear(self):
        """Reads what has come; a whole answer is acted upon."""
        came = self.socket.recv(1 << 16)
        if not came:
            raise wire.WireError("the broker closed a member's connection")
        self.inbox += came
        if len(self.inbox) < 4 or len(self.inbox) < 4 + struct.unpack_from(">i", self.inbox)[0]:
            return
        answer, asked = wire.Reader(bytes(self.inbox[8:])), self.asked
        self.inbox.clear()
        self.asked = None
        answer.take("i")
        error = answer.take("h")
        if asked == LEAVE and not error:
            return
        if error in (REBALANCING, ILLEGAL_GENERATION) or asked == JOIN and error in client.RETRIABLE:  # it loads the group's partition
            self.join()
        elif error:
            raise wire.WireError(f"a member's request {asked} was answered with error {error}")
        elif asked == JOIN:
            self.joined(answer)
        elif asked == SYNC:
            if answer.raw(answer.take("i")) != ASSIGNMENT:
                raise wire.WireError("a member's assignment is not what the leader said")
            self.settled = True

    def joined(self, answer):
        self.generation = answer.take("i")
        answer.string()
        leader, self.id = answer.string(), answer.string()
        if leader != self.id:
            self.sync([])
            return
        self.sync(answer.array(lambda: (answer.string(), answer.raw(answer.take("i")))[0]))


class Crowd:
    def __init__(self, port, group):
        self.port, self.group, self.members = port, group, []
        self.selector = selectors.DefaultSelector()

    def add(self, count):
        added = [Member(self.port, self.group) for _ in range(count)]
        for member in added:
            self.selector.register(member.socket, selectors.EVENT_READ, member)
        self.members += added
        return added

    def settle(self):
        """Until all are in one generation with their assignments."""
        limit, ask = time.monotonic() + LIMIT_S, 0.0
        while not all(member.settled and member.generation == self.members[0].generation for member in self.members):
            now = time.monotonic()
            if now > limit:
                raise wire.WireError(f"the group was not stable after {LIMIT_S} s")
            if now >= ask:
                for member in self.members:
                    if member.settled and member.asked is None:
                        member.heartbeat()
                ask = now + ASK_S
            for key, _ in self.selector.select(ASK_S):
                key.data.hear()

    def rest(self):
        """Until nobody waits for an answer."""
        while any(member.asked is not None for member in self.members):
            for key, _ in self.selector.select(1):
                key.data.hear()

    def drop(self, member):
        member.leave()
        self.members.remove(member)
        return member

    def close(self):
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


def timed(work):
    begin = time.monotonic()
    work()
    return (time.monotonic() - begin) * 1000


def life(port, group, count):
    """Milliseconds until stable: (all at once, one more, one less)."""
    crowd = Crowd(port, group)
    try:
        added = crowd.add(count)

        def all_at_once():
            for member in added:
                member.join()
            crowd.settle()
        stable = timed(all_at_once)
        crowd.rest()
        more = crowd.add(1)[0]

        def one_more():
            more.join()
            crowd.settle()
        joined = timed(one_more)
        crowd.rest()

        def one_less():
            crowd.drop(more)
            # The others are asked whether they still are in a stable group, until the broker has told them that they are not.
            generation = crowd.members[0].generation
            while crowd.members[0].generation == generation:
                for member in crowd.members:
                    if member.asked is None and member.settled:
                        member.heartbeat()
                for key, _ in crowd.selector.select(ASK_S):
                    key.data.hear()
            crowd.settle()
        left = timed(one_less)
        crowd.rest()
        for member in list(crowd.members):
            crowd.drop(member)
        return stable, joined, left
    finally:
        crowd.close()


LIVES = 5  # of a sample, each with a group of its own


def sample(broker, sizes, load):
    with client.serving(broker) as (connection, first_warm_share):
        client.insist(lambda: client.find_coordinator(connection, "group"), lambda code: code == 0, broker.poll_s)
    end = time.monotonic() + first_warm_share * sizes.first_warm_s
    life(broker.port, f"warm-{time.monotonic_ns()}", sizes.members)
    while time.monotonic() < end:
        life(broker.port, f"warm-{time.monotonic_ns()}", sizes.members)
    with load.window(broker):
        lives = [life(broker.port, f"group-{time.monotonic_ns()}", sizes.members) for _ in range(LIVES)]
    return dict(zip(("group.stable", "group.joined", "group.left"), (statistics.median(found) for found in zip(*lives))))


def case():
    return Case("group", "a group of {members} members", [
        Row("group.stable", "{members} members come at once: until all are assigned", "ms"),
        Row("group.joined", "one more comes: until all are assigned again", "ms"),
        Row("group.left", "one leaves: until all are assigned again", "ms")], sample, stays_up=True,
        settings={"group.initial.rebalance.delay.ms": "0"}, client="bench")

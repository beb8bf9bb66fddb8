"""Apache's console tools, as an operator would call them: each call is a JVM of its own, as the shell
scripts of a distribution start it. Usage: client.py JAVA-COMMAND... (the driver gives java, options, class path).
"""

import atexit
import json
import os
import pathlib
import re
import subprocess
import sys
import time

import wire
from interop import BROKER, PREFIX, NotOffered, expect, settle, step

JAVA = sys.argv[1:]
SCRATCH = pathlib.Path(os.environ["INTEROP_SCRATCH"])
TOPIC, GROUP, COUNT = f"{PREFIX}-topic", f"{PREFIX}-group", 1000
TXN_TOPIC, TXN_ID = f"{PREFIX}-txn-topic", f"{PREFIX}-txn"
TOOLS = {
    "kafka-topics": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-console-producer": "org.apache.kafka.tools.ConsoleProducer",
    "kafka-console-consumer": "org.apache.kafka.tools.consumer.ConsoleConsumer",
    "kafka-get-offsets": "org.apache.kafka.tools.GetOffsetShell",
    "kafka-delete-records": "org.apache.kafka.tools.DeleteRecordsCommand",
    "kafka-log-dirs": "org.apache.kafka.tools.LogDirsCommand",
    "kafka-broker-api-versions": "org.apache.kafka.tools.BrokerApiVersionsCommand",
    "kafka-cluster": "org.apache.kafka.tools.ClusterTool",
    "kafka-metadata-quorum": "org.apache.kafka.tools.MetadataQuorumCommand",
    "kafka-transactions": "org.apache.kafka.tools.TransactionsCommand",
}


def call(tool, *arguments, stdin=None, broker=True):
    """(exit code, everything it wrote)"""
    address = ["--bootstrap-server", BROKER] if broker else []
    archive = SCRATCH / "classes.jsa"  # the first call leaves its classes, the others start from there
    sharing = f"-XX:SharedArchiveFile={archive}" if archive.exists() else f"-XX:ArchiveClassesAtExit={archive}"
    done = subprocess.run([JAVA[0], sharing, "-Xlog:disable", *JAVA[1:], TOOLS[tool], *address, *arguments], input=stdin, capture_output=True, text=True,
                          timeout=180, check=False)
    print(f"$ {tool} {' '.join(arguments)} -> {done.returncode}\n{done.stdout[-1500:]}{done.stderr[-1500:]}", file=sys.stderr)
    return done.returncode, done.stdout + done.stderr


def good(tool, *arguments, stdin=None, broker=True):
    code, output = call(tool, *arguments, stdin=stdin, broker=broker)
    expect(code == 0, f"{tool} {' '.join(arguments[:2])} ended with {code}: {output.strip()[-300:]}")
    return output


def topics_create():
    output = good("kafka-topics", "--create", "--topic", TOPIC, "--partitions", "3", "--replication-factor", "1",
                  "--config", "max.message.bytes=200000")
    expect(f"Created topic {TOPIC}" in output, output)
    code, output = call("kafka-topics", "--create", "--topic", TOPIC)
    expect(code == 1 and "already exists" in output, f"a second create ended with {code}: {output[-200:]}")
    good("kafka-topics", "--create", "--if-not-exists", "--topic", TOPIC)
    return "created; refused the second time"


def topics_list():
    expect(TOPIC in good("kafka-topics", "--list").split(), "the topic is not listed")
    return "listed"


def topics_describe():
    output = good("kafka-topics", "--describe", "--topic", TOPIC)
    expect("PartitionCount: 3" in output and "max.message.bytes=200000" in output, output)
    expect(len(re.findall(r"Leader: \d+", output)) == 3 and "TopicId: " in output, output)
    return re.search(r"TopicId: \S+", output)[0]


def topics_alter():
    good("kafka-topics", "--alter", "--topic", TOPIC, "--partitions", "6")
    settle()
    expect("PartitionCount: 6" in good("kafka-topics", "--describe", "--topic", TOPIC), "there are not six partitions")
    code, output = call("kafka-topics", "--alter", "--topic", TOPIC, "--partitions", "2")
    expect(code == 1 and "Error" in output, f"fewer partitions ended with {code}: {output[-200:]}")
    return "3 to 6; fewer refused"


def console_producer():
    lines = "".join(f"k{i}:value {i}\n" for i in range(COUNT))
    good("kafka-console-producer", "--topic", TOPIC, "--compression-codec", "zstd", "--reader-property", "parse.key=true",
         "--reader-property", "key.separator=:", stdin=lines)
    return f"{COUNT} records, zstd"


def console_consumer():
    output = good("kafka-console-consumer", "--topic", TOPIC, "--from-beginning", "--group", GROUP, "--max-messages", str(COUNT),
                  "--timeout-ms", "60000", "--formatter-property", "print.key=true", "--formatter-property", "key.separator=:")
    found = sorted(line for line in output.splitlines() if re.fullmatch(r"k\d+:value \d+", line))
    expect(found == sorted(f"k{i}:value {i}" for i in range(COUNT)), f"{len(found)} right lines of {COUNT}")
    return f"{COUNT} records in a group"


def ends(*time):
    output = good("kafka-get-offsets", "--topic", TOPIC, *time)
    return [int(line.rsplit(":", 1)[1]) for line in output.split() if line.startswith(TOPIC + ":")]


def get_offsets():
    latest, earliest, first = ends(), ends("--time", "earliest"), ends("--time", "1")
    expect(len(latest) == 6 and sum(latest) == COUNT, f"latest {latest}")
    expect(earliest == [0] * 6 and first == [0] * 6, f"earliest {earliest}, first by time {first}")
    newest = ends("--time", "max-timestamp")
    expect(len(newest) == 6, f"max-timestamp {newest}")
    return f"latest {latest}"


def groups_list():
    expect(GROUP in good("kafka-consumer-groups", "--list").split(), "the group is not listed")
    output = good("kafka-consumer-groups", "--list", "--state")
    expect(re.search(rf"{GROUP}\s.*Empty", output), output)
    return "listed as Empty"


def lag():
    output = good("kafka-consumer-groups", "--describe", "--group", GROUP)
    rows = [line.split() for line in output.splitlines() if line.startswith(GROUP)]
    expect(len(rows) == 6, output)
    return sum(int(row[5]) for row in rows)


def groups_describe():
    expect(lag() == 0, "there is lag")
    state = good("kafka-consumer-groups", "--describe", "--group", GROUP, "--state")
    expect("Empty" in state, state)
    return "lag 0, Empty"


def groups_reset():
    output = good("kafka-consumer-groups", "--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--to-earliest", "--dry-run")
    expect(lag() == 0 and TOPIC in output, "a dry run has changed something")
    good("kafka-consumer-groups", "--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--to-earliest", "--execute")
    expect(lag() == COUNT, "the lag is not everything")
    good("kafka-consumer-groups", "--reset-offsets", "--group", GROUP, "--topic", TOPIC, "--shift-by", "10", "--execute")
    expect(lag() == COUNT - 60, "the shift has not taken place")
    return "to-earliest, shift-by"


def groups_delete():
    good("kafka-consumer-groups", "--delete-offsets", "--group", GROUP, "--topic", f"{TOPIC}:0")
    good("kafka-consumer-groups", "--delete", "--group", GROUP)
    expect(GROUP not in good("kafka-consumer-groups", "--list").split(), "the group is still listed")
    return "offsets of a partition, then the group"


def configs_topic():
    entity = ["--entity-type", "topics", "--entity-name", TOPIC]
    good("kafka-configs", *entity, "--alter", "--add-config", "retention.ms=86400001,cleanup.policy=[compact,delete]")
    settle()
    output = good("kafka-configs", *entity, "--describe")
    expect("retention.ms=86400001" in output and "cleanup.policy=compact,delete" in output, output)
    good("kafka-configs", *entity, "--alter", "--delete-config", "retention.ms,cleanup.policy")
    settle()
    expect("retention.ms=86400001" not in good("kafka-configs", *entity, "--describe"), "the key is still there")
    code, output = call("kafka-configs", *entity, "--alter", "--add-config", "retention.ms=soon")
    expect(code != 0, "a wrong value was taken")
    return "set, described, deleted, a wrong value refused"


def configs_broker():
    node = re.search(r"\(id: (\d+) rack", good("kafka-broker-api-versions"))[1]
    output = good("kafka-configs", "--entity-type", "brokers", "--entity-name", node, "--describe", "--all")
    expect("log.retention.hours" in output or "log.retention.ms" in output, output[-300:])
    good("kafka-configs", "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=99999999")
    settle()
    expect("log.retention.ms=99999999" in good("kafka-configs", "--entity-type", "brokers", "--entity-default", "--describe"), "not set")
    good("kafka-configs", "--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.retention.ms")
    return f"broker {node}; cluster default set and deleted"


def need(*keys):
    with wire.Connection(BROKER) as connection:
        missing = [key for key in keys if key not in connection.api_versions()]
    if missing:
        raise NotOffered(f"API keys {missing}")


def configs_quota():
    need(48, 49)
    entity = ["--entity-type", "clients", "--entity-name", "somebody"]
    good("kafka-configs", *entity, "--alter", "--add-config", "producer_byte_rate=1048576")
    settle()
    expect("producer_byte_rate=1048576" in good("kafka-configs", *entity, "--describe"), "the quota is not there")
    good("kafka-configs", *entity, "--alter", "--delete-config", "producer_byte_rate")
    return "client quota set, described, deleted"


def configs_scram():
    need(50, 51)
    entity = ["--entity-type", "users", "--entity-name", "alice"]
    good("kafka-configs", *entity, "--alter", "--add-config", "SCRAM-SHA-256=[iterations=4096,password=secret]")
    settle()
    expect("SCRAM-SHA-256=iterations=4096" in good("kafka-configs", *entity, "--describe"), "the user is not there")
    good("kafka-configs", *entity, "--alter", "--delete-config", "SCRAM-SHA-256")
    return "SCRAM user set, described, deleted"


def delete_records():
    request = SCRATCH / "delete.json"
    request.write_text(json.dumps({"version": 1, "partitions": [{"topic": TOPIC, "partition": 0, "offset": 50}]}))
    output = good("kafka-delete-records", "--offset-json-file", str(request))
    expect("low_watermark: 50" in output, output)
    expect(ends("--time", "earliest")[0] == 50, "the start did not move")
    return "start of partition 0 is 50"


def log_dirs():
    output = good("kafka-log-dirs", "--describe", "--topic-list", TOPIC)
    found = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
    partitions = [p for b in found["brokers"] for d in b["logDirs"] for p in d["partitions"] if p["partition"].startswith(TOPIC)]
    expect(len(partitions) == 6 and all(p["size"] >= 0 for p in partitions) and sum(p["size"] for p in partitions) > 0, output)
    return f"{sum(p['size'] for p in partitions)} bytes in 6 partitions"


def broker_api_versions():
    output = good("kafka-broker-api-versions")
    expect("Produce(0): " in output and "[usable: " in output, output[-300:])
    unusable = re.findall(r"(\w+)\(\d+\): [^\[,]*\[unusable", output)
    return f"{len(re.findall('usable: ', output))} usable"  + (f", unusable: {unusable}" if unusable else "")


def cluster():
    output = good("kafka-cluster", "cluster-id", "--bootstrap-server", BROKER, broker=False)
    expect(re.search(r"Cluster ID: \S+", output), output)
    endpoints = good("kafka-cluster", "list-endpoints", "--bootstrap-server", BROKER, broker=False)
    expect(BROKER.rsplit(":", 1)[1] in endpoints, endpoints)
    return re.search(r"Cluster ID: \S+", output)[0]


def quorum():
    need(55)
    output = good("kafka-metadata-quorum", "describe", "--status")
    leader, high = re.search(r"LeaderId:\s+(\d+)", output)[1], int(re.search(r"HighWatermark:\s+(\d+)", output)[1])
    expect(high > 0 and re.search(rf"CurrentVoters:.*\b{leader}\b", output), output)
    return f"leader {leader}"


def table(first, *arguments):
    """The rows that kafka-transactions prints below the header that begins with `first`."""
    lines = [line.split() for line in good("kafka-transactions", *arguments).splitlines() if line.strip()]
    at = next(number for number, words in enumerate(lines) if words[0] == first)
    return [dict(zip(lines[at], words)) for words in lines[at + 1:]]


def state_of_transaction(*wanted):
    """The row of the transaction in the list, when it has come to one of these states."""
    for _ in range(60):
        row = next((row for row in table("TransactionalId", "list") if row["TransactionalId"] == TXN_ID), None)
        if row and row["TransactionState"] in wanted:
            return row
        time.sleep(0.5)
    raise AssertionError(f"the transaction is {row}, not {wanted}")


def producers():
    return table("ProducerId", "describe-producers", "--topic", TXN_TOPIC, "--partition", "0")


def transactions_list():
    global writer  # the other steps about transactions look at what it does, and end it
    good("kafka-topics", "--create", "--topic", TXN_TOPIC, "--partitions", "1", "--replication-factor", "1")
    settle()
    # One transaction that goes on until its producer is killed.
    writer = subprocess.Popen(
        [*JAVA, "org.apache.kafka.tools.ProducerPerformance", "--topic", TXN_TOPIC, "--num-records", "1000000", "--record-size", "10",
         "--throughput", "20", "--transactional-id", TXN_ID, "--transaction-duration-ms", "3600000", "--producer-props",
         f"bootstrap.servers={BROKER}", "transaction.timeout.ms=600000"], stdout=sys.stderr, stderr=sys.stderr)
    atexit.register(writer.kill)
    row = state_of_transaction("Ongoing")
    expect(int(row["ProducerId"]) >= 0, row)
    none = table("TransactionalId", "list", "--duration-filter", "3600000")
    expect(all(row["TransactionalId"] != TXN_ID for row in none), f"longer than an hour: {none}")
    return "one is ongoing"


def transactions_describe():
    row = table("CoordinatorId", "describe", "--transactional-id", TXN_ID)[0]
    expect(row["TransactionState"] == "Ongoing" and row["TransactionTimeoutMs"] == "600000", row)
    expect(row["TopicPartitions"] == f"{TXN_TOPIC}-0" and 0 <= int(row["TransactionDurationMs"]) < 600000, row)
    mine = producers()
    expect(len(mine) == 1 and mine[0]["ProducerId"] == row["ProducerId"] and mine[0]["ProducerEpoch"] == row["ProducerEpoch"], mine)
    expect(mine[0]["CurrentTransactionStartOffset"] == "0" and int(mine[0]["LastSequence"]) >= 0, mine)
    # The coordinator knows of it, so that it does not hang, however old it is.
    hanging = table("Topic", "find-hanging", "--topic", TXN_TOPIC, "--max-transaction-timeout", "0")
    expect(not hanging, f"hanging: {hanging}")
    return "described, with its producer; does not hang"


def transactions_abort():
    writer.kill()
    writer.wait()
    code, output = call("kafka-transactions", "abort", "--topic", TXN_TOPIC, "--partition", "0", "--start-offset", "1")
    expect(code == 1 and "Could not find any open transactions starting at offset 1" in output, output)
    good("kafka-transactions", "abort", "--topic", TXN_TOPIC, "--partition", "0", "--start-offset", "0")
    settle()
    expect([row["CurrentTransactionStartOffset"] for row in producers()] == ["None"], "the producer has a transaction still")
    with wire.Connection(BROKER) as connection:
        end, stable = (connection.offsets(TXN_TOPIC, 1, isolation=isolation)[0] for isolation in (0, 1))
        expect(stable == end > 1, f"stable up to {stable} of {end}")
        aborted = connection.fetch_committed(TXN_TOPIC, 0, 0)[1]
        expect([first for _, first in aborted] == [0], f"aborted: {aborted}")
    good("kafka-transactions", "forceTerminateTransaction", "--transactionalId", TXN_ID)
    # It initializes the id as a new producer would, which ends the transaction.
    state_of_transaction("Empty")
    good("kafka-topics", "--delete", "--topic", TXN_TOPIC)
    return "in the partition by hand, then by its coordinator"


def topics_delete():
    good("kafka-topics", "--delete", "--topic", TOPIC)
    settle()
    expect(TOPIC not in good("kafka-topics", "--list").split(), "the topic is still listed")
    code, _ = call("kafka-topics", "--describe", "--topic", TOPIC)
    expect(code != 0, "a deleted topic is described")
    return "deleted"


for work in (topics_create, topics_list, topics_describe, topics_alter, console_producer, console_consumer, get_offsets,
             groups_list, groups_describe, groups_reset, groups_delete, configs_topic, configs_broker, configs_quota,
             configs_scram, delete_records, log_dirs, broker_api_versions, cluster, quorum,
             transactions_list, transactions_describe, transactions_abort, topics_delete):
    step(work.__name__.replace("_", ".", 1) if work.__name__.split("_")[0] in ("topics", "groups", "configs", "transactions")
         else work.__name__.replace("_", "-"), work)

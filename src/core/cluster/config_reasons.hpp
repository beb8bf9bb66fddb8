// Why some of Kafka's keys change nothing here, or are refused: one sentence each, for logs and for the list
// of keys.
#pragma once

#include <string_view>

namespace tailwater::cluster {

inline constexpr std::string_view kLocal = "the broker asks its own coordinator without the network";
inline constexpr std::string_view kThreads =
    "a shard is one thread; tailwater.shards says how many there are";
inline constexpr std::string_view kNoJvm =
    "there is no Java virtual machine here; metrics are served over HTTP";
inline constexpr std::string_view kNoClasses =
    "there is no Java virtual machine here, so no class can be loaded";
inline constexpr std::string_view kNoKraft =
    "there is no KRaft quorum here; brokers agree through ZooKeeper, and a single broker needs nobody";
inline constexpr std::string_view kRoles =
    "every process is a broker, and one of the brokers is the controller";
inline constexpr std::string_view kNoTiers = "there is no tiered storage here";
inline constexpr std::string_view kNotMeasured = "this rate is not measured here";
inline constexpr std::string_view kNotThrottled = "replication is not throttled here";
inline constexpr std::string_view kNotMoved = "partitions are not moved between log directories here";
inline constexpr std::string_view kPaced =
    "compaction takes less of the disk while the journal gets slower by it";
inline constexpr std::string_view kNoTokens = "there are no delegation tokens here";
inline constexpr std::string_view kNoPurgatory = "a waiting request is forgotten at once when it is answered";
inline constexpr std::string_view kNoShareGroups = "share groups are not served";
inline constexpr std::string_view kNoStreamsGroups =
    "streams groups are not served; Kafka Streams works with the classic protocol";
inline constexpr std::string_view kJournal = "the journal gathers writes by itself, without waiting";
inline constexpr std::string_view kJournalState =
    "a start reads the journal and its manifest, not how far each log was flushed";
inline constexpr std::string_view kPreallocates = "space is always reserved ahead";
inline constexpr std::string_view kMemory = "one budget rules all memory; see tailwater.memory.bytes";
inline constexpr std::string_view kMap = "the map of keys is filled as far as its memory goes";
inline constexpr std::string_view kPlain = "records of this topic are not compressed";
inline constexpr std::string_view kNoKerberos = "Kerberos is not served";
inline constexpr std::string_view kNoTokenClient = "brokers do not use tokens among themselves";
inline constexpr std::string_view kNoRules = "access rules are not enforced yet, everybody may do everything";
inline constexpr std::string_view kNoOauth = "the mechanism OAUTHBEARER is not served yet";
inline constexpr std::string_view kNoSasl = "SASL is not served yet; a listener that asks for it is refused";
inline constexpr std::string_view kNoTls = "TLS is not served yet; a listener that asks for it is refused";
inline constexpr std::string_view kNoQuotas = "clients are not held to quotas yet";
inline constexpr std::string_view kNoCluster = "brokers do not work together yet; each is by itself";
inline constexpr std::string_view kNoConsumerProtocol =
    "the consumer protocol is not served yet; groups work with the classic one";
inline constexpr std::string_view kSystemBuffers =
    "the system makes the buffers of a connection as large as what it carries asks for";
inline constexpr std::string_view kCommits =
    "a commit is answered when it is on the disk, however long that takes";
inline constexpr std::string_view kNoTelemetry = "clients are not asked for their metrics";
inline constexpr std::string_view kNoTwoPhase = "transactions of outside coordinators are not served";
inline constexpr std::string_view kFormerKafka = "Kafka 4 has no such setting any more";
inline constexpr std::string_view kFormerTimestamps =
    "Kafka 4 has message.timestamp.before.max.ms and message.timestamp.after.max.ms instead";
inline constexpr std::string_view kZookeeperClient = "it belongs to the Java client of ZooKeeper";
inline constexpr std::string_view kZookeeperTls = "the connection to ZooKeeper has no TLS yet; use a tunnel";

}  // namespace tailwater::cluster

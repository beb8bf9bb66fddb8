// Goal: our checks accept and refuse exactly what Apache Kafka 4.4.0 does. Method: its own definitions were
// asked about 55 texts for each of its keys; keys with equal answers stand together. A row's letters say
// accepted (+) or refused (-) in the order of kTexts. Keys that Tailwater refuses to change, and addresses of
// a KRaft quorum, are left out.
#include <gtest/gtest.h>

#include "core/cluster/config_keys.hpp"

namespace tailwater::cluster {
namespace {

constexpr std::string_view kTexts[] = {"",
                                       "-1",
                                       "0",
                                       "1",
                                       "2",
                                       "5",
                                       "9",
                                       "10",
                                       "17",
                                       "18",
                                       "22",
                                       "23",
                                       "100",
                                       "2147483647",
                                       "2147483648",
                                       "-2147483648",
                                       "-131072",
                                       "-131073",
                                       "1048575",
                                       "1048576",
                                       "9223372036854775807",
                                       "9223372036854775808",
                                       "abc",
                                       "true",
                                       "TRUE",
                                       "False",
                                       "0.5",
                                       "1.5",
                                       "1e-3",
                                       " 5 ",
                                       "+5",
                                       "+-5",
                                       "compact",
                                       "delete",
                                       "compact,delete",
                                       "delete,delete",
                                       "compact, x",
                                       "gzip",
                                       "producer",
                                       "lz4",
                                       "CreateTime",
                                       "createtime",
                                       "LogAppendTime",
                                       "1:2",
                                       "*",
                                       "1:2,3:4",
                                       "1:x",
                                       "-2",
                                       "-3",
                                       "upgrade",
                                       "BIDIRECTIONAL",
                                       "none",
                                       "required",
                                       "PLAINTEXT",
                                       "classic,consumer"};

struct Row {
  std::string_view answers;
  std::string_view topic_keys;
  std::string_view broker_keys;
};

constexpr Row kRows[] = {
    {"+-------------------------------+++--------------------", "cleanup.policy", "log.cleanup.policy"},
    {"-+-++++----------------------++------------------------", "compression.gzip.level",
     "compression.gzip.level"},
    {"---++++++--------------------++------------------------", "compression.lz4.level",
     "compression.lz4.level"},
    {"-------------------------------------+++---------------", "compression.type", "compression.type"},
    {"-++++++++++-----+------------++----------------++------", "compression.zstd.level",
     "compression.zstd.level"},
    {"--+++++++++++++---+++--------++------------------------",
     "delete.retention.ms,file.delete.delay.ms,flush.ms,message.timestamp.after.max.ms,message.timestamp."
     "before.max.ms,min.compaction.lag.ms,segment.jitter.ms",
     "log.cleaner.backoff.ms,log.cleaner.delete.retention.ms,log.cleaner.min.compaction.lag.ms,log.message."
     "timestamp.after.max.ms,log.message.timestamp.before.max.ms,log.segment.delete.delay.ms,metadata.log."
     "max.snapshot.interval.ms"},
    {"---++++++++++++---+++--------++------------------------",
     "flush.messages,max.compaction.lag.ms,segment.ms",
     "delegation.token.expiry.check.interval.ms,delegation.token.expiry.time.ms,delegation.token.max."
     "lifetime.ms,leader.imbalance.check.interval.seconds,log.cleaner.max.compaction.lag.ms,log.dir.failure."
     "timeout.ms,log.flush.interval.messages,log.retention.check.interval.ms,metadata.log.max.record.bytes."
     "between.snapshots,metrics.sample.window.ms,offsets.retention.check.interval.ms,remote.list.offsets."
     "request.timeout.ms,remote.log.index.file.cache.total.size.bytes,remote.log.manager.copy.max.bytes.per."
     "second,remote.log.manager.fetch.max.bytes.per.second,remote.log.manager.task.interval.ms"},
    {"+------------------------------------------+++---------",
     "follower.replication.throttled.replicas,leader.replication.throttled.replicas", ""},
    {"--++++++++++++----++---------++------------------------", "index.interval.bytes,max.message.bytes",
     "add.partitions.to.txn.retry.backoff.max.ms,connection.failed.authentication.delay.ms,controller.quorum."
     "append.linger.ms,controller.quorum.election.backoff.max.ms,controller.quorum.election.timeout.ms,"
     "controller.quorum.fetch.timeout.ms,controller.quorum.request.timeout.ms,controller.quorum.retry."
     "backoff.ms,group.consumer.assignment.interval.ms,group.consumer.max.assignment.interval.ms,group."
     "consumer.min.assignment.interval.ms,group.share.assignment.interval.ms,group.share.max.assignment."
     "interval.ms,group.share.min.assignment.interval.ms,group.streams.assignment.interval.ms,group.streams."
     "initial.rebalance.delay.ms,group.streams.max.assignment.interval.ms,group.streams.max.standby.replicas,"
     "group.streams.min.assignment.interval.ms,group.streams.num.standby.replicas,log.cleaner.io.buffer.size,"
     "log.cleaner.threads,log.flush.offset.checkpoint.interval.ms,log.flush.start.offset.checkpoint.interval."
     "ms,log.index.interval.bytes,log.roll.jitter.hours,max.connection.creation.rate,max.connections,max."
     "connections.per.ip,max.incremental.fetch.session.cache.slots,message.max.bytes,metadata.max.idle."
     "interval.ms,node.id,remote.log.metadata.custom.metadata.max.bytes,replica.fetch.backoff.ms,replica."
     "fetch.max.bytes,replica.fetch.response.max.bytes"},
    {"-++++++++++++++---+++--------++----------------+-------", "local.retention.bytes,local.retention.ms",
     "log.local.retention.bytes,log.local.retention.ms"},
    {"----------------------------------------+-+------------", "message.timestamp.type",
     "log.message.timestamp.type"},
    {"--++----------------------+-+--------------------------", "min.cleanable.dirty.ratio",
     "log.cleaner.min.cleanable.ratio"},
    {"---+++++++++++----++---------++------------------------", "min.insync.replicas",
     "add.partitions.to.txn.retry.backoff.ms,alter.log.dirs.replication.quota.window.num,alter.log.dirs."
     "replication.quota.window.size.seconds,background.threads,controller.quorum.fetch.max.bytes,controller."
     "quorum.fetch.snapshot.max.bytes,controller.quota.window.num,controller.quota.window.size.seconds,group."
     "consumer.heartbeat.interval.ms,group.consumer.max.heartbeat.interval.ms,group.consumer.max.session."
     "timeout.ms,group.consumer.max.size,group.consumer.min.heartbeat.interval.ms,group.consumer.min.session."
     "timeout.ms,group.consumer.session.timeout.ms,group.coordinator.background.threads,group.coordinator."
     "threads,group.max.size,group.share.heartbeat.interval.ms,group.share.max.heartbeat.interval.ms,group."
     "share.max.session.timeout.ms,group.share.max.share.sessions,group.share.min.heartbeat.interval.ms,"
     "group.share.min.session.timeout.ms,group.share.session.timeout.ms,group.streams.heartbeat.interval.ms,"
     "group.streams.max.heartbeat.interval.ms,group.streams.max.session.timeout.ms,group.streams.max.size,"
     "group.streams.min.heartbeat.interval.ms,group.streams.min.session.timeout.ms,group.streams.session."
     "timeout.ms,kafka.metrics.polling.interval.secs,log.roll.hours,max.request.partition.size.limit,metrics."
     "num.samples,min.insync.replicas,num.io.threads,num.network.threads,num.partitions,num.recovery.threads."
     "per.data.dir,num.replica.fetchers,offsets.commit.timeout.ms,offsets.load.buffer.size,offsets.retention."
     "minutes,offsets.topic.num.partitions,offsets.topic.segment.bytes,producer.id.expiration.ms,queued.max."
     "requests,quota.window.num,quota.window.size.seconds,remote.fetch.max.wait.ms,remote.log.manager.copier."
     "thread.pool.size,remote.log.manager.copy.quota.window.num,remote.log.manager.copy.quota.window.size."
     "seconds,remote.log.manager.expiration.thread.pool.size,remote.log.manager.fetch.quota.window.num,"
     "remote.log.manager.fetch.quota.window.size.seconds,remote.log.manager.follower.thread.pool.size,remote."
     "log.manager.thread.pool.size,remote.log.reader.max.pending.tasks,remote.log.reader.threads,replication."
     "quota.window.num,replication.quota.window.size.seconds,share.coordinator.load.buffer.size,share."
     "coordinator.state.topic.num.partitions,share.coordinator.state.topic.segment.bytes,share.coordinator."
     "threads,share.coordinator.write.timeout.ms,socket.listen.backlog.size,socket.request.max.bytes,"
     "telemetry.max.bytes,transaction.abort.timed.out.transaction.cleanup.interval.ms,transaction.max."
     "timeout.ms,transaction.remove.expired.transaction.cleanup.interval.ms,transaction.state.log.load."
     "buffer.size,transaction.state.log.min.isr,transaction.state.log.num.partitions,transaction.state.log."
     "segment.bytes,transactional.id.expiration.ms"},
    {"-----------------------+++-----------------------------",
     "preallocate,remote.log.copy.disable,remote.log.delete.on.disable,unclean.leader.election.enable",
     "auto.create.topics.enable,auto.leader.rebalance.enable,controlled.shutdown.enable,controller.quorum."
     "auto.join.enable,delete.topic.enable,follower.fetch.last.tiered.offset.enable,log.cleaner.enable,log."
     "preallocate,sasl.oauthbearer.assertion.claim.jti.include,ssl.allow.dn.changes,ssl.allow.san.changes,"
     "transaction.partition.verification.enable,unclean.leader.election.enable"},
    {"-++++++++++++++++++++--------++----------------++------", "retention.bytes",
     "connections.max.idle.ms,connections.max.reauth.ms,log.cleaner.dedupe.buffer.size,log.flush.interval.ms,"
     "log.flush.scheduler.interval.ms,log.retention.bytes,log.retention.ms,log.roll.jitter.ms,log.roll.ms,"
     "metadata.log.segment.ms,metadata.max.retention.bytes,metadata.max.retention.ms,queued.max.request."
     "bytes,replica.high.watermark.checkpoint.interval.ms,replica.lag.time.max.ms,sasl.kerberos.min.time."
     "before.relogin,sasl.login.retry.backoff.max.ms,sasl.login.retry.backoff.ms,sasl.oauthbearer.jwks."
     "endpoint.refresh.ms,sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms,sasl.oauthbearer.jwks.endpoint."
     "retry.backoff.ms,socket.connection.setup.timeout.max.ms,socket.connection.setup.timeout.ms"},
    {"-++++++++++++++---+++--------++------------------------", "retention.ms", ""},
    {"-------------+-----+-----------------------------------", "segment.bytes", "log.segment.bytes"},
    {"-----+++++++++----++---------++------------------------", "segment.index.bytes",
     "log.index.size.max.bytes"},
    {"-++++++++++++++++++++++++++++++++++-+++++++++++++++++++", "",
     "advertised.listeners,controller.listener.names,group.consumer.assignors,group.share.assignors,"
     "listeners,log.dir,log.dirs"},
    {"+++++++++++++++++++++++++++++++++++++++++++++++++++++++", "",
     "broker.rack,delegation.token.secret.key,inter.broker.listener.name,listener."
     "security.protocol.map,max.connections.per.ip.overrides,metadata.log.dir,metrics.recording.level,remote."
     "log.metadata.manager.class.path,remote.log.storage.manager.class.path,sasl.jaas.config,sasl.kerberos."
     "kinit.cmd,sasl.kerberos.service.name,sasl.mechanism.controller.protocol,sasl.mechanism.inter.broker."
     "protocol,sasl.oauthbearer.assertion.claim.aud,sasl.oauthbearer.assertion.claim.iss,sasl.oauthbearer."
     "assertion.claim.sub,sasl.oauthbearer.assertion.file,sasl.oauthbearer.assertion.private.key.file,sasl."
     "oauthbearer.assertion.private.key.passphrase,sasl.oauthbearer.assertion.template.file,sasl.oauthbearer."
     "client.credentials.client.id,sasl.oauthbearer.client.credentials.client.secret,sasl.oauthbearer."
     "expected.issuer,sasl.oauthbearer.jwks.endpoint.url,sasl.oauthbearer.scope,sasl.oauthbearer.scope.claim."
     "name,sasl.oauthbearer.sub.claim.name,sasl.oauthbearer.token.endpoint.url,ssl.endpoint.identification."
     "algorithm,ssl.key.password,ssl.keymanager.algorithm,ssl.keystore.certificate.chain,ssl.keystore.key,"
     "ssl.keystore.location,ssl.keystore.password,ssl.keystore.type,ssl.principal.mapping.rules,ssl.protocol,"
     "ssl.provider,ssl.secure.random.implementation,ssl.trustmanager.algorithm,ssl.truststore.certificates,"
     "ssl.truststore.location,ssl.truststore.password,ssl.truststore.type"},
    {"-+++++++++++++-+++++---------++----------------++------", "",
     "broker.heartbeat.interval.ms,broker.id,broker.session.timeout.ms,controller.socket.timeout.ms,default."
     "replication.factor,delete.records.purgatory.purge.interval.requests,fetch.purgatory.purge.interval."
     "requests,group.initial.rebalance.delay.ms,group.max.session.timeout.ms,group.min.session.timeout.ms,"
     "initial.broker.registration.timeout.ms,log.retention.hours,log.retention.minutes,num.replica.alter.log."
     "dirs.threads,offset.metadata.max.bytes,offsets.topic.compression.codec,producer.purgatory.purge."
     "interval.requests,replica.fetch.min.bytes,replica.fetch.wait.max.ms,replica.socket.receive.buffer."
     "bytes,replica.socket.timeout.ms,request.timeout.ms,sasl.login.connect.timeout.ms,sasl.login.read."
     "timeout.ms,sasl.oauthbearer.clock.skew.seconds,sasl.server.max.receive.size,share.coordinator.state."
     "topic.compression.codec,share.fetch.purgatory.purge.interval.requests,socket.receive.buffer.bytes,"
     "socket.send.buffer.bytes"},
    {"+++++++++++++++++++++++++++++++++++-+++++++++++++++++++", "",
     "cordoned.log.dirs,early.start.listeners,kafka.metrics.reporters,metric.reporters,sasl.enabled."
     "mechanisms,sasl.kerberos.principal.to.local.rules,sasl.oauthbearer.expected.audience,ssl.cipher.suites,"
     "ssl.enabled.protocols"},
    {"-------------+----++-----------------------------------", "",
     "fetch.max.bytes,group.coordinator.cached.buffer.max.bytes,share.coordinator.cached.buffer.max.bytes"},
    {"-------------------------------------------------++----", "", "group.consumer.migration.policy"},
    {"-+++++++++++++----++---------++------------------------", "",
     "group.coordinator.append.linger.ms,share.coordinator.append.linger.ms"},
    {"------------------------------------------------------+", "", "group.coordinator.rebalance.protocols"},
    {"----++++---------------------++------------------------", "", "group.share.delivery.count.limit"},
    {"-----+++++++-----------------++------------------------", "", "group.share.max.delivery.count.limit"},
    {"-------------------------------------------------------", "",
     "group.share.max.partition.max.record.locks,group.share.min.record.lock.duration.ms,process.roles,sasl."
     "oauthbearer.assertion.algorithm"},
    {"------------------++-----------------------------------", "",
     "group.share.max.record.lock.duration.ms,group.share.record.lock.duration.ms"},
    {"---++++++++++----------------++------------------------", "",
     "group.share.max.size,offsets.topic.replication.factor,share.coordinator.state.topic.min.isr,share."
     "coordinator.state.topic.replication.factor,transaction.state.log.replication.factor"},
    {"----++-----------------------++------------------------", "", "group.share.min.delivery.count.limit"},
    {"------------+------------------------------------------", "",
     "group.share.min.partition.max.record.locks,group.share.partition.max.record.locks"},
    {"-+++++++++++++++++++++----+++++----------------++------", "",
     "log.cleaner.io.buffer.load.factor,log.cleaner.io.max.bytes.per.second,sasl.kerberos.ticket.renew."
     "jitter,sasl.kerberos.ticket.renew.window.factor,sasl.login.refresh.window.factor,sasl.login.refresh."
     "window.jitter"},
    {"-------------+-----------------------------------------", "", "metadata.log.segment.bytes"},
    {"-++++++++++++++++++++++++++++++++++++++++++++++++++++++", "",
     "remote.log.metadata.manager.class.name,remote.log.metadata.manager.impl.prefix,remote.log.metadata."
     "manager.listener.name,remote.log.storage.manager.class.name,remote.log.storage.manager.impl.prefix"},
    {"-++++++++++++----------------++----------------++------", "",
     "sasl.login.refresh.buffer.seconds,sasl.login.refresh.min.period.seconds"},
    {"--+++++++++++----------------++------------------------", "",
     "sasl.oauthbearer.assertion.claim.exp.seconds,sasl.oauthbearer.assertion.claim.nbf.seconds,share."
     "coordinator.snapshot.update.records.per.snapshot"},
    {"-----------------------------------------------------+-", "", "security.inter.broker.protocol"},
    {"---------------------------------------------------++--", "", "ssl.client.auth"},
};

void compare(const ConfigKey* key, const std::string& name, std::string_view answers) {
  ASSERT_NE(key, nullptr) << name;
  for (std::size_t at = 0; at < std::size(kTexts); ++at) {
    EXPECT_EQ(check_value(*key, kTexts[at]).has_value(), answers[at] == '+')
        << name << " = '" << kTexts[at] << "'";
  }
}

TEST(ConfigKeysAgainstKafka, AcceptTheSameTexts) {
  std::size_t compared = 0;
  for (const Row& row : kRows) {
    ASSERT_EQ(row.answers.size(), std::size(kTexts));
    for (const std::string& name : parse_list(row.topic_keys))
      compare(find_topic_key(name), name, row.answers);
    for (const std::string& name : parse_list(row.broker_keys))
      compare(find_broker_key(name), name, row.answers);
    compared += parse_list(row.topic_keys).size() + parse_list(row.broker_keys).size();
  }
  EXPECT_GT(compared, 350u);
}

}  // namespace
}  // namespace tailwater::cluster

package tailwater.suites;

import java.lang.reflect.Method;
import java.util.stream.Collectors;
import kafka.server.KafkaConfig;
import org.apache.kafka.common.message.UpdateMetadataRequestData.UpdateMetadataPartitionState;
import org.apache.kafka.raft.LogOffsetMetadata;

final class Versions {
    static final String LOG = "kafka.log.UnifiedLog";

    static Object metadata(String address, Method question, Object[] words, KafkaConfig config) throws Exception {
        switch (question.getName()) {
            case "numPartitions": {
                var found = StandIn.describe(address, (String) words[0]);
                return found == null ? scala.Option.empty() : scala.Option.apply(found.partitions().size());
            }
            case "contains":
                if (!(words[0] instanceof String)) return StandIn.NO;
                return StandIn.describe(address, (String) words[0]) != null;
            case "getPartitionInfo": {
                var found = StandIn.describe(address, (String) words[0]);
                int partition = (Integer) words[1];
                if (found == null || partition >= found.partitions().size()) return scala.Option.empty();
                var info = found.partitions().get(partition);
                return scala.Option.apply(new UpdateMetadataPartitionState().setTopicName((String) words[0]).setPartitionIndex(partition)
                    .setLeader(info.leader().id()).setIsr(info.isr().stream().map(n -> n.id()).collect(Collectors.toList()))
                    .setReplicas(info.replicas().stream().map(n -> n.id()).collect(Collectors.toList())));
            }
            case "getAliveBrokers": return scala.jdk.javaapi.CollectionConverters.asScala(java.util.List.of(
                new org.apache.kafka.admin.BrokerMetadata(config.brokerId(), java.util.Optional.empty())));
            case "getTopicId": return StandIn.ids(address).getOrDefault(words[0], org.apache.kafka.common.Uuid.ZERO_UUID);
            default: return StandIn.NO;
        }
    }
    static Object endOffset() { return new LogOffsetMetadata(0); }
}

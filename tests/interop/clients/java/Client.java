import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.StringSerializer;

/** The scenario with Apache's own Java client; everything at its defaults (idempotent producer, murmur2) unless said. */
public final class Client {
    private final Admin admin = Admin.create(Map.of("bootstrap.servers", Scenario.BROKER, "request.timeout.ms", "60000"));

    public static void main(String[] arguments) throws Exception {
        new Client().run();
        System.exit(0);
    }

    private void run() {
        Scenario.step("create", this::create);
        for (String codec : Scenario.CODECS) Scenario.step("produce." + codec, () -> produce(codec));
        group("classic", "");
        group("cooperative", "@cooperative");
        if (Scenario.KIP848) group("consumer", "@consumer");
        Scenario.step("admin.topics", this::topics);
        Scenario.step("admin.groups", this::groups);
        Scenario.step("admin.offsets", this::offsets);
        Scenario.step("admin.configs", this::configs);
        Scenario.step("admin.delete", this::delete);
        Transactions.run("");
        Scenario.step("txn.downgrade@v1", () -> transactionVersion(1, FeatureUpdate.UpgradeType.SAFE_DOWNGRADE));
        Transactions.run("@v1");
        Scenario.step("txn.upgrade@v1", () -> transactionVersion(2, FeatureUpdate.UpgradeType.UPGRADE));
    }

    /** Clients choose their protocol of transactions by this feature of the cluster. */
    private String transactionVersion(int level, FeatureUpdate.UpgradeType type) throws Exception {
        admin.updateFeatures(Map.of("transaction.version", new FeatureUpdate((short) level, type)), new UpdateFeaturesOptions()).all().get();
        Scenario.settle();
        short told = admin.describeFeatures().featureMetadata().get().finalizedFeatures().get("transaction.version").maxVersionLevel();
        Scenario.expect(told == level, "transaction.version is " + told);
        return "transaction.version " + told;
    }

    private String create() throws Exception {
        admin.createTopics(Scenario.topics().stream().map(t -> new NewTopic(t, Scenario.PARTITIONS, (short) 1)).toList()).all().get();
        Scenario.settle();
        try {
            admin.createTopics(List.of(new NewTopic(Scenario.topic("none"), 1, (short) 1))).all().get();
        } catch (ExecutionException refused) {
            return "second create refused: " + refused.getCause().getClass().getSimpleName();
        }
        throw new IllegalStateException("a topic was created twice");
    }

    private String produce(String codec) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", Scenario.BROKER);
        p.put("compression.type", codec);
        p.put("linger.ms", "20");
        List<Future<RecordMetadata>> answers;
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            answers = IntStream.range(0, Scenario.RECORDS).mapToObj(i -> {
                ProducerRecord<String, String> r = new ProducerRecord<>(Scenario.topic(codec), Scenario.key(i), Scenario.value(codec, i));
                r.headers().add("suite", "interop".getBytes());
                return producer.send(r);
            }).toList();
            producer.flush();
        }
        for (Future<RecordMetadata> answer : answers) Scenario.expect(answer.get().offset() >= 0, "no offset came back");
        return "acks=all, idempotent";
    }

    /** Two members, a third joins, one leaves, all stop, a new one resumes. */
    private void group(String protocol, String suffix) {
        String group = Scenario.PREFIX + "-group" + (protocol.equals("classic") ? "" : "-" + protocol);
        int all = Scenario.PARTITIONS * Scenario.CODECS.length;
        Member[] m = new Member[4];
        try (Scenario.Pace pace = new Scenario.Pace(System.getenv("INTEROP_EVENTS") + suffix)) {
            Callable<?>[] phases = {
                () -> {
                    pace.upTo(0.20);
                    m[0] = new Member("a", group, protocol, pace);
                    m[1] = new Member("b", group, protocol, pace);
                    Scenario.await("two members share all partitions", () -> m[0].assigned > 0 && m[1].assigned > 0 && m[0].assigned + m[1].assigned == all);
                    Scenario.await("both read", () -> pace.hasRead("a") && pace.hasRead("b"));
                    Scenario.await("a fifth is read", () -> pace.reached(0.20));
                    return m[0].assigned + "+" + m[1].assigned;
                },
                () -> {
                    m[2] = new Member("c", group, protocol, pace);
                    Scenario.await("three members share", () -> m[0].assigned > 0 && m[1].assigned > 0 && m[2].assigned > 0
                        && m[0].assigned + m[1].assigned + m[2].assigned == all);
                    String shares = m[0].assigned + "+" + m[1].assigned + "+" + m[2].assigned;
                    Scenario.await("the third reads", () -> pace.hasRead("c"));
                    pace.upTo(0.45);
                    Scenario.await("45 % are read", () -> pace.reached(0.45));
                    return shares;
                },
                () -> {
                    m[1].stop();
                    Scenario.await("the others took over", () -> m[0].assigned + m[2].assigned == all);
                    String shares = m[0].assigned + "+" + m[2].assigned;
                    pace.upTo(0.70);
                    Scenario.await("70 % are read", () -> pace.reached(0.70));
                    m[0].stop();
                    m[2].stop();
                    return shares;
                },
                () -> {
                    pace.upTo(2);
                    m[3] = new Member("d", group, protocol, pace);
                    Scenario.await("everything is read", () -> pace.reached(1));
                    String state = describe(group, protocol);
                    m[3].stop();
                    return state;
                },
            };
            String[] names = {"group", "join", "leave", "resume"};
            for (int i = 0; i < phases.length; i++) {
                Callable<?> phase = phases[i];
                if (!Scenario.step(names[i] + suffix, () -> phase.call().toString())) break;
            }
        } catch (Exception problem) {
            problem.printStackTrace();
        }
    }

    private String describe(String group, String protocol) throws Exception {
        var found = protocol.equals("consumer") ? admin.describeConsumerGroups(List.of(group)).all().get().get(group).members().size()
            : admin.describeClassicGroups(List.of(group)).all().get().get(group).members().size();
        Scenario.expect(found == 1, "describe shows " + found + " members, one is alive");
        return "described while alive: 1 member";
    }

    private String topics() throws Exception {
        Scenario.expect(admin.listTopics().names().get().containsAll(Scenario.topics()), "a topic is not listed");
        for (TopicDescription topic : admin.describeTopics(Scenario.topics()).allTopicNames().get().values()) {
            Scenario.expect(topic.partitions().size() == Scenario.PARTITIONS, topic.name() + " has " + topic.partitions().size());
            Scenario.expect(topic.partitions().stream().allMatch(p -> p.leader() != null && p.isr().size() == 1), "no leader or ISR");
        }
        DescribeClusterResult cluster = admin.describeCluster();
        Scenario.expect(!cluster.nodes().get().isEmpty() && cluster.controller().get() != null, "no nodes or no controller");
        return "cluster " + cluster.clusterId().get();
    }

    private String groups() throws Exception {
        String group = Scenario.PREFIX + "-group";
        var found = admin.listGroups().all().get().stream().filter(g -> g.groupId().equals(group)).findFirst();
        Scenario.expect(found.isPresent(), "the group is not listed");
        var described = admin.describeClassicGroups(List.of(group)).all().get().get(group);
        Scenario.expect(described.members().isEmpty(), "members are left");
        return found.get().groupState().map(Object::toString).orElse("?") + " " + described.protocol();
    }

    private String offsets() throws Exception {
        Map<TopicPartition, OffsetSpec> ends = new HashMap<>();
        Map<TopicPartition, OffsetSpec> starts = new HashMap<>();
        for (String t : Scenario.topics()) IntStream.range(0, Scenario.PARTITIONS).forEach(p -> {
            ends.put(new TopicPartition(t, p), OffsetSpec.latest());
            starts.put(new TopicPartition(t, p), OffsetSpec.forTimestamp(0));
        });
        var latest = admin.listOffsets(ends).all().get();
        var committed = admin.listConsumerGroupOffsets(Scenario.PREFIX + "-group").partitionsToOffsetAndMetadata().get();
        for (var e : latest.entrySet()) Scenario.expect(committed.get(e.getKey()).offset() == e.getValue().offset(), "lag in " + e.getKey());
        for (var e : admin.listOffsets(starts).all().get().entrySet()) Scenario.expect(e.getValue().offset() == 0, "first by time is not 0");
        return latest.values().stream().mapToLong(o -> o.offset()).sum() + " at the end";
    }

    private String configs() throws Exception {
        ConfigResource topic = new ConfigResource(ConfigResource.Type.TOPIC, Scenario.topic("none"));
        var before = admin.describeConfigs(List.of(topic)).all().get().get(topic);
        Scenario.expect(before.get("cleanup.policy").value().equals("delete"), "cleanup.policy is not delete");
        admin.incrementalAlterConfigs(Map.of(topic, Set.of(
            new AlterConfigOp(new ConfigEntry("retention.ms", "86400001"), AlterConfigOp.OpType.SET)))).all().get();
        Scenario.settle();
        ConfigEntry after = admin.describeConfigs(List.of(topic)).all().get().get(topic).get("retention.ms");
        Scenario.expect(after.value().equals("86400001") && after.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG,
            "retention.ms is " + after.value() + " from " + after.source());
        ConfigResource broker = new ConfigResource(ConfigResource.Type.BROKER, admin.describeCluster().controller().get().idString());
        return before.entries().size() + " topic keys, " + admin.describeConfigs(List.of(broker)).all().get().get(broker).entries().size() + " broker keys";
    }

    private String delete() throws Exception {
        String scratch = Scenario.topic("scratch");
        admin.createTopics(List.of(new NewTopic(scratch, 1, (short) 1))).all().get();
        admin.createPartitions(Map.of(scratch, NewPartitions.increaseTo(3))).all().get();
        Scenario.await("three partitions", () -> {
            try {
                return admin.describeTopics(List.of(scratch)).allTopicNames().get().get(scratch).partitions().size() == 3;
            } catch (Exception notYet) {
                return false;
            }
        });
        admin.deleteTopics(List.of(scratch)).all().get();
        Scenario.await("it is gone", () -> {
            try {
                return !admin.listTopics().names().get().contains(scratch);
            } catch (Exception notYet) {
                return false;
            }
        });
        return "partitions added, topic deleted";
    }
}

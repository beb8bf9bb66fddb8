import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.CloseOptions;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StoreQueryParameters;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.state.QueryableStoreTypes;

/**
 * A small Kafka Streams application: words are counted over a repartition topic into a store with a changelog, at
 * least once. It is stopped and started, loses its local state, and runs as two instances of which one leaves; as no
 * instance crashes, the last count of every word must be exact at each rest.
 */
public final class WordCount {
    private static final String BROKER = System.getenv("INTEROP_BROKER");
    private static final String PREFIX = System.getenv("INTEROP_PREFIX");
    private static final String IN = PREFIX + "-lines", OUT = PREFIX + "-counts", APPLICATION = PREFIX + "-app";
    private static final int PARTITIONS = 3, WORDS = 50;

    private final Admin admin = Admin.create(Map.of("bootstrap.servers", BROKER));
    private final Map<String, Long> expected = new TreeMap<>();
    private final Map<String, Long> counted = new TreeMap<>();
    private int lines = 0;

    public static void main(String[] arguments) {
        new WordCount().run();
        System.exit(0);
    }

    private void run() {
        boolean good = Steps.step("create", this::create) && Steps.step("count", this::count) && Steps.step("internal-topics", this::internalTopics)
            && Steps.step("restore", this::restore) && Steps.step("two-instances", this::twoInstances) && Steps.step("reset", this::reset);
        if (!good) System.err.println("stopped at the first failed step");
    }

    private String create() throws Exception {
        admin.createTopics(List.of(new NewTopic(IN, PARTITIONS, (short) 1), new NewTopic(OUT, PARTITIONS, (short) 1))).all().get();
        Thread.sleep((long) (1000 * Double.parseDouble(System.getenv().getOrDefault("INTEROP_SETTLE", "0"))));
        return "two topics";
    }

    private KafkaStreams start(String instance) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(IN, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.as("totals"))
            .toStream().to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        Properties p = new Properties();
        p.put("application.id", APPLICATION);
        p.put("bootstrap.servers", BROKER);
        p.put("client.id", instance);
        p.put("state.dir", System.getenv("INTEROP_SCRATCH") + "/" + instance);
        p.put("default.key.serde", Serdes.StringSerde.class);
        p.put("default.value.serde", Serdes.StringSerde.class);
        p.put("num.stream.threads", "2");
        p.put("commit.interval.ms", "300");
        p.put("repartition.purge.interval.ms", "1000");
        p.put("auto.offset.reset", "earliest");
        p.put("consumer.heartbeat.interval.ms", "300");
        p.put("consumer.session.timeout.ms", "10000");
        KafkaStreams streams = new KafkaStreams(builder.build(), p);
        streams.start();
        Steps.await(instance + " is running", () -> streams.state() == KafkaStreams.State.RUNNING);
        return streams;
    }

    private void produce(int count) {
        Properties p = new Properties();
        p.put("bootstrap.servers", BROKER);
        p.put("compression.type", "lz4");
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (int end = lines + count; lines < end; lines++) {
                List<String> words = new ArrayList<>();
                for (int w = 0; w < 3; w++) words.add("w" + (lines * 7 + w * 13) % WORDS);
                producer.send(new ProducerRecord<>(IN, "line" + lines, String.join(" ", words)));
                words.forEach(word -> expected.merge(word, 1L, Long::sum));
            }
        }
    }

    /** Reads the output until its last counts are the expected ones. */
    private void awaitCounts() throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", BROKER);
        p.put("enable.auto.commit", "false");
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < PARTITIONS; i++) all.add(new TopicPartition(OUT, i));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            counted.clear();
            Steps.await("counts are " + expected.size() + " words of " + lines + " lines", () -> {
                for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(200))) counted.put(r.key(), r.value());
                return counted.equals(expected);
            });
            for (ConsumerRecord<String, Long> r : consumer.poll(Duration.ofMillis(500))) counted.put(r.key(), r.value());
            Steps.expect(counted.equals(expected), "counts went on after they were right");
        }
    }

    private static void leave(KafkaStreams streams) {
        Steps.expect(streams.close(CloseOptions.timeout(Duration.ofSeconds(60))
            .withGroupMembershipOperation(CloseOptions.GroupMembershipOperation.LEAVE_GROUP)), "it did not close in 60 s");
    }

    /** As Streams does by default: its members stay in the group until their sessions end. */
    private static void stayAway(KafkaStreams streams) {
        Steps.expect(streams.close(Duration.ofSeconds(60)), "it did not close in 60 s");
    }

    private String count() throws Exception {
        produce(3000);
        KafkaStreams streams = start("one");
        awaitCounts();
        produce(1000);
        awaitCounts();
        Steps.await("the store has every count", () -> {
            Map<String, Long> stored = new TreeMap<>();
            streams.store(StoreQueryParameters.fromNameAndType("totals", QueryableStoreTypes.<String, Long>keyValueStore()))
                .all().forEachRemaining(entry -> stored.put(entry.key, entry.value));
            return stored.equals(expected);
        });
        leave(streams);
        return lines + " lines, " + expected.size() + " words, exact in topic and store";
    }

    private String config(String topic, String key) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Config config = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return config.get(key).value();
    }

    private String internalTopics() throws Exception {
        String repartition = APPLICATION + "-words-repartition", changelog = APPLICATION + "-totals-changelog";
        for (String topic : List.of(repartition, changelog)) {
            int partitions = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic).partitions().size();
            Steps.expect(partitions == PARTITIONS, topic + " has " + partitions + " partitions");
        }
        Steps.expect(config(changelog, "cleanup.policy").equals("compact"), "the changelog is not compacted");
        Steps.expect(config(repartition, "retention.ms").equals("-1"), "the repartition topic has a retention time");
        Map<TopicPartition, OffsetSpec> earliest = new HashMap<>();
        for (int i = 0; i < PARTITIONS; i++) earliest.put(new TopicPartition(repartition, i), OffsetSpec.earliest());
        long purged = admin.listOffsets(earliest).all().get().values().stream().mapToLong(o -> o.offset()).sum();
        Steps.expect(purged > 0, "the repartition topic was not purged by DeleteRecords");
        return "changelog compact, repartition purged up to " + purged;
    }

    private String restore() throws Exception {
        produce(1000);
        KafkaStreams streams = start("fresh"); // its state directory is empty
        awaitCounts();
        stayAway(streams);
        return lines + " lines, state restored from the changelog";
    }

    private String twoInstances() throws Exception {
        KafkaStreams one = start("one"); // waits until the sessions of "fresh" have ended
        KafkaStreams two = start("two");
        Steps.await("both have tasks", () -> tasks(one) > 0 && tasks(two) > 0 && tasks(one) + tasks(two) == 2 * PARTITIONS);
        String shares = tasks(one) + "+" + tasks(two) + " tasks";
        produce(1000);
        awaitCounts();
        leave(one);
        produce(1000);
        Steps.await("the other has all tasks", () -> tasks(two) == 2 * PARTITIONS);
        awaitCounts();
        leave(two);
        return shares + ", then " + 2 * PARTITIONS + "; " + lines + " lines";
    }

    private static int tasks(KafkaStreams streams) {
        return streams.metadataForLocalThreads().stream().mapToInt(thread -> thread.activeTasks().size()).sum();
    }

    private String reset() throws Exception {
        admin.deleteConsumerGroups(List.of(APPLICATION)).all().get(20, TimeUnit.SECONDS);
        admin.deleteTopics(List.of(IN, OUT, APPLICATION + "-words-repartition", APPLICATION + "-totals-changelog")).all().get();
        return "group and topics deleted";
    }
}

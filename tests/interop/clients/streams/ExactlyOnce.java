import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.LongDeserializer;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;

/**
 * The words of a stream of lines are counted with exactly_once_v2, every count is given out. Instances are processes of
 * their own, and two of them are killed in the middle of a transaction, under load: then the first is alone, the second
 * one of two. The judge looks whether each word's counts are 1, 2, 3 and so on, without a gap and without a twin.
 */
public final class ExactlyOnce {
    private static final String BROKER = System.getenv("INTEROP_BROKER");
    private static final String PREFIX = System.getenv("INTEROP_PREFIX");
    private static final String IN = PREFIX + "-lines", OUT = PREFIX + "-counts", APPLICATION = PREFIX + "-app";
    private static final int PARTITIONS = 3, WORDS = 50, LINES_AT_LEAST = 3000;

    private final Admin admin = Admin.create(Map.of("bootstrap.servers", BROKER));
    private final Map<String, Process> instances = new HashMap<>();
    private volatile boolean feeding = true;
    private volatile int lines = 0;
    private Thread feeder;

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            instance(arguments[0]);
            return;
        }
        new ExactlyOnce().run();
        System.exit(0);
    }

    // --- an instance

    private static void instance(String name) throws Exception {
        StreamsBuilder builder = new StreamsBuilder();
        builder.stream(IN, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> Arrays.asList(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.as("words"))
            .count(Materialized.as("totals"))
            .toStream().to(OUT, Produced.with(Serdes.String(), Serdes.Long()));
        Properties p = new Properties();
        p.put("application.id", APPLICATION);
        p.put("bootstrap.servers", BROKER);
        p.put("client.id", name);
        p.put("state.dir", System.getenv("INTEROP_SCRATCH") + "/" + name);
        p.put("default.key.serde", Serdes.StringSerde.class);
        p.put("default.value.serde", Serdes.StringSerde.class);
        p.put("processing.guarantee", "exactly_once_v2");
        p.put("statestore.cache.max.bytes", "0"); // every count is given out
        p.put("commit.interval.ms", "300");
        p.put("auto.offset.reset", "earliest");
        p.put("producer.transaction.timeout.ms", "5000");
        p.put("consumer.heartbeat.interval.ms", "300");
        p.put("consumer.session.timeout.ms", "6000");
        KafkaStreams streams = new KafkaStreams(builder.build(), p);
        CountDownLatch ended = new CountDownLatch(1);
        streams.setStateListener((now, before) -> {
            if (now == KafkaStreams.State.NOT_RUNNING || now == KafkaStreams.State.ERROR) ended.countDown();
        });
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
        ended.await();
    }

    private void start(String name) throws IOException {
        String java = ProcessHandle.current().info().command().orElse("java");
        instances.put(name, new ProcessBuilder(java, "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", System.getProperty("java.class.path"), "ExactlyOnce", name)
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .redirectError(Path.of(System.getenv("INTEROP_EVENTS")).resolveSibling("instance-" + name + ".log").toFile()).start());
    }

    // --- the program

    private void run() {
        boolean good = Steps.step("create", this::create) && Steps.step("kill-the-only-one", this::killTheOnlyOne)
            && Steps.step("kill-one-of-two", this::killOneOfTwo) && Steps.step("rest", this::rest);
        if (!good) System.err.println("stopped at the first failed step");
        instances.values().forEach(Process::destroyForcibly);
    }

    private String create() throws Exception {
        admin.createTopics(List.of(new NewTopic(IN, PARTITIONS, (short) 1), new NewTopic(OUT, PARTITIONS, (short) 1))).all().get();
        Thread.sleep((long) (1000 * Double.parseDouble(System.getenv().getOrDefault("INTEROP_SETTLE", "0"))));
        feeder = new Thread(this::feed);
        feeder.start();
        return "two topics";
    }

    /** A steady load. */
    private void feed() {
        Properties p = new Properties();
        p.put("bootstrap.servers", BROKER);
        try (KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer())) {
            for (; feeding || lines < LINES_AT_LEAST; lines++) {
                StringBuilder words = new StringBuilder();
                for (int w = 0; w < 3; w++) words.append(w == 0 ? "" : " ").append("w").append((lines * 7 + w * 13) % WORDS);
                producer.send(new ProducerRecord<>(IN, "line" + lines, words.toString()));
                if (lines % 5 == 0) Thread.sleep(10);
            }
        } catch (InterruptedException ended) {
            Thread.currentThread().interrupt();
        }
    }

    /** The records of the output: all, or those whose transactions have ended; markers are counted with them. */
    private long end(IsolationLevel isolation) throws Exception {
        Map<TopicPartition, OffsetSpec> all = new HashMap<>();
        for (int i = 0; i < PARTITIONS; i++) all.put(new TopicPartition(OUT, i), OffsetSpec.latest());
        return admin.listOffsets(all, new ListOffsetsOptions(isolation)).all().get().values().stream().mapToLong(o -> o.offset()).sum();
    }

    /** Kills an instance when more was given out since `since`, and a transaction is open. */
    private String kill(String name, long since) throws Exception {
        Steps.await(name + " gives out counts", () -> end(IsolationLevel.READ_COMMITTED) > since + 300);
        Steps.await("a transaction is open", () -> end(IsolationLevel.READ_UNCOMMITTED) > end(IsolationLevel.READ_COMMITTED));
        Process victim = instances.remove(name);
        Steps.expect(victim.isAlive(), name + " had ended by itself");
        victim.destroyForcibly().waitFor();
        return "killed at " + lines + " lines";
    }

    private String killTheOnlyOne() throws Exception {
        start("one");
        return kill("one", 0);
    }

    private String killOneOfTwo() throws Exception {
        start("two");
        start("three");
        long since = end(IsolationLevel.READ_UNCOMMITTED);
        Steps.await("two instances share the work", () -> {
            long members = admin.describeConsumerGroups(List.of(APPLICATION)).all().get().get(APPLICATION).members().stream()
                .filter(m -> !m.assignment().topicPartitions().isEmpty()).map(m -> m.clientId().replaceAll("-StreamThread.*", "")).distinct().count();
            return members == 2;
        });
        return kill("two", since);
    }

    /** Waits until as many counts are given out, and their transactions committed. */
    private static void awaitCounts(long wanted) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", BROKER);
        p.put("enable.auto.commit", "false");
        p.put("isolation.level", "read_committed");
        try (KafkaConsumer<String, Long> consumer = new KafkaConsumer<>(p, new StringDeserializer(), new LongDeserializer())) {
            List<TopicPartition> all = IntStream.range(0, PARTITIONS).mapToObj(i -> new TopicPartition(OUT, i)).toList();
            consumer.assign(all);
            consumer.seekToBeginning(all);
            long[] count = {0};
            Steps.await(wanted + " counts are given out", () -> (count[0] += consumer.poll(Duration.ofMillis(200)).count()) >= wanted);
        }
    }

    private String rest() throws Exception {
        feeding = false;
        feeder.join();
        awaitCounts(3L * lines);
        Process last = instances.remove("three");
        Steps.expect(last.isAlive(), "three had ended by itself");
        last.destroy(); // it closes in good order
        last.waitFor();
        return lines + " lines";
    }
}

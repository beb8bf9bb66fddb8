import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.TransactionDescription;
import org.apache.kafka.clients.admin.TransactionState;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** The transactional scenario (its plan: driver/scenario.py, Txn), for new clients as a part of Client, for old ones alone. */
public final class Transactions {
    private static final int PARTITIONS = 3, SIZE = 12, ENDS = 40, FENCED = 40, FENCER = 41, OPEN = 42, ABANDONED = 43, AFTER = 44, LAST = 45;
    private static final int BATCH = 40, LIVES = 3;

    private final Admin admin;
    private final PrintWriter events;
    private final String prefix, in, out, group;
    private final KafkaProducer<String, String> x, y;
    private int committed = 0; // records in the first topic, not counting what is aborted

    private Transactions(Admin admin, PrintWriter events, String suffix) throws Exception {
        this.admin = admin;
        this.events = events;
        prefix = Scenario.PREFIX + "-txn" + suffix.replace('@', '-');
        in = prefix + "-in";
        out = prefix + "-out";
        group = prefix + "-group";
        admin.createTopics(List.of(new NewTopic(in, PARTITIONS, (short) 1), new NewTopic(out, PARTITIONS, (short) 1))).all().get();
        Scenario.settle();
        x = producer("x", 60_000);
        y = producer("y", 60_000);
    }

    public static void main(String[] arguments) {
        run("");
        System.exit(0);
    }

    /** The suffix is that of the steps and of the event file. */
    static void run(String suffix) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", Scenario.BROKER));
             PrintWriter events = new PrintWriter(Files.newBufferedWriter(Path.of(System.getenv("INTEROP_EVENTS") + "@txn" + suffix)))) {
            Transactions it = new Transactions(admin, events, suffix);
            if (Scenario.step("txn.ends" + suffix, it::ends) && Scenario.step("txn.fence" + suffix, it::fence)
                && Scenario.step("txn.admin" + suffix, it::look) && Scenario.step("txn.timeout" + suffix, it::timeout)
                && Scenario.step("txn.transform" + suffix, it::transform))
                Scenario.step("txn.read" + suffix, it::read);
        } catch (Exception problem) {
            Scenario.step("txn.start" + suffix, () -> { throw problem; });
        }
    }

    private KafkaProducer<String, String> producer(String id, int timeoutMs) {
        Properties p = new Properties();
        p.put("bootstrap.servers", Scenario.BROKER);
        p.put("transactional.id", prefix + "-" + id);
        p.put("transaction.timeout.ms", timeoutMs);
        KafkaProducer<String, String> producer = new KafkaProducer<>(p, new StringSerializer(), new StringSerializer());
        producer.initTransactions();
        return producer;
    }

    /** Returns when the records are in the log. */
    private static void send(KafkaProducer<String, String> producer, String topic, int number, int from, int to) throws Exception {
        List<Future<RecordMetadata>> answers = new ArrayList<>();
        for (int i = from; i < to; i++) answers.add(producer.send(new ProducerRecord<>(topic, i % PARTITIONS, null, number + ":" + i)));
        for (Future<RecordMetadata> answer : answers) answer.get();
    }

    private void end(KafkaProducer<String, String> producer, int number, boolean commit) {
        if (commit) {
            producer.commitTransaction();
            if (number != LAST) committed += SIZE;
        } else {
            producer.abortTransaction();
        }
        told(number, commit ? "commit" : "abort");
    }

    private void transact(KafkaProducer<String, String> producer, String topic, int number) throws Exception {
        producer.beginTransaction();
        send(producer, topic, number, 0, SIZE);
        end(producer, number, true);
    }

    private void told(int number, String fate) { events.println("E\t" + number + "\t" + fate); }

    private String ends() throws Exception {
        for (int t = 0; t < ENDS; t += 2) {
            x.beginTransaction();
            y.beginTransaction();
            send(x, in, t, 0, SIZE / 2);
            send(y, in, t + 1, 0, SIZE);
            send(x, in, t, SIZE / 2, SIZE);
            end(y, t + 1, (t + 1) % 3 != 1);
            end(x, t, t % 3 != 1);
        }
        return ENDS + " transactions, each opened within another";
    }

    private String fence() throws Exception {
        try (KafkaProducer<String, String> first = producer("f", 60_000)) {
            first.beginTransaction();
            send(first, in, FENCED, 0, SIZE);
            try (KafkaProducer<String, String> second = producer("f", 60_000)) {
                transact(second, in, FENCER);
                try {
                    first.commitTransaction();
                } catch (ProducerFencedException | InvalidProducerEpochException refused) {
                    told(FENCED, "fenced");
                    return refused.getClass().getSimpleName();
                }
            }
        }
        throw new IllegalStateException("a fenced producer has committed");
    }

    private TransactionDescription describe(String id) throws Exception {
        return admin.describeTransactions(List.of(id)).all().get().get(id);
    }

    /** Lists and describes an open transaction and its producer in a partition, and again after its end. */
    private String look() throws Exception {
        String id = prefix + "-x";
        x.beginTransaction();
        send(x, in, OPEN, 0, SIZE);
        var listed = admin.listTransactions().all().get().stream().filter(t -> t.transactionalId().equals(id)).findFirst();
        Scenario.expect(listed.isPresent() && listed.get().state() == TransactionState.ONGOING, "listed: " + listed);
        TransactionDescription open = describe(id);
        Set<TopicPartition> all = new HashSet<>();
        for (int p = 0; p < PARTITIONS; p++) all.add(new TopicPartition(in, p));
        Scenario.expect(open.state() == TransactionState.ONGOING && open.topicPartitions().equals(all) && open.transactionTimeoutMs() == 60_000, "described: " + open);
        var producers = admin.describeProducers(all).all().get();
        for (TopicPartition p : all) {
            var mine = producers.get(p).activeProducers().stream().filter(a -> a.producerId() == open.producerId()).findFirst();
            Scenario.expect(mine.isPresent() && mine.get().currentTransactionStartOffset().isPresent(), "producers of " + p + ": " + producers.get(p).activeProducers());
        }
        end(x, OPEN, false);
        Scenario.await("it is described as aborted", () -> {
            try {
                return describe(id).state() == TransactionState.COMPLETE_ABORT;
            } catch (Exception problem) {
                throw new IllegalStateException(problem);
            }
        });
        return "open: " + open.topicPartitions().size() + " partitions; ended: COMPLETE_ABORT";
    }

    /** A reader of committed records gets past an abandoned transaction only when the broker has ended it. */
    private String timeout() throws Exception {
        try (KafkaProducer<String, String> abandoned = producer("z", 2_000)) {
            abandoned.beginTransaction();
            send(abandoned, in, ABANDONED, 0, SIZE);
            transact(x, in, AFTER);
            read("committed", in, AFTER, false);
            try {
                abandoned.commitTransaction();
            } catch (KafkaException refused) {
                told(ABANDONED, "expired");
                return refused.getClass().getSimpleName();
            }
        }
        throw new IllegalStateException("an abandoned producer has committed");
    }

    private String transform() throws Exception {
        int done = 0, aborted = 0;
        try (KafkaProducer<String, String> producer = producer("transform", 60_000)) {
            for (int life = 1; life <= LIVES; life++) {
                try (KafkaConsumer<String, String> consumer = consumer("committed", group)) {
                    consumer.subscribe(List.of(in));
                    while (done < committed * life / LIVES) done += batch(consumer, producer, true);
                    if (life < LIVES) aborted += batch(consumer, producer, false);
                }
            }
        }
        Scenario.expect(done == committed, done + " of " + committed + " were handed out");
        transact(x, out, LAST);
        return done + " records, and " + aborted + " in vain";
    }

    private int batch(KafkaConsumer<String, String> consumer, KafkaProducer<String, String> producer, boolean commit) throws Exception {
        List<ConsumerRecord<String, String>> taken = new ArrayList<>();
        Scenario.await("a batch to transform", () -> {
            consumer.poll(Duration.ofMillis(200)).forEach(taken::add);
            return !taken.isEmpty();
        });
        producer.beginTransaction();
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>();
        for (ConsumerRecord<String, String> r : taken) {
            producer.send(new ProducerRecord<>(out, r.partition(), null, "out:" + r.value()));
            offsets.put(new TopicPartition(in, r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        producer.sendOffsetsToTransaction(offsets, consumer.groupMetadata());
        producer.flush(); // an abort drops what is not sent yet
        if (commit) producer.commitTransaction(); else producer.abortTransaction();
        return taken.size();
    }

    private static KafkaConsumer<String, String> consumer(String isolation, String group) {
        Properties p = new Properties();
        p.put("bootstrap.servers", Scenario.BROKER);
        p.put("isolation.level", "read_" + isolation);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "earliest");
        p.put("max.poll.records", BATCH);
        if (group != null) p.put("group.id", group);
        return new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
    }

    /** Reads all partitions of a topic up to the last record of a transaction. */
    private int read(String isolation, String topic, int last, boolean noted) throws Exception {
        List<TopicPartition> all = IntStream.range(0, PARTITIONS).mapToObj(p -> new TopicPartition(topic, p)).toList();
        Set<String> wanted = new HashSet<>();
        for (int p = 0; p < PARTITIONS; p++) wanted.add(last + ":" + (SIZE - PARTITIONS + p));
        int[] count = {0};
        try (KafkaConsumer<String, String> consumer = consumer(isolation, null)) {
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Scenario.await("all of " + topic + " is read " + isolation, () -> {
                ConsumerRecords<String, String> records = consumer.poll(Duration.ofMillis(200));
                for (ConsumerRecord<String, String> r : records) {
                    if (noted) events.println(String.join("\t", "R", isolation, topic, "" + r.partition(), "" + r.offset(), r.value()));
                    wanted.remove(r.value());
                    count[0]++;
                }
                return wanted.isEmpty();
            });
        }
        return count[0];
    }

    private String read() throws Exception {
        StringBuilder counts = new StringBuilder();
        for (String isolation : List.of("committed", "uncommitted"))
            counts.append(read(isolation, in, AFTER, true)).append("+").append(read(isolation, out, LAST, true)).append(" ").append(isolation).append(" ");
        return counts.toString().trim();
    }
}

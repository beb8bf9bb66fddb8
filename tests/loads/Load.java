import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.Utils;

/**
 * The Java end of a load. What a partition holds is told as the SHA-256 of its canonical text, the same that
 * kcat writes with -f '%o %K %S\n%k%s\n': offset, length of key, length of value, then both as they are.
 *
 *   produce BROKER TOPIC PARTITIONS RECORDS     everything at the producer's defaults (acks=all, idempotent)
 *   read BROKER TOPIC PARTITIONS RECORDS [AT..] stops where AT records are read, says "at N", goes on at a line of input
 *
 * The closing lines are "PARTITION RECORDS BYTES SHA256", one for each partition; BYTES are of keys and values.
 */
public final class Load {
    private static final int KEYS = 1009, TAILS = 997;

    /** What one partition should hold, or holds. */
    private static final class Seen {
        final MessageDigest digest;
        long records, bytes;

        Seen() throws Exception { digest = MessageDigest.getInstance("SHA-256"); }

        void add(long offset, byte[] key, byte[] value) {
            digest.update((offset + " " + key.length + " " + value.length + "\n").getBytes(StandardCharsets.US_ASCII));
            digest.update(key);
            digest.update(value);
            digest.update((byte) '\n');
            records++;
            bytes += key.length + value.length;
        }
    }

    public static void main(String[] words) throws Exception {
        String broker = words[1], topic = words[2];
        int partitions = Integer.parseInt(words[3]);
        long records = Long.parseLong(words[4]);
        Seen[] seen = new Seen[partitions];
        for (int p = 0; p < partitions; p++) seen[p] = new Seen();
        if (words[0].equals("produce")) {
            produce(broker, topic, records, seen);
        } else {
            List<Long> stops = new ArrayList<>();
            for (int i = 5; i < words.length; i++) stops.add(Long.parseLong(words[i]));
            read(broker, topic, records, stops, seen);
        }
        for (int p = 0; p < partitions; p++)
            System.out.println(p + " " + seen[p].records + " " + seen[p].bytes + " " + HexFormat.of().formatHex(seen[p].digest.digest()));
    }

    /** What will arrive is computed before it is sent, with the partition that murmur2 gives and the next offset in it. */
    private static void produce(String broker, String topic, long records, Seen[] expected) throws Exception {
        SplittableRandom random = new SplittableRandom(7);
        byte[][] keys = new byte[KEYS][];
        int[] homes = new int[KEYS];
        for (int k = 0; k < KEYS; k++) {
            keys[k] = ("key" + k).getBytes(StandardCharsets.US_ASCII);
            homes[k] = Utils.toPositive(Utils.murmur2(keys[k])) % expected.length;
        }
        byte[][] tails = new byte[TAILS][];  // any bytes, 33 to 154 of them
        for (int t = 0; t < TAILS; t++) random.nextBytes(tails[t] = new byte[33 + t % 122]);
        Properties p = new Properties();
        p.put("bootstrap.servers", broker);
        p.put("delivery.timeout.ms", "600000");
        p.put("request.timeout.ms", "120000");
        AtomicReference<String> wrong = new AtomicReference<>();
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer())) {
            for (long i = 0; i < records && wrong.get() == null; i++) {
                byte[] key = keys[(int) (i % KEYS)], tail = tails[(int) (i % TAILS)];
                byte[] number = Long.toString(1_000_000_000L + i).getBytes(StandardCharsets.US_ASCII);
                byte[] value = new byte[number.length + tail.length];
                System.arraycopy(number, 0, value, 0, number.length);
                System.arraycopy(tail, 0, value, number.length, tail.length);
                int home = homes[(int) (i % KEYS)];
                long offset = expected[home].records;
                expected[home].add(offset, key, value);
                producer.send(new ProducerRecord<>(topic, key, value), (where, problem) -> {
                    if (problem != null) wrong.compareAndSet(null, problem.toString());
                    else if (where.partition() != home || where.offset() != offset)
                        wrong.compareAndSet(null, where + " was answered for " + home + "@" + offset);
                });
            }
        }
        if (wrong.get() != null) throw new IllegalStateException(wrong.get());
    }

    private static void read(String broker, String topic, long records, List<Long> stops, Seen[] seen) throws Exception {
        Properties p = new Properties();
        p.put("bootstrap.servers", broker);
        p.put("enable.auto.commit", "false");
        p.put("auto.offset.reset", "none");
        try (KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = new ArrayList<>();
            for (int i = 0; i < seen.length; i++) all.add(new TopicPartition(topic, i));
            consumer.assign(all);
            consumer.seekToBeginning(all);
            for (long total = 0; total < records; ) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) {
                    seen[r.partition()].add(r.offset(), r.key(), r.value());
                    total++;
                }
                if (!stops.isEmpty() && total >= stops.get(0)) {
                    stops.remove(0);
                    System.out.println("at " + total);
                    System.in.read();
                }
            }
            // Whatever lies behind the expected end would be there twice.
            for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofSeconds(1))) seen[r.partition()].add(r.offset(), r.key(), r.value());
        }
    }
}

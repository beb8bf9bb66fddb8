import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.CooperativeStickyAssignor;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** One member of the group in a thread of its own. Commits synchronously now and then, on revoke, and before it leaves. */
final class Member implements Runnable, ConsumerRebalanceListener {
    private final String name;
    private final Scenario.Pace pace;
    private final KafkaConsumer<String, String> consumer;
    private final Map<TopicPartition, OffsetAndMetadata> uncommitted = new HashMap<>();
    private final Thread thread = new Thread(this);
    private volatile boolean stopping;
    private volatile Throwable problem;
    volatile int assigned;

    Member(String name, String group, String protocol, Scenario.Pace pace) {
        this.name = name;
        this.pace = pace;
        Properties p = new Properties();
        p.put("bootstrap.servers", Scenario.BROKER);
        p.put("group.id", group);
        p.put("group.protocol", protocol.equals("consumer") ? "consumer" : "classic");
        if (protocol.equals("cooperative")) p.put("partition.assignment.strategy", CooperativeStickyAssignor.class.getName());
        p.put("client.id", name);
        p.put("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("max.poll.records", "100");
        if (!protocol.equals("consumer")) {
            p.put("heartbeat.interval.ms", "300");
            p.put("session.timeout.ms", "30000");
        }
        consumer = new KafkaConsumer<>(p, new StringDeserializer(), new StringDeserializer());
        thread.setName(name);
        thread.start();
    }

    @Override public void run() {
        try (consumer) {
            consumer.subscribe(Scenario.topics(), this);
            long polls = 0;
            while (!stopping) {
                for (ConsumerRecord<String, String> r : consumer.poll(Duration.ofMillis(100))) {
                    if (stopping) break;
                    Scenario.expect(r.headers().lastHeader("suite") != null, "the header is missing");
                    uncommitted.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
                    pace.read(name, r.topic(), r.partition(), r.offset(), r.key(), r.value());
                }
                if (++polls % 10 == 0) commit(List.copyOf(uncommitted.keySet()));
                tell();
            }
            commit(List.copyOf(uncommitted.keySet()));
            while (!uncommitted.isEmpty()) {
                consumer.poll(Duration.ofMillis(100));  // records that come with it are left to the others
                commit(List.copyOf(uncommitted.keySet()));
            }
        } catch (Throwable caught) {
            problem = caught;
            caught.printStackTrace();
        }
        assigned = 0;
        pace.event("L", name);
    }

    private void tell() {
        int now = consumer.assignment().size();
        if (now != assigned) pace.event("A", name, now);
        assigned = now;
    }

    private void commit(Collection<TopicPartition> partitions) {
        Map<TopicPartition, OffsetAndMetadata> offsets = new HashMap<>(uncommitted);
        offsets.keySet().retainAll(partitions);
        if (offsets.isEmpty()) return;
        try {
            consumer.commitSync(offsets);
        } catch (RebalanceInProgressException later) {  // a cooperative rebalance lets the member read on; it commits after it
            return;
        }
        offsets.forEach((tp, offset) -> pace.event("C", name, tp.topic(), tp.partition(), offset.offset()));
        uncommitted.keySet().removeAll(offsets.keySet());
    }

    @Override public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        commit(partitions);
        uncommitted.keySet().removeAll(partitions);  // if that failed the next owner reads them again
    }

    @Override public void onPartitionsLost(Collection<TopicPartition> partitions) { uncommitted.keySet().removeAll(partitions); }

    @Override public void onPartitionsAssigned(Collection<TopicPartition> partitions) { }

    void stop() throws InterruptedException {
        stopping = true;
        thread.join(90_000);
        Scenario.expect(!thread.isAlive(), name + " did not stop");
        if (problem != null) throw new IllegalStateException(name + " failed", problem);
    }
}

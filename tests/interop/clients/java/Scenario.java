import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.BooleanSupplier;

/**
 * What all client programs have in common: names, records, step lines, event file and pace.
 * The driver sets the environment; step lines go to standard output, one JSON object each.
 */
final class Scenario {
    static final String BROKER = System.getenv("INTEROP_BROKER");
    static final String PREFIX = System.getenv("INTEROP_PREFIX");
    static final int RECORDS = Integer.parseInt(System.getenv("INTEROP_RECORDS"));
    static final int PARTITIONS = Integer.parseInt(System.getenv("INTEROP_PARTITIONS"));
    static final boolean KIP848 = "1".equals(System.getenv("INTEROP_KIP848"));
    static final String[] CODECS = {"none", "gzip", "snappy", "lz4", "zstd"};
    private static final String FILLER = "tailwater ".repeat(20);

    static String topic(String codec) { return PREFIX + "-" + codec; }
    static List<String> topics() { return List.of(CODECS).stream().map(Scenario::topic).toList(); }
    static String key(int i) { return "k" + i; }
    static String value(String codec, int i) { return codec + ":" + i + ":" + FILLER.substring(0, (i * 7) % 200); }

    /** Runs one step and says how it went; a failed step does not keep later ones from being tried. */
    static boolean step(String name, Callable<String> work) {
        long start = System.nanoTime();
        String note;
        boolean ok = true;
        try {
            note = work.call();
        } catch (Throwable problem) {
            ok = false;
            note = problem.toString() + (problem.getCause() == null ? "" : " / " + problem.getCause());
            problem.printStackTrace();
        }
        System.out.printf("{\"step\": \"%s\", \"ok\": %s, \"ms\": %d, \"note\": \"%s\"}%n", name, ok,
            (System.nanoTime() - start) / 1_000_000, escape(note));
        System.out.flush();
        return ok;
    }

    /** Real Kafka answers a create before all partitions have their leader, and a change before every broker has it; the driver says how long to wait for that. */
    static void settle() throws InterruptedException {
        Thread.sleep((long) (1000 * Double.parseDouble(System.getenv().getOrDefault("INTEROP_SETTLE", "0"))));
    }

    static void expect(boolean truth, String what) {
        if (!truth) throw new IllegalStateException(what);
    }

    static void await(String what, BooleanSupplier truth) throws InterruptedException {
        long limit = System.nanoTime() + 120_000_000_000L;
        while (!truth.getAsBoolean()) {
            expect(System.nanoTime() < limit, "120 s passed before: " + what);
            Thread.sleep(10);
        }
    }

    private static String escape(String text) {
        return String.valueOf(text).replace("\\", "\\\\").replace("\"", "'").replace("\n", " ").replace("\t", " ");
    }

    /**
     * The group's progress and its speed. Members run freely up to `ceiling`, then slowly, so that a
     * join or leave falls in the middle of the work and polling never stops.
     */
    static final class Pace implements AutoCloseable {
        private final PrintWriter events;
        private final Map<String, Long> next = new HashMap<>();
        private final Set<String> readers = new HashSet<>();
        private long progress;
        private volatile long ceiling;

        Pace(String path) throws IOException { events = new PrintWriter(Files.newBufferedWriter(Path.of(path))); }

        void upTo(double share) { ceiling = (long) (share * RECORDS * CODECS.length); }

        synchronized boolean reached(double share) { return progress >= (long) (share * RECORDS * CODECS.length); }

        synchronized boolean hasRead(String member) { return readers.contains(member); }

        synchronized void event(Object... fields) {
            StringBuilder line = new StringBuilder();
            for (Object field : fields) line.append(line.length() == 0 ? "" : "\t").append(field);
            events.println(line);
        }

        void read(String member, String topic, int partition, long offset, String key, String value) throws InterruptedException {
            synchronized (this) {
                readers.add(member);
                event("R", member, topic, partition, offset, key, value);
                long before = next.merge(topic + "-" + partition, 0L, (have, none) -> have);
                if (offset >= before) {
                    next.put(topic + "-" + partition, offset + 1);
                    progress += offset + 1 - before;
                }
            }
            if (progress >= ceiling) Thread.sleep(5);
        }

        @Override public synchronized void close() { events.close(); }
    }
}

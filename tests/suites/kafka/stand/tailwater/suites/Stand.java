package tailwater.suites;

import java.io.File;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;

/** A Tailwater of a test's own on a loopback port: started, stopped, started again on the same folder and port. */
public final class Stand {
    private static final String PROGRAM = System.getProperty("tailwater");
    private static final Set<String> OWN = Set.of("listeners", "advertised.listeners", "listener.security.protocol.map",
        "inter.broker.listener.name", "security.inter.broker.protocol", "inter.broker.protocol.version", "log.message.format.version",
        "log.dir", "log.dirs", "metadata.log.dir", "process.roles", "broker.id", "early.start.listeners", "group.coordinator.rebalance.protocols",
        "group.coordinator.new.enable", "unstable.api.versions.enable", "unstable.feature.versions.enable", "server.max.startup.time.ms",
        "super.users", "principal.builder.class", "authorizer.class.name");
    /** What one broker cannot have more of. */
    static final Map<String, String> ONE = Map.of("offsets.topic.replication.factor", "1",
        "transaction.state.log.replication.factor", "1", "transaction.state.log.min.isr", "1", "default.replication.factor", "1",
        "min.insync.replicas", "1");

    private final Path folder;
    public final int port;
    private final Map<String, String> settings = new TreeMap<>();
    private Process process;

    public Stand(int id, Map<?, ?> wanted) {
        try (ServerSocket probe = new ServerSocket()) {
            folder = Files.createTempDirectory("suites-broker-");
            probe.setReuseAddress(true);
            probe.bind(new InetSocketAddress(InetAddress.getByName("127.0.0.1"), 0));
            port = probe.getLocalPort();
        } catch (IOException problem) {
            throw new RuntimeException(problem);
        }
        wanted.forEach((name, value) -> {
            String key = name.toString();
            if (value == null || OWN.contains(key) || key.startsWith("zookeeper.") || key.startsWith("controller.")
                || key.startsWith("ssl.") || key.startsWith("sasl.") || key.startsWith("listener.name.")) return;
            settings.put(key, ONE.getOrDefault(key, value.toString()));
        });
        // Expired producers are looked for together with old segments.
        String expiration = settings.remove("producer.id.expiration.check.interval.ms");
        if (expiration != null) settings.put("log.retention.check.interval.ms", expiration);
        settings.putIfAbsent("auto.create.topics.enable", "true");
        settings.putAll(ONE);
        settings.put("node.id", Integer.toString(id));
        settings.put("listeners", "PLAINTEXT://localhost:" + port);
        settings.put("log.dirs", folder.resolve("data").toString());
        settings.put("tailwater.admin.listener", "");
        settings.putIfAbsent("tailwater.shards", System.getProperty("shards", "2"));
    }

    public String address() { return "localhost:" + port; }

    public boolean alive() { return process != null && process.isAlive(); }

    public void start() {
        if (alive()) return;
        try {
            Path properties = folder.resolve("server.properties");
            StringBuilder text = new StringBuilder();
            settings.forEach((name, value) -> text.append(name).append('=').append(value).append('\n'));
            Files.writeString(properties, text.toString());
            File log = folder.resolve("server.log").toFile();
            process = new ProcessBuilder(PROGRAM, "serve", properties.toString()).redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.appendTo(log)).start();
            Process mine = process;
            Runtime.getRuntime().addShutdownHook(new Thread(mine::destroyForcibly));
            for (int i = 0; i < 3000; i++) {
                if (!process.isAlive()) throw new RuntimeException("the broker ended: " + Files.readString(log.toPath()));
                try (Socket socket = new Socket("localhost", port)) {
                    return;
                } catch (IOException notYet) {
                    Thread.sleep(10);
                }
            }
            throw new RuntimeException("the broker did not come up: " + Files.readString(log.toPath()));
        } catch (IOException | InterruptedException problem) {
            throw new RuntimeException(problem);
        }
    }

    /** Stops it; an end otherwise than in good order is an error of the test. */
    public void stop() {
        if (process == null) return;
        boolean lived = process.isAlive();
        process.destroy();
        try {
            if (!process.waitFor(60, TimeUnit.SECONDS)) process.destroyForcibly();
            int code = process.waitFor();
            if (!lived || code != 0)
                throw new AssertionError("the broker ended with " + code + (lived ? "" : " by itself") + ": "
                    + Files.readString(folder.resolve("server.log")));
        } catch (InterruptedException | IOException problem) {
            throw new RuntimeException(problem);
        } finally {
            process = null;
        }
    }

    public void end() {
        stop();
        try (var files = Files.walk(folder)) {
            files.sorted(Comparator.reverseOrder()).forEach(file -> file.toFile().delete());
        } catch (IOException ignored) {
        }
    }
}

package org.apache.kafka.common.test;

import java.util.*;

import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaConfig;
import org.opentest4j.TestAbortedException;
import tailwater.suites.StandIn;

/** One Tailwater, however many brokers are wished. */
public class KafkaClusterTestKit implements AutoCloseable {
    public static class Builder {
        private final TestKitNodes nodes;
        private final Map<String, Object> settings = new HashMap<>();
        public Builder(TestKitNodes nodes) { this.nodes = nodes; }
        public Builder setConfigProp(String key, Object value) { settings.put(key, value); return this; }
        public KafkaClusterTestKit build() { return new KafkaClusterTestKit(nodes, settings); }
    }

    private final TestKitNodes nodes;
    private final BrokerServer broker;
    private final MockFaultHandler faults = new MockFaultHandler("none");

    KafkaClusterTestKit(TestKitNodes nodes, Map<String, Object> given) {
        this.nodes = nodes;
        Map<String, Object> settings = new HashMap<>(given);
        settings.keySet().removeIf(name -> name.startsWith("ssl.") || name.startsWith("sasl."));
        if (String.valueOf(given.get("listeners")).contains("SSL") || given.containsKey("ssl.keystore.location")) throw new TestAbortedException("TLS");
        settings.put("node.id", "0");
        settings.put("process.roles", "broker");
        settings.put("controller.listener.names", "CONTROLLER");
        settings.put("controller.quorum.voters", "3000@localhost:1");
        settings.put("listeners", "PLAINTEXT://localhost:0");
        settings.put("advertised.listeners", "PLAINTEXT://localhost:0");
        settings.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
        settings.put("log.dirs", "/nonexistent");
        broker = StandIn.broker(new KafkaConfig(settings));
    }

    public void format() {}
    public void startup() { broker.startup(); }
    public void waitForReadyBrokers() {}
    public String bootstrapServers() { return "localhost:" + broker.boundPort(null); }
    public String bootstrapControllers() { throw new TestAbortedException("controllers"); }
    public Map<Integer, ControllerServer> controllers() { throw new TestAbortedException("controllers"); }
    public Map<Integer, BrokerServer> brokers() { return Map.of(0, broker); }
    public TestKitNodes nodes() { return nodes; }
    public MockFaultHandler fatalFaultHandler() { return faults; }
    public MockFaultHandler nonFatalFaultHandler() { return faults; }
    public Properties clientProperties() {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrapServers());
        return properties;
    }
    @Override public void close() { StandIn.clear(broker); }
}

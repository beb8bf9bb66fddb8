package org.apache.kafka.common.test.junit;

import java.util.*;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Collectors;

import kafka.network.SocketServer;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import kafka.server.KafkaConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.GroupProtocol;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.TestUtils;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.fault.FaultHandlerException;
import org.junit.jupiter.api.extension.*;
import org.opentest4j.TestAbortedException;
import tailwater.suites.StandIn;

/** The context of Kafka's own test kit, with a Tailwater instead of brokers and controllers in the test's process. */
public class RaftClusterInvocationContext implements TestTemplateInvocationContext {
    private final String baseDisplayName;
    private final ClusterConfig clusterConfig;

    public RaftClusterInvocationContext(String baseDisplayName, ClusterConfig clusterConfig, boolean isCombined) {
        this.baseDisplayName = baseDisplayName;
        this.clusterConfig = clusterConfig;
    }

    @Override public String getDisplayName(int invocationIndex) {
        return String.format("%s [%d] %s", baseDisplayName, invocationIndex, String.join(",", clusterConfig.displayTags()));
    }

    @Override public List<Extension> getAdditionalExtensions() {
        Instance instance = new Instance(clusterConfig);
        return List.of((BeforeEachCallback) context -> { if (clusterConfig.isAutoStart()) instance.start(); },
            (AfterTestExecutionCallback) context -> instance.stop(), new ClusterInstanceParameterResolver(instance));
    }

    private static final class Instance implements ClusterInstance {
        private final ClusterConfig config;
        private final AtomicBoolean started = new AtomicBoolean();
        private final AtomicBoolean stopped = new AtomicBoolean();
        private final BrokerServer broker;
        private final ControllerServer controller;

        Instance(ClusterConfig config) {
            this.config = config;
            Map<String, String> settings = new HashMap<>(config.serverProperties());
            settings.putAll(config.perServerOverrideProperties().getOrDefault(0, Map.of()));
            settings.put("node.id", "0");
            settings.put("process.roles", "broker");
            settings.put("controller.listener.names", "CONTROLLER");
            settings.put("controller.quorum.voters", "3000@localhost:1");
            settings.put("listeners", "PLAINTEXT://localhost:0");
            settings.put("advertised.listeners", "PLAINTEXT://localhost:0");
            settings.put("listener.security.protocol.map", "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT");
            settings.put("log.dirs", "/nonexistent");
            settings.putIfAbsent("unstable.api.versions.enable", "true");
            settings.putIfAbsent("offsets.topic.num.partitions", "5");
            settings.putIfAbsent("group.initial.rebalance.delay.ms", "0");
            broker = StandIn.broker(new KafkaConfig(settings));
            controller = StandIn.controller(this::bootstrapServers);
        }

        @Override public String bootstrapServers() { return "localhost:" + broker.boundPort(null); }
        @Override public String bootstrapControllers() { throw new TestAbortedException("controllers"); }
        @Override public ListenerName clientListener() { return config.brokerListenerName(); }
        @Override public ListenerName controllerListenerName() { return new ListenerName("CONTROLLER"); }
        @Override public Collection<SocketServer> controllerSocketServers() { throw new TestAbortedException("controllers"); }
        @Override public String clusterId() { return broker.clusterId(); }
        @Override public Type type() { return Type.KRAFT; }
        @Override public ClusterConfig config() { return config; }
        @Override public Set<Integer> controllerIds() { return Set.of(3000); }
        @Override public Map<Integer, KafkaBroker> brokers() { return Map.of(0, broker); }
        @Override public Map<Integer, ControllerServer> controllers() { return Map.of(3000, controller); }
        @Override public Set<GroupProtocol> supportedGroupProtocols() { return Set.of(GroupProtocol.CLASSIC); }
        @Override public Optional<FaultHandlerException> firstFatalException() { return Optional.empty(); }
        @Override public Optional<FaultHandlerException> firstNonFatalException() { return Optional.empty(); }
        @Override public void waitForReadyBrokers() {}
        @Override public boolean started() { return started.get(); }
        @Override public boolean stopped() { return stopped.get(); }
        @Override public void shutdownBroker(int id) { broker.shutdown(); }
        @Override public void startBroker(int id) { broker.startup(); }

        @Override public void start() {
            if (config.brokerSecurityProtocol() != org.apache.kafka.common.security.auth.SecurityProtocol.PLAINTEXT)
                throw new TestAbortedException("security");
            if (started.compareAndSet(false, true)) broker.startup();
        }

        @Override public void stop() {
            if (stopped.compareAndSet(false, true)) StandIn.clear();
        }

        @Override public void createTopic(String topic, int partitions, short replicas, Map<String, String> props) throws InterruptedException {
            try (Admin admin = admin()) {
                admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(props))).all().get();
            } catch (java.util.concurrent.ExecutionException problem) {
                throw new RuntimeException(problem);
            }
        }

        @Override public void waitForTopic(String topic, int partitions) throws InterruptedException {
            TestUtils.waitForCondition(() -> broker.metadataCache().numPartitions(topic).orElse(0) == partitions, 60000L,
                topic + " metadata not propagated after 60000 ms");
        }
    }
}

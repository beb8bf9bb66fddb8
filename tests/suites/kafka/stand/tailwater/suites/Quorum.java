package tailwater.suites;

import kafka.server.BrokerServer;
import kafka.server.KafkaConfig;
import kafka.server.KRaftQuorumImplementation;
import org.junit.jupiter.api.TestInfo;
import org.opentest4j.TestAbortedException;

/** Instead of a quorum of controllers: a maker of brokers. */
public final class Quorum {
    private Quorum() {}

    public static KRaftQuorumImplementation make(TestInfo test) {
        String name = test.getDisplayName();
        if (name.contains("groupProtocol=consumer") || name.contains("kraft+kip848")) throw new TestAbortedException("KIP-848 is not offered");
        if (name.contains("quorum=zk") || name.matches(".*\\bzk\\b.*")) throw new TestAbortedException("ZooKeeper");
        String[] address = {null};
        var controller = StandIn.controller(() -> address[0]);
        return StandIn.of(KRaftQuorumImplementation.class, (method, arguments) -> switch (method.getName()) {
            case "createBroker" -> {
                BrokerServer broker = StandIn.broker((KafkaConfig) arguments[0]);
                address[0] = "localhost:" + broker.boundPort(null);
                if ((Boolean) arguments[2]) broker.startup();
                yield broker;
            }
            case "controllerServer" -> controller;
            case "shutdown" -> { StandIn.clear(); yield null; }
            default -> StandIn.NO;
        });
    }
}

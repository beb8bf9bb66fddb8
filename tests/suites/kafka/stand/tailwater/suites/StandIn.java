package tailwater.suites;

import java.lang.reflect.Method;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.CompletableFuture;

import kafka.network.SocketServer;
import kafka.server.BrokerServer;
import kafka.server.ControllerServer;
import kafka.server.KafkaConfig;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;
import org.apache.kafka.metadata.BrokerState;
import org.mockito.Mockito;
import org.mockito.stubbing.Answer;
import org.opentest4j.TestAbortedException;

/**
 * What a test holds instead of a broker of its own process: it knows what can be asked from outside. Whoever reaches
 * further in is ended as "aborted", so that it counts neither as passed nor as failed.
 */
public final class StandIn {
    private StandIn() {}

    interface Facts {
        Object ask(Method method, Object[] arguments) throws Throwable;
    }

    static final Object NO = new Object();
    private static final List<Stand> MADE = new java.util.ArrayList<>();

    /** Ends all brokers and removes what they kept. */
    public static synchronized void clear() {
        AssertionError first = null;
        for (Stand stand : MADE) {
            try {
                stand.end();
            } catch (AssertionError problem) {
                first = problem;
            }
        }
        MADE.clear();
        STANDS.clear();
        if (first != null) throw first;
    }

    public static <T> T of(Class<T> type, Facts facts) {
        Answer<Object> answer = call -> {
            Method method = call.getMethod();
            String name = method.getName();
            if (name.equals("toString")) return "stand-in of " + type.getSimpleName();
            if (name.equals("hashCode")) return System.identityHashCode(call.getMock());
            if (name.equals("equals")) return call.getMock() == call.getArgument(0);
            Object result = facts.ask(method, call.getRawArguments());
            if (result == NO) throw new TestAbortedException("reaches into " + type.getSimpleName() + ": " + name);
            return result;
        };
        return Mockito.mock(type, Mockito.withSettings().defaultAnswer(answer).stubOnly());
    }

    private static final Map<BrokerServer, Stand> STANDS = new java.util.IdentityHashMap<>();

    /** Ends one broker and removes what it kept. */
    public static synchronized void clear(BrokerServer broker) {
        Stand stand = STANDS.remove(broker);
        MADE.remove(stand);
        if (stand != null) stand.end();
    }

    /** Something of which one number matters. */
    static Object number(Class<?> type, String name, Object value) {
        return of(type, (method, arguments) -> method.getName().equals(name) ? value : NO);
    }

    /** Null if there is no such topic. */
    static TopicDescription describe(String address, String topic) {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            return admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        } catch (java.util.concurrent.ExecutionException problem) {
            if (problem.getCause() instanceof UnknownTopicOrPartitionException) return null;
            throw new RuntimeException(problem);
        } catch (InterruptedException problem) {
            throw new RuntimeException(problem);
        }
    }

    public static BrokerServer broker(KafkaConfig wanted) {
        Map<String, Object> settings = new HashMap<>(wanted.originals());
        settings.putAll(Stand.ONE);
        KafkaConfig config = new KafkaConfig(settings, false);
        Stand stand = new Stand(config.brokerId(), config.originals());
        MADE.add(stand);
        SocketServer socket = of(SocketServer.class, (method, arguments) ->
            method.getName().equals("boundPort") ? stand.port : NO);
        BrokerServer made = of(BrokerServer.class, (method, arguments) -> switch (method.getName()) {
            case "config" -> config;
            case "boundPort" -> stand.port;
            case "socketServer" -> socket;
            case "brokerState" -> stand.alive() ? BrokerState.RUNNING : BrokerState.NOT_RUNNING;
            case "dataPlaneRequestProcessor" -> of(method.getReturnType(), (question, words) -> switch (question.getName()) {
                case "clusterId" -> clusterId(stand);
                case "brokerId" -> config.brokerId();
                case "metadataCache" -> of(question.getReturnType(), (inner, more) -> Versions.metadata(stand.address(), inner, more, config));
                default -> NO;
            });
            case "isShutdown" -> !stand.alive();
            case "startup" -> { stand.start(); yield null; }
            case "shutdown" -> { stand.stop(); yield null; }
            case "awaitShutdown" -> null;
            case "clusterId" -> clusterId(stand);
            case "metadataCache" -> of(method.getReturnType(), (question, words) -> Versions.metadata(stand.address(), question, words, config));
            case "groupCoordinator" -> of(method.getReturnType(), (question, words) ->
                question.getName().equals("groupMetadataTopicConfigs") ? new Properties() : NO);
            case "replicaManager" -> of(method.getReturnType(), (question, words) -> switch (question.getName()) {
                case "onlinePartition" -> partition(stand, question, words[0]);
                case "localLog" -> log(stand, question, words[0]);
                case "logManager" -> logs(stand, question);
                default -> NO;
            });
            case "logManager" -> logs(stand, method);
            case "sharedServer" -> of(method.getReturnType(), (question, words) -> question.getName().equals("loader")
                ? number(question.getReturnType(), "lastAppliedOffset", Long.MAX_VALUE) : NO);
            case "authorizer", "authorizerPlugin" -> scala.Option.empty();
            default -> NO;
        });
        STANDS.put(made, stand);
        return made;
    }

    private static Object logs(Stand stand, Method method) {
        return of(method.getReturnType(), (question, words) -> question.getName().equals("getLog") ? log(stand, question, words[0]) : NO);
    }

    private static boolean exists(Stand stand, org.apache.kafka.common.TopicPartition place) {
        TopicDescription found = stand.alive() ? describe(stand.address(), place.topic()) : null;
        return found != null && place.partition() < found.partitions().size();
    }

    private static Object maybe(Method question, Object value) {
        if (question.getReturnType() == Optional.class) return Optional.ofNullable(value);
        return scala.Option.apply(value);
    }

    private static Object partition(Stand stand, Method question, Object where) {
        var place = (org.apache.kafka.common.TopicPartition) where;
        if (!exists(stand, place)) return maybe(question, null);
        return maybe(question, of(kafka.cluster.Partition.class, (method, arguments) -> switch (method.getName()) {
            case "leaderLogIfLocal" -> log(stand, method, where);
            case "isLeader" -> true;
            default -> NO;
        }));
    }

    private static Object log(Stand stand, Method question, Object where) throws Exception {
        var place = (org.apache.kafka.common.TopicPartition) where;
        if (!exists(stand, place)) return maybe(question, null);
        String name = Versions.LOG;
        return maybe(question, of(Class.forName(name), (method, arguments) -> switch (method.getName()) {
            case "logStartOffset" -> offset(stand, place, org.apache.kafka.clients.admin.OffsetSpec.earliest());
            case "logEndOffset", "highWatermark" -> offset(stand, place, org.apache.kafka.clients.admin.OffsetSpec.latest());
            case "producerStateManager" -> of(method.getReturnType(), (inner, words) ->
                inner.getName().equals("activeProducers") ? producers(stand, place) : NO);
            default -> NO;
        }));
    }

    private static long offset(Stand stand, org.apache.kafka.common.TopicPartition place, org.apache.kafka.clients.admin.OffsetSpec spec) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", stand.address()))) {
            return admin.listOffsets(Map.of(place, spec)).partitionResult(place).get().offset();
        }
    }

    private static Map<Long, Object> producers(Stand stand, org.apache.kafka.common.TopicPartition place) throws Exception {
        Map<Long, Object> found = new HashMap<>();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", stand.address()))) {
            admin.describeProducers(List.of(place)).partitionResult(place).get().activeProducers().forEach(each ->
                found.put(each.producerId(), new org.apache.kafka.storage.internals.log.ProducerStateEntry(each.producerId(),
                    (short) each.producerEpoch(), each.coordinatorEpoch().orElse(-1), each.lastTimestamp(),
                    each.currentTransactionStartOffset(), Optional.empty())));
        }
        return found;
    }

    static String clusterId(Stand stand) throws Exception {
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", stand.address()))) {
            return admin.describeCluster().clusterId().get();
        }
    }

    /** Its questions about topics are answered by the broker that was started last. */
    public static ControllerServer controller(java.util.function.Supplier<String> address) {
        return of(ControllerServer.class, (method, arguments) -> switch (method.getName()) {
            case "raftManager" -> of(method.getReturnType(), (question, words) -> question.getName().equals("replicatedLog")
                ? of(question.getReturnType(), (further, more) -> further.getName().equals("endOffset")
                    ? Versions.endOffset() : NO) : NO);
            case "controller" -> of(method.getReturnType(), (question, words) -> switch (question.getName()) {
                case "findAllTopicIds" -> CompletableFuture.completedFuture(ids(address.get()));
                case "findTopicIds" -> {
                    Map<String, Uuid> all = ids(address.get());
                    Map<String, Object> found = new HashMap<>();
                    for (Object name : (java.util.Collection<?>) words[1])
                        found.put((String) name, new org.apache.kafka.controller.ResultOrError<>(all.getOrDefault(name, Uuid.ZERO_UUID)));
                    yield CompletableFuture.completedFuture(found);
                }
                default -> NO;
            });
            case "shutdown", "awaitShutdown" -> null;
            case "authorizer", "authorizerPlugin" -> scala.Option.empty();
            default -> NO;
        });
    }

    static Map<String, Uuid> ids(String address) throws Exception {
        Map<String, Uuid> found = new HashMap<>();
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", address))) {
            admin.listTopics(new org.apache.kafka.clients.admin.ListTopicsOptions().listInternal(true)).listings().get()
                .forEach(topic -> found.put(topic.name(), topic.topicId()));
        }
        return found;
    }
}

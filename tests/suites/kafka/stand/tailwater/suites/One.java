package tailwater.suites;

import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** What tests ask of three brokers, brought down to the one that there is. What makes no sense on three stays as it is. */
public final class One {
    private One() {}

    public static short replica(short replicationFactor) {
        return replicationFactor == 2 || replicationFactor == 3 ? 1 : replicationFactor;
    }

    public static Map<Integer, List<Integer>> brokers(Map<Integer, List<Integer>> assignments) {
        Map<Integer, List<Integer>> here = new HashMap<>();
        assignments.forEach((partition, brokers) ->
            here.put(partition, !brokers.isEmpty() && brokers.stream().allMatch(id -> id >= 0 && id <= 2) ? List.of(0) : brokers));
        return here;
    }
}

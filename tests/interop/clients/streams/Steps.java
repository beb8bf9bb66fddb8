import java.util.concurrent.Callable;

/** What both applications have in common: step lines on standard output, one JSON object each, and waiting for a truth. */
final class Steps {
    private Steps() {}

    static boolean step(String name, Callable<String> work) {
        long start = System.nanoTime();
        String note;
        boolean ok = true;
        try {
            note = work.call();
        } catch (Throwable problem) {
            ok = false;
            note = problem.toString();
            problem.printStackTrace();
        }
        System.out.printf("{\"step\": \"%s\", \"ok\": %s, \"ms\": %d, \"note\": \"%s\"}%n", name, ok,
            (System.nanoTime() - start) / 1_000_000, note.replace("\\", "/").replace("\"", "'").replace("\n", " "));
        return ok;
    }

    static void expect(boolean truth, String what) {
        if (!truth) throw new IllegalStateException(what);
    }

    interface Truth { boolean holds() throws Exception; }

    static void await(String what, Truth truth) throws Exception {
        long limit = System.nanoTime() + 120_000_000_000L;
        while (!truth.holds()) {
            expect(System.nanoTime() < limit, "120 s passed before: " + what);
            Thread.sleep(50);
        }
    }
}

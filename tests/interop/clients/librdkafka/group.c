/* The group: two members, a third joins, one leaves, all stop, a new one resumes. Each member is a thread that
 * commits synchronously now and then, on revoke, and before it leaves. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

struct member {
  const char *name;
  pthread_t thread;
  rd_kafka_t *consumer;
  int64_t done[CODECS][64]; /* offset after the last read, 0 when there is nothing to commit */
  int64_t first[CODECS][64]; /* where the broker's committed offset lets this member start */
  int assigned;
  bool stopping, failed;
};

static struct member members[4] = {{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}};

static int load(const int *value) { return __atomic_load_n(value, __ATOMIC_SEQ_CST); }

/* Commits what was read of these partitions, of all when `only` is null. */
static void commit(struct member *m, const rd_kafka_topic_partition_list_t *only) {
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(8);
  for (int c = 0; c < CODECS; c++)
    for (int p = 0; p < partitions; p++) {
      const char *topic = topic_of(codec_names[c]);
      if (!m->done[c][p] || (only && !rd_kafka_topic_partition_list_find((void *)only, topic, p))) continue;
      rd_kafka_topic_partition_list_add(list, topic, p)->offset = m->done[c][p];
      m->done[c][p] = 0;
    }
  if (list->cnt) {
    rd_kafka_resp_err_t error = rd_kafka_commit(m->consumer, list, 0);
    if (error) {
      fprintf(stderr, "%s: commit: %s\n", m->name, rd_kafka_err2str(error));
      m->failed = true;
    } else {
      for (int i = 0; i < list->cnt; i++)
        pace_committed(m->name, list->elems[i].topic, list->elems[i].partition, list->elems[i].offset);
    }
  }
  rd_kafka_topic_partition_list_destroy(list);
}

static int codec_of(const char *topic) {
  for (int c = 0; c < CODECS; c++)
    if (!strcmp(topic, topic_of(codec_names[c]))) return c;
  return 0;
}

static void set_start(struct member *m, rd_kafka_topic_partition_t *partition) {
  m->first[codec_of(partition->topic)][partition->partition] = partition->offset;
  if (partition->offset < 0) partition->offset = RD_KAFKA_OFFSET_BEGINNING;
}

static void rebalanced(rd_kafka_t *consumer, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t *list, void *opaque) {
  struct member *m = opaque;
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS) {
    /* 2.0.2 now and then starts a partition that it had before at a stale offset, whatever was committed or asked
     * for: the member knows the right start and passes over what lies before it. */
    if (rd_kafka_committed(consumer, list, 60000)) m->failed = true;
    for (int i = 0; i < list->cnt; i++)
      set_start(m, &list->elems[i]);
    rd_kafka_assign(consumer, list);
    __atomic_store_n(&m->assigned, list->cnt, __ATOMIC_SEQ_CST);
    return;
  }
  if (!rd_kafka_assignment_lost(consumer)) commit(m, list);
  memset(m->done, 0, sizeof m->done);
  __atomic_store_n(&m->assigned, 0, __ATOMIC_SEQ_CST);
  rd_kafka_assign(consumer, NULL);
}

static void read_one(struct member *m, rd_kafka_message_t *message) {
  const char *topic = rd_kafka_topic_name(message->rkt);
  rd_kafka_headers_t *headers;
  if (message->err || rd_kafka_message_headers(message, &headers)) {
    fprintf(stderr, "%s: %s\n", m->name, message->err ? rd_kafka_message_errstr(message) : "the header is missing");
    m->failed = true;
    return;
  }
  if (message->offset < m->first[codec_of(topic)][message->partition]) return;
  m->done[codec_of(topic)][message->partition] = message->offset + 1;
  pace_read(m->name, topic, message->partition, message->offset, message->key, (int)message->key_len, message->payload,
            (int)message->len);
}

static void *live(void *with) {
  struct member *m = with;
  rd_kafka_conf_t *conf = base_conf(m->name);
  char group[160], why[256];
  snprintf(group, sizeof group, "%s-group", prefix);
  conf_set(conf, "group.id", group);
  conf_set(conf, "auto.offset.reset", "earliest");
  conf_set(conf, "enable.auto.commit", "false");
  conf_set(conf, "heartbeat.interval.ms", "300");
  conf_set(conf, "session.timeout.ms", "30000");
  rd_kafka_conf_set_rebalance_cb(conf, rebalanced);
  rd_kafka_conf_set_opaque(conf, m);
  m->consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  rd_kafka_poll_set_consumer(m->consumer);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(CODECS);
  for (int c = 0; c < CODECS; c++) rd_kafka_topic_partition_list_add(topics, topic_of(codec_names[c]), RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(m->consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  for (int reads = 0; !__atomic_load_n(&m->stopping, __ATOMIC_SEQ_CST);) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(m->consumer, 100);
    if (!message) continue;
    read_one(m, message);
    rd_kafka_message_destroy(message);
    if (++reads % 1000 == 0) commit(m, NULL);
  }
  commit(m, NULL);
  rd_kafka_consumer_close(m->consumer);
  rd_kafka_destroy(m->consumer);
  pace_left(m->name);
  return NULL;
}

static void start(struct member *m) { pthread_create(&m->thread, NULL, live, m); }

static bool stop(struct member *m) {
  __atomic_store_n(&m->stopping, true, __ATOMIC_SEQ_CST);
  pthread_join(m->thread, NULL);
  return !m->failed;
}

/* `with` is a string with the names of the members that shall hold all partitions between them. */
static bool shared(void *with) {
  int total = 0;
  for (const char *name = with; *name; name++) {
    int assigned = load(&members[*name - 'a'].assigned);
    if (!assigned) return false;
    total += assigned;
  }
  return total == partitions * CODECS;
}

static bool reached(void *with) { return pace_reached(*(double *)with); }

static bool has_read(void *with) { return pace_has_read(with); }

static bool read_up_to(double share, char *note, int size) {
  pace_up_to(share);
  if (await_truth(reached, &share)) return true;
  return snprintf(note, size, "120 s passed before %.0f %% were read", 100 * share), false;
}

static bool await_shared(const char *names, char *note, int size) {
  if (!await_truth(shared, (void *)names)) return snprintf(note, size, "120 s passed before %s shared all partitions", names), false;
  int at = 0;
  for (const char *name = names; *name; name++)
    at += snprintf(note + at, size - at, "%s%d", at ? "+" : "", load(&members[*name - 'a'].assigned));
  return true;
}

static bool phase_two(char *note, int size, void *with) {
  (void)with;
  pace_up_to(0.20);
  start(&members[0]);
  start(&members[1]);
  if (!await_shared("ab", note, size)) return false;
  if (!await_truth(has_read, "a") || !await_truth(has_read, "b")) return snprintf(note, size, "120 s passed before both read"), false;
  return read_up_to(0.20, note, size);
}

static bool phase_join(char *note, int size, void *with) {
  (void)with;
  start(&members[2]);
  if (!await_shared("abc", note, size)) return false;
  if (!await_truth(has_read, "c")) return snprintf(note, size, "120 s passed before the third read"), false;
  return read_up_to(0.45, note, size);
}

static bool phase_leave(char *note, int size, void *with) {
  (void)with;
  if (!stop(&members[1])) return snprintf(note, size, "b failed"), false;
  if (!await_shared("ac", note, size) || !read_up_to(0.70, note, size)) return false;
  bool a = stop(&members[0]), c = stop(&members[2]);
  return (a && c) || (snprintf(note, size, "a or c failed"), false);
}

static bool phase_resume(char *note, int size, void *with) {
  double all = 1;
  pace_up_to(2);
  start(&members[3]);
  if (!await_truth(reached, &all)) return snprintf(note, size, "120 s passed before everything was read"), false;
  bool described = describe_group(with, 1, note, size);
  if (!stop(&members[3])) return snprintf(note, size, "d failed"), false;
  return described;
}

void run_group(rd_kafka_t *admin) {
  pace_open();
  bool good = run_step("group", phase_two, NULL) && run_step("join", phase_join, NULL) && run_step("leave", phase_leave, NULL) &&
              run_step("resume", phase_resume, admin);
  if (good) pace_close();
}

/* The transactional scenario (its plan: driver/scenario.py, Txn): numbered transactions of records number:i, record i
 * in partition i % PARTITIONS. librdkafka's admin client knows no transactions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

enum { PARTITIONS = 3, SIZE = 12, ENDS = 40, BATCH = 40, LIVES = 3, LIMIT_MS = 120000 };
enum { FENCED = 40, FENCER, OPEN, ABANDONED, AFTER, LAST };

static char input[128], output[128], group[128];
static FILE *events;
static rd_kafka_t *x, *y;
static int committed; /* records in the input, not counting what is aborted */

/* True when there is no error; otherwise the note has it. Takes the error. */
static bool good(rd_kafka_error_t *error, const char *what, char *note, int size) {
  if (!error) return true;
  snprintf(note, size, "%s: %s", what, rd_kafka_error_string(error));
  rd_kafka_error_destroy(error);
  return false;
}

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  if (message->err) *(rd_kafka_resp_err_t *)opaque = message->err;
}

static rd_kafka_resp_err_t delivery; /* the last error of any producer's record */

static rd_kafka_t *new_producer(const char *name, const char *timeout_ms, char *note, int size) {
  rd_kafka_conf_t *conf = base_conf(name);
  char id[160];
  snprintf(id, sizeof id, "%s-%s", prefix, name);
  conf_set(conf, "transactional.id", id);
  conf_set(conf, "transaction.timeout.ms", timeout_ms);
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_conf_set_opaque(conf, &delivery);
  rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, note, size);
  if (!producer || good(rd_kafka_init_transactions(producer, LIMIT_MS), "init", note, size)) return producer;
  rd_kafka_destroy(producer);
  return NULL;
}

static bool put(rd_kafka_t *producer, const char *topic, int partition, const char *value, char *note, int size) {
  rd_kafka_resp_err_t error =
      rd_kafka_producev(producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                        RD_KAFKA_V_VALUE((void *)value, strlen(value)), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
  return !error || (snprintf(note, size, "produce: %s", rd_kafka_err2str(error)), false);
}

/* Returns when the records are in the log. */
static bool settle_sends(rd_kafka_t *producer, char *note, int size) {
  rd_kafka_resp_err_t error = rd_kafka_flush(producer, LIMIT_MS);
  if (!error) error = delivery;
  return !error || (snprintf(note, size, "delivery: %s", rd_kafka_err2str(error)), false);
}

static bool send_part(rd_kafka_t *producer, const char *topic, int number, int from, int to, char *note, int size) {
  for (int i = from; i < to; i++) {
    char value[32];
    snprintf(value, sizeof value, "%d:%d", number, i);
    if (!put(producer, topic, i % PARTITIONS, value, note, size)) return false;
  }
  return settle_sends(producer, note, size);
}

static bool begin(rd_kafka_t *producer, char *note, int size) {
  return good(rd_kafka_begin_transaction(producer), "begin", note, size);
}

static bool end(rd_kafka_t *producer, int number, bool commit, char *note, int size) {
  rd_kafka_error_t *error = commit ? rd_kafka_commit_transaction(producer, LIMIT_MS) : rd_kafka_abort_transaction(producer, LIMIT_MS);
  if (!good(error, commit ? "commit" : "abort", note, size)) return false;
  if (commit && number != LAST) committed += SIZE;
  fprintf(events, "E\t%d\t%s\n", number, commit ? "commit" : "abort");
  return true;
}

static bool open_one(rd_kafka_t *producer, const char *topic, int number, char *note, int size) {
  return begin(producer, note, size) && send_part(producer, topic, number, 0, SIZE, note, size);
}

static bool transact(rd_kafka_t *producer, const char *topic, int number, bool commit, char *note, int size) {
  return open_one(producer, topic, number, note, size) && end(producer, number, commit, note, size);
}

/* A commit that must not succeed any more. */
static bool refused(rd_kafka_t *producer, int number, const char *fate, char *note, int size) {
  rd_kafka_error_t *error = rd_kafka_commit_transaction(producer, LIMIT_MS);
  if (!error) return snprintf(note, size, "transaction %d was committed", number), false;
  rd_kafka_resp_err_t code = rd_kafka_error_code(error);
  bool expected = code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED ||
                  code == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH || code == RD_KAFKA_RESP_ERR_INVALID_TXN_STATE;
  snprintf(note, size, "%s", rd_kafka_error_name(error));
  rd_kafka_error_destroy(error);
  if (expected) fprintf(events, "E\t%d\t%s\n", number, fate);
  return expected;
}

static bool step_ends(char *note, int size, void *with) {
  (void)with;
  for (int t = 0; t < ENDS; t += 2) {
    bool all = begin(x, note, size) && begin(y, note, size) && send_part(x, input, t, 0, SIZE / 2, note, size) &&
               send_part(y, input, t + 1, 0, SIZE, note, size) && send_part(x, input, t, SIZE / 2, SIZE, note, size) &&
               end(y, t + 1, (t + 1) % 3 != 1, note, size) && end(x, t, t % 3 != 1, note, size);
    if (!all) return false;
  }
  if (!transact(x, input, OPEN, false, note, size)) return false;
  return snprintf(note, size, "%d transactions, each opened within another", ENDS), true;
}

static bool step_fence(char *note, int size, void *with) {
  (void)with;
  rd_kafka_t *first = new_producer("f", "60000", note, size), *second = NULL;
  bool all = first && open_one(first, input, FENCED, note, size) && (second = new_producer("f", "60000", note, size)) &&
             transact(second, input, FENCER, true, note, size) && refused(first, FENCED, "fenced", note, size);
  if (second) rd_kafka_destroy(second);
  if (first) rd_kafka_destroy(first);
  delivery = 0;
  return all;
}

static rd_kafka_t *new_consumer(const char *isolation, const char *group_id) {
  char level[32], why[256];
  snprintf(level, sizeof level, "read_%s", isolation);
  rd_kafka_conf_t *conf = base_conf(group_id);
  conf_set(conf, "group.id", group_id);
  conf_set(conf, "isolation.level", level);
  conf_set(conf, "auto.offset.reset", "earliest");
  conf_set(conf, "enable.auto.commit", "false");
  conf_set(conf, "fetch.wait.max.ms", "100");
  rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
  if (!consumer) {
    fprintf(stderr, "%s\n", why);
    exit(2);
  }
  rd_kafka_poll_set_consumer(consumer);
  return consumer;
}

struct reading {
  rd_kafka_t *consumer;
  const char *isolation, *topic;
  int last, ended, count; /* ended: partitions of which the last record was read */
  bool noted, failed;
};

static void read_one(struct reading *r, rd_kafka_message_t *message) {
  if (message->err) {
    fprintf(stderr, "%s\n", rd_kafka_message_errstr(message));
    r->failed = true;
  } else {
    char end_value[32];
    snprintf(end_value, sizeof end_value, "%d:%d", r->last, SIZE - PARTITIONS + message->partition);
    r->count++;
    r->ended += strlen(end_value) == message->len && !memcmp(end_value, message->payload, message->len);
    if (r->noted)
      fprintf(events, "R\t%s\t%s\t%d\t%ld\t%.*s\n", r->isolation, r->topic, message->partition, (long)message->offset,
              (int)message->len, (const char *)message->payload);
  }
}

static bool all_read(void *with) {
  struct reading *r = with;
  rd_kafka_message_t *message;
  while (!r->failed && r->ended < PARTITIONS && (message = rd_kafka_consumer_poll(r->consumer, 100))) {
    read_one(r, message);
    rd_kafka_message_destroy(message);
  }
  return r->failed || r->ended == PARTITIONS;
}

/* Reads all partitions of a topic up to the last record of a transaction; -1 when that does not come. */
static int read_all(const char *isolation, const char *topic, int last, bool noted) {
  struct reading r = {.isolation = isolation, .topic = topic, .last = last, .noted = noted};
  char reader[160];
  snprintf(reader, sizeof reader, "%s-reader", group);
  r.consumer = new_consumer(isolation, reader);
  rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(PARTITIONS);
  for (int p = 0; p < PARTITIONS; p++) rd_kafka_topic_partition_list_add(list, topic, p)->offset = RD_KAFKA_OFFSET_BEGINNING;
  rd_kafka_assign(r.consumer, list);
  rd_kafka_topic_partition_list_destroy(list);
  bool whole = await_truth(all_read, &r) && !r.failed;
  rd_kafka_consumer_close(r.consumer);
  rd_kafka_destroy(r.consumer);
  return whole ? r.count : -1;
}

/* A reader of committed records gets past an abandoned transaction only when the broker has ended it. */
static bool step_timeout(char *note, int size, void *with) {
  (void)with;
  rd_kafka_t *abandoned = new_producer("z", "3000", note, size); /* also ends its own sends: a first one takes a second */
  bool all = abandoned && open_one(abandoned, input, ABANDONED, note, size) && transact(x, input, AFTER, true, note, size);
  if (all && read_all("committed", input, AFTER, false) < 0) all = (snprintf(note, size, "it was not ended"), false);
  all = all && refused(abandoned, ABANDONED, "expired", note, size);
  if (abandoned) rd_kafka_destroy(abandoned);
  delivery = 0;
  return all;
}

struct taking {
  rd_kafka_t *consumer;
  rd_kafka_message_t *taken[BATCH];
  int count;
  bool failed;
};

/* A batch: what comes while records follow each other closely, at least one. */
static bool take(void *with) {
  struct taking *t = with;
  rd_kafka_message_t *message;
  while (t->count < BATCH && (message = rd_kafka_consumer_poll(t->consumer, t->count ? 10 : 100))) {
    if (message->err) {
      fprintf(stderr, "%s\n", rd_kafka_message_errstr(message));
      rd_kafka_message_destroy(message);
      return t->failed = true;
    }
    t->taken[t->count++] = message;
  }
  return t->count > 0;
}

static bool send_offsets(rd_kafka_t *producer, struct taking *t, char *note, int size) {
  rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(PARTITIONS);
  for (int i = 0; i < t->count; i++) {
    rd_kafka_topic_partition_t *place = rd_kafka_topic_partition_list_find(offsets, input, t->taken[i]->partition);
    if (!place) place = rd_kafka_topic_partition_list_add(offsets, input, t->taken[i]->partition);
    place->offset = t->taken[i]->offset + 1;
  }
  rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata(t->consumer);
  rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(producer, offsets, metadata, LIMIT_MS);
  rd_kafka_consumer_group_metadata_destroy(metadata);
  rd_kafka_topic_partition_list_destroy(offsets);
  return good(error, "offsets", note, size);
}

/* How many records were transformed, in a transaction of their own; -1 when it failed. */
static int batch(rd_kafka_t *consumer, rd_kafka_t *producer, bool commit, char *note, int size) {
  struct taking t = {.consumer = consumer};
  if (!await_truth(take, &t) || t.failed) return snprintf(note, size, "nothing came"), -1;
  bool all = begin(producer, note, size);
  for (int i = 0; i < t.count && all; i++) {
    char value[64];
    snprintf(value, sizeof value, "out:%.*s", (int)t.taken[i]->len, (const char *)t.taken[i]->payload);
    all = put(producer, output, t.taken[i]->partition, value, note, size);
  }
  all = all && settle_sends(producer, note, size) && send_offsets(producer, &t, note, size) &&
        good(commit ? rd_kafka_commit_transaction(producer, LIMIT_MS) : rd_kafka_abort_transaction(producer, LIMIT_MS), "end", note, size);
  for (int i = 0; i < t.count; i++) rd_kafka_message_destroy(t.taken[i]);
  return all ? t.count : -1;
}

/* One consumer's share: batches are committed up to the goal, then one is aborted, if the next consumer is to do it again. */
static bool live(rd_kafka_t *producer, int *done, int *aborted, int goal, bool last, char *note, int size) {
  rd_kafka_t *consumer = new_consumer("committed", group);
  rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(topics, input, RD_KAFKA_PARTITION_UA);
  rd_kafka_subscribe(consumer, topics);
  rd_kafka_topic_partition_list_destroy(topics);
  int count = 0;
  while (count >= 0 && *done < goal) {
    count = batch(consumer, producer, true, note, size);
    *done += count;
  }
  if (count >= 0 && !last) {
    count = batch(consumer, producer, false, note, size);
    *aborted += count;
  }
  rd_kafka_consumer_close(consumer);
  rd_kafka_destroy(consumer);
  return count >= 0;
}

static bool step_transform(char *note, int size, void *with) {
  (void)with;
  rd_kafka_t *producer = new_producer("transform", "60000", note, size);
  int done = 0, aborted = 0;
  bool all = producer;
  for (int life = 1; life <= LIVES && all; life++)
    all = live(producer, &done, &aborted, committed * life / LIVES, life == LIVES, note, size);
  if (producer) rd_kafka_destroy(producer);
  if (!all) return false;
  if (done != committed) return snprintf(note, size, "%d of %d were handed out", done, committed), false;
  if (!transact(x, output, LAST, true, note, size)) return false;
  return snprintf(note, size, "%d records, and %d in vain", done, aborted), true;
}

static bool step_read(char *note, int size, void *with) {
  (void)with;
  int counts[4] = {read_all("committed", input, AFTER, true), read_all("committed", output, LAST, true),
                   read_all("uncommitted", input, AFTER, true), read_all("uncommitted", output, LAST, true)};
  snprintf(note, size, "%d+%d committed %d+%d uncommitted", counts[0], counts[1], counts[2], counts[3]);
  return counts[0] >= 0 && counts[1] >= 0 && counts[2] >= 0 && counts[3] >= 0;
}

static bool step_start(char *note, int size, void *with) {
  snprintf(input, sizeof input, "%s-txn-in", prefix);
  snprintf(output, sizeof output, "%s-txn-out", prefix);
  snprintf(group, sizeof group, "%s-txn-group", prefix);
  if (!create_topic(with, input, PARTITIONS, note, size) || !create_topic(with, output, PARTITIONS, note, size)) return false;
  settle();
  return (x = new_producer("x", "60000", note, size)) && (y = new_producer("y", "60000", note, size));
}

void run_transactions(rd_kafka_t *admin) {
  char path[512];
  snprintf(path, sizeof path, "%s@txn", getenv("INTEROP_EVENTS"));
  if (!(events = fopen(path, "w"))) exit(2);
  bool all = run_step("txn.start", step_start, admin) && run_step("txn.ends", step_ends, NULL) && run_step("txn.fence", step_fence, NULL) &&
             run_step("txn.timeout", step_timeout, NULL) && run_step("txn.transform", step_transform, NULL) &&
             run_step("txn.read", step_read, NULL);
  (void)all;
  if (x) rd_kafka_destroy(x);
  if (y) rd_kafka_destroy(y);
  fclose(events);
}

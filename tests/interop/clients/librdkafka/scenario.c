#include "scenario.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

const char *const codec_names[CODECS] = {"none", "gzip", "snappy", "lz4", "zstd"};
const char *broker, *prefix;
int records, partitions;

static char topic_names[CODECS + 1][128];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *events;
static bool readers[256]; /* by the first letter of the member's name */
static int64_t next_offset[CODECS][64], progress, ceiling;

static const char *need(const char *name) {
  const char *value = getenv(name);
  if (!value) {
    fprintf(stderr, "%s is not set\n", name);
    exit(2);
  }
  return value;
}

void scenario_init(void) {
  broker = need("INTEROP_BROKER");
  prefix = need("INTEROP_PREFIX");
  records = atoi(need("INTEROP_RECORDS"));
  partitions = atoi(need("INTEROP_PARTITIONS"));
  for (int c = 0; c < CODECS; c++) snprintf(topic_names[c], sizeof topic_names[c], "%s-%s", prefix, codec_names[c]);
  snprintf(topic_names[CODECS], sizeof topic_names[CODECS], "%s-scratch", prefix);
}

const char *topic_of(const char *codec) {
  for (int c = 0; c < CODECS; c++)
    if (!strcmp(codec, codec_names[c])) return topic_names[c];
  return topic_names[CODECS];
}

void make_key(char *out, int i) { snprintf(out, KEY_SIZE, "k%d", i); }

void make_value(char *out, const char *codec, int i) {
  int at = snprintf(out, VALUE_SIZE, "%s:%d:", codec, i);
  for (int n = 0; n < (i * 7) % 200; n++) out[at++] = "tailwater "[n % 10];
  out[at] = 0;
}

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool run_step(const char *name, step_fn *work, void *with) {
  char note[512] = "";
  int64_t start = now_ms();
  bool ok = work(note, sizeof note, with);
  for (char *c = note; *c; c++)
    if (*c == '"' || *c == '\\' || (unsigned char)*c < ' ') *c = '\'';
  printf("{\"step\": \"%s\", \"ok\": %s, \"ms\": %ld, \"note\": \"%s\"}\n", name, ok ? "true" : "false",
         (long)(now_ms() - start), note);
  fflush(stdout);
  return ok;
}

void settle(void) {
  const char *seconds = getenv("INTEROP_SETTLE");
  usleep((useconds_t)(1e6 * atof(seconds ? seconds : "0")));
}

bool await_truth(bool (*truth)(void *), void *with) {
  int64_t limit = now_ms() + 120000;
  while (!truth(with)) {
    if (now_ms() > limit) return false;
    usleep(10000);
  }
  return true;
}

void pace_open(void) {
  events = fopen(need("INTEROP_EVENTS"), "w");
  if (!events) exit(2);
}

static int64_t part(double share) { return (int64_t)(share * records * CODECS); }

void pace_up_to(double share) { __atomic_store_n(&ceiling, part(share), __ATOMIC_SEQ_CST); }
bool pace_reached(double share) { return __atomic_load_n(&progress, __ATOMIC_SEQ_CST) >= part(share); }

bool pace_has_read(const char *member) { return __atomic_load_n(&readers[(unsigned char)*member], __ATOMIC_SEQ_CST); }

/* Members run freely up to the ceiling, then slowly, so that a join or leave falls in the middle of the
 * work and polling never stops. */
void pace_read(const char *member, const char *topic, int partition, int64_t offset, const char *key, int key_size,
               const char *value, int value_size) {
  __atomic_store_n(&readers[(unsigned char)*member], true, __ATOMIC_SEQ_CST);
  pthread_mutex_lock(&lock);
  fprintf(events, "R\t%s\t%s\t%d\t%ld\t%.*s\t%.*s\n", member, topic, partition, (long)offset, key_size, key, value_size, value);
  for (int c = 0; c < CODECS; c++)
    if (!strcmp(topic, topic_names[c]) && offset >= next_offset[c][partition]) {
      __atomic_add_fetch(&progress, offset + 1 - next_offset[c][partition], __ATOMIC_SEQ_CST);
      next_offset[c][partition] = offset + 1;
    }
  pthread_mutex_unlock(&lock);
  if (__atomic_load_n(&progress, __ATOMIC_SEQ_CST) >= __atomic_load_n(&ceiling, __ATOMIC_SEQ_CST)) usleep(5000);
}

void pace_committed(const char *member, const char *topic, int partition, int64_t offset) {
  pthread_mutex_lock(&lock);
  fprintf(events, "C\t%s\t%s\t%d\t%ld\n", member, topic, partition, (long)offset);
  pthread_mutex_unlock(&lock);
}

void pace_left(const char *member) {
  pthread_mutex_lock(&lock);
  fprintf(events, "L\t%s\n", member);
  pthread_mutex_unlock(&lock);
}

void pace_close(void) {
  pthread_mutex_lock(&lock);
  fclose(events);
  pthread_mutex_unlock(&lock);
}

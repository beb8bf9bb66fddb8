/* The scenario with librdkafka's C interface. murmur2 is configured, its default is CRC-32. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

void conf_set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char why[256];
  if (rd_kafka_conf_set(conf, name, value, why, sizeof why) != RD_KAFKA_CONF_OK) {
    fprintf(stderr, "%s\n", why);
    exit(2);
  }
}

rd_kafka_conf_t *base_conf(const char *client_id) {
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  conf_set(conf, "bootstrap.servers", broker);
  conf_set(conf, "client.id", client_id);
  return conf;
}

struct delivery {
  int good, bad;
  rd_kafka_resp_err_t last;
};

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque) {
  (void)client;
  struct delivery *d = opaque;
  if (message->err)
    d->bad++, d->last = message->err;
  else
    d->good++;
}

static bool step_produce(char *note, int size, void *with) {
  const char *codec = with;
  struct delivery d = {0};
  rd_kafka_conf_t *conf = base_conf("producer");
  conf_set(conf, "compression.type", codec);
  conf_set(conf, "partitioner", "murmur2");
  conf_set(conf, "enable.idempotence", "true");
  conf_set(conf, "linger.ms", "20");
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_conf_set_opaque(conf, &d);
  char why[256];
  rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
  if (!producer) return snprintf(note, size, "%s", why), false;
  for (int i = 0; i < records; i++) {
    char key[KEY_SIZE], value[VALUE_SIZE];
    make_key(key, i);
    make_value(value, codec, i);
    rd_kafka_resp_err_t error = rd_kafka_producev(
        producer, RD_KAFKA_V_TOPIC(topic_of(codec)), RD_KAFKA_V_KEY(key, strlen(key)), RD_KAFKA_V_VALUE(value, strlen(value)),
        RD_KAFKA_V_HEADER("suite", "interop", 7), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    if (error) return snprintf(note, size, "produce: %s", rd_kafka_err2str(error)), false;
    rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 120000);
  rd_kafka_destroy(producer);
  if (d.good != records || d.bad)
    return snprintf(note, size, "%d delivered, %d failed, %s", d.good, d.bad, rd_kafka_err2str(d.last)), false;
  return snprintf(note, size, "acks=all, idempotent"), true;
}

int main(void) {
  scenario_init();
  char why[256];
  rd_kafka_t *admin = rd_kafka_new(RD_KAFKA_PRODUCER, base_conf("admin"), why, sizeof why);
  if (!admin) return 2;
  run_step("create", step_create, admin);
  for (int c = 0; c < CODECS; c++) {
    char name[64];
    snprintf(name, sizeof name, "produce.%s", codec_names[c]);
    run_step(name, step_produce, (void *)codec_names[c]);
  }
  run_group(admin);
  run_step("admin.topics", step_topics, admin);
  run_step("admin.groups", step_groups, admin);
  run_step("admin.offsets", step_offsets, admin);
  run_step("admin.configs", step_configs, admin);
  run_step("admin.delete", step_delete, admin);
  run_transactions(admin);
  rd_kafka_destroy(admin);
  return 0;
}

/* The parts of the C client program. */
#pragma once

#include <librdkafka/rdkafka.h>

#include "scenario.h"

rd_kafka_conf_t *base_conf(const char *client_id);
void conf_set(rd_kafka_conf_t *conf, const char *name, const char *value); /* exits when it is refused */

void run_group(rd_kafka_t *admin);
void run_transactions(rd_kafka_t *admin);
bool create_topic(rd_kafka_t *admin, const char *topic, int count, char *note, int size);
bool describe_group(rd_kafka_t *admin, int members, char *note, int size);

step_fn step_create, step_topics, step_groups, step_offsets, step_configs, step_delete; /* with: the admin client */

/* The admin side. librdkafka 2.0.2 has no IncrementalAlterConfigs, ListOffsets or DescribeTopics in its admin
 * client: AlterConfigs, query_watermark_offsets, offsets_for_times and metadata stand in for them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client.h"

static rd_kafka_queue_t *queue;

/* Waits for the answer to one admin request; the caller destroys the event. */
static rd_kafka_event_t *answer(char *note, int size) {
  rd_kafka_event_t *event = rd_kafka_queue_poll(queue, 60000);
  if (event && !rd_kafka_event_error(event)) return event;
  snprintf(note, size, "%s", event ? rd_kafka_event_error_string(event) : "no answer in 60 s");
  if (event) rd_kafka_event_destroy(event);
  return NULL;
}

static bool topics_good(rd_kafka_event_t *event, rd_kafka_resp_err_t wanted, char *note, int size) {
  size_t count = 0;
  const rd_kafka_topic_result_t **results = NULL;
  if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_CREATETOPICS_RESULT)
    results = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event), &count);
  else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETETOPICS_RESULT)
    results = rd_kafka_DeleteTopics_result_topics(rd_kafka_event_DeleteTopics_result(event), &count);
  else
    results = rd_kafka_CreatePartitions_result_topics(rd_kafka_event_CreatePartitions_result(event), &count);
  bool good = count > 0;
  for (size_t i = 0; i < count; i++)
    if (rd_kafka_topic_result_error(results[i]) != wanted) {
      snprintf(note, size, "%s: %s", rd_kafka_topic_result_name(results[i]), rd_kafka_err2str(rd_kafka_topic_result_error(results[i])));
      good = false;
    }
  rd_kafka_event_destroy(event);
  return good;
}

static bool create(rd_kafka_t *admin, const char *topic, int count, rd_kafka_resp_err_t wanted, char *note, int size) {
  rd_kafka_NewTopic_t *new_topic = rd_kafka_NewTopic_new(topic, count, 1, NULL, 0);
  rd_kafka_CreateTopics(admin, &new_topic, 1, NULL, queue);
  rd_kafka_NewTopic_destroy(new_topic);
  rd_kafka_event_t *event = answer(note, size);
  return event && topics_good(event, wanted, note, size);
}

bool create_topic(rd_kafka_t *admin, const char *topic, int count, char *note, int size) {
  return create(admin, topic, count, RD_KAFKA_RESP_ERR_NO_ERROR, note, size);
}

bool step_create(char *note, int size, void *with) {
  queue = rd_kafka_queue_new(with);
  for (int c = 0; c < CODECS; c++)
    if (!create(with, topic_of(codec_names[c]), partitions, RD_KAFKA_RESP_ERR_NO_ERROR, note, size)) return false;
  settle();
  if (!create(with, topic_of("none"), 1, RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, note, size)) return false;
  return snprintf(note, size, "second create refused"), true;
}

static int partition_count(rd_kafka_t *admin, const char *topic) {
  const struct rd_kafka_metadata *metadata;
  int count = -1;
  if (rd_kafka_metadata(admin, 1, NULL, &metadata, 60000)) return -1;
  for (int i = 0; i < metadata->topic_cnt; i++)
    if (!strcmp(metadata->topics[i].topic, topic) && !metadata->topics[i].err) count = metadata->topics[i].partition_cnt;
  rd_kafka_metadata_destroy(metadata);
  return count;
}

bool step_topics(char *note, int size, void *with) {
  for (int c = 0; c < CODECS; c++) {
    int count = partition_count(with, topic_of(codec_names[c]));
    if (count != partitions) return snprintf(note, size, "%s has %d partitions", topic_of(codec_names[c]), count), false;
  }
  char *cluster = rd_kafka_clusterid(with, 60000);
  snprintf(note, size, "cluster %s, controller %d", cluster ? cluster : "?", rd_kafka_controllerid(with, 60000));
  rd_kafka_mem_free(with, cluster);
  return cluster != NULL;
}

bool describe_group(rd_kafka_t *admin, int members, char *note, int size) {
  char group[160];
  const char *name = group;
  snprintf(group, sizeof group, "%s-group", prefix);
  rd_kafka_DescribeConsumerGroups(admin, &name, 1, NULL, queue);
  rd_kafka_event_t *event = answer(note, size);
  if (!event) return false;
  size_t count;
  const rd_kafka_ConsumerGroupDescription_t **found =
      rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
  bool good = count == 1 && !rd_kafka_ConsumerGroupDescription_error(found[0]) &&
              rd_kafka_ConsumerGroupDescription_member_count(found[0]) == (size_t)members;
  if (count)
    snprintf(note, size, "described: %zu members, %d alive, %s", rd_kafka_ConsumerGroupDescription_member_count(found[0]), members,
             rd_kafka_consumer_group_state_name(rd_kafka_ConsumerGroupDescription_state(found[0])));
  rd_kafka_event_destroy(event);
  return good;
}

bool step_groups(char *note, int size, void *with) {
  char group[160];
  snprintf(group, sizeof group, "%s-group", prefix);
  rd_kafka_ListConsumerGroups(with, NULL, queue);
  rd_kafka_event_t *event = answer(note, size);
  if (!event) return false;
  size_t count;
  bool listed = false;
  const rd_kafka_ConsumerGroupListing_t **found =
      rd_kafka_ListConsumerGroups_result_valid(rd_kafka_event_ListConsumerGroups_result(event), &count);
  for (size_t i = 0; i < count; i++) listed |= !strcmp(rd_kafka_ConsumerGroupListing_group_id(found[i]), group);
  rd_kafka_event_destroy(event);
  if (!listed) return snprintf(note, size, "the group is not listed"), false;
  return describe_group(with, 0, note, size);
}

static int64_t committed_of(const rd_kafka_topic_partition_list_t *list, const char *topic, int partition) {
  const rd_kafka_topic_partition_t *found = rd_kafka_topic_partition_list_find((void *)list, topic, partition);
  return found && !found->err ? found->offset : -1;
}

/* End, first offset by time and committed offset of every partition. */
static bool offsets_good(rd_kafka_t *admin, const rd_kafka_topic_partition_list_t *committed, char *note, int size) {
  int64_t total = 0;
  for (int c = 0; c < CODECS; c++)
    for (int p = 0; p < partitions; p++) {
      const char *topic = topic_of(codec_names[c]);
      int64_t low, high, have = committed_of(committed, topic, p);
      rd_kafka_topic_partition_list_t *by_time = rd_kafka_topic_partition_list_new(1);
      rd_kafka_topic_partition_list_add(by_time, topic, p)->offset = 0;
      rd_kafka_resp_err_t error = rd_kafka_query_watermark_offsets(admin, topic, p, &low, &high, 60000);
      if (!error) error = rd_kafka_offsets_for_times(admin, by_time, 60000);
      int64_t first = by_time->elems[0].offset;
      rd_kafka_topic_partition_list_destroy(by_time);
      if (error || low != 0 || first != 0 || have != high)
        return snprintf(note, size, "%s-%d: %s, low %ld, first by time %ld, end %ld, committed %ld", topic, p, rd_kafka_err2str(error),
                        (long)low, (long)first, (long)high, (long)have),
               false;
      total += high;
    }
  return snprintf(note, size, "%ld at the end", (long)total), true;
}

bool step_offsets(char *note, int size, void *with) {
  char group[160];
  snprintf(group, sizeof group, "%s-group", prefix);
  rd_kafka_ListConsumerGroupOffsets_t *ask = rd_kafka_ListConsumerGroupOffsets_new(group, NULL);
  rd_kafka_ListConsumerGroupOffsets(with, &ask, 1, NULL, queue);
  rd_kafka_ListConsumerGroupOffsets_destroy(ask);
  rd_kafka_event_t *event = answer(note, size);
  if (!event) return false;
  size_t count;
  const rd_kafka_group_result_t **groups =
      rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
  bool good = count == 1 && offsets_good(with, rd_kafka_group_result_partitions(groups[0]), note, size);
  rd_kafka_event_destroy(event);
  return good;
}

bool step_configs(char *note, int size, void *with) {
  rd_kafka_ConfigResource_t *resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic_of("none"));
  rd_kafka_ConfigResource_set_config(resource, "retention.ms", "86400001");
  rd_kafka_AlterConfigs(with, &resource, 1, NULL, queue);
  rd_kafka_ConfigResource_destroy(resource);
  rd_kafka_event_t *event = answer(note, size);
  if (!event) return false;
  rd_kafka_event_destroy(event);
  settle();
  resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic_of("none"));
  rd_kafka_DescribeConfigs(with, &resource, 1, NULL, queue);
  rd_kafka_ConfigResource_destroy(resource);
  if (!(event = answer(note, size))) return false;
  size_t count, entries = 0;
  bool good = false;
  const rd_kafka_ConfigResource_t **found =
      rd_kafka_DescribeConfigs_result_resources(rd_kafka_event_DescribeConfigs_result(event), &count);
  const rd_kafka_ConfigEntry_t **list = count ? rd_kafka_ConfigResource_configs(found[0], &entries) : NULL;
  for (size_t i = 0; i < entries; i++)
    good |= !strcmp(rd_kafka_ConfigEntry_name(list[i]), "retention.ms") && !strcmp(rd_kafka_ConfigEntry_value(list[i]), "86400001");
  snprintf(note, size, "%zu topic keys, AlterConfigs", entries);
  rd_kafka_event_destroy(event);
  return good;
}

struct expected {
  rd_kafka_t *admin;
  int count;
};

static bool has_count(void *with) {
  struct expected *e = with;
  return partition_count(e->admin, topic_of("scratch")) == e->count;
}

bool step_delete(char *note, int size, void *with) {
  const char *scratch = topic_of("scratch");
  if (!create(with, scratch, 1, RD_KAFKA_RESP_ERR_NO_ERROR, note, size)) return false;
  settle();
  rd_kafka_NewPartitions_t *more = rd_kafka_NewPartitions_new(scratch, 3, NULL, 0);
  rd_kafka_CreatePartitions(with, &more, 1, NULL, queue);
  rd_kafka_NewPartitions_destroy(more);
  rd_kafka_event_t *event = answer(note, size);
  if (!event || !topics_good(event, RD_KAFKA_RESP_ERR_NO_ERROR, note, size)) return false;
  if (!await_truth(has_count, &(struct expected){with, 3})) return snprintf(note, size, "there are not three partitions"), false;
  rd_kafka_DeleteTopic_t *gone = rd_kafka_DeleteTopic_new(scratch);
  rd_kafka_DeleteTopics(with, &gone, 1, NULL, queue);
  rd_kafka_DeleteTopic_destroy(gone);
  event = answer(note, size);
  if (!event || !topics_good(event, RD_KAFKA_RESP_ERR_NO_ERROR, note, size)) return false;
  if (!await_truth(has_count, &(struct expected){with, -1})) return snprintf(note, size, "it is still listed"), false;
  return snprintf(note, size, "partitions added, topic deleted"), true;
}

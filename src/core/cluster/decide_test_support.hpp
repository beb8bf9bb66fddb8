// Small clusters and requests for the tests of decisions. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/cluster/changelog.hpp"
#include "core/cluster/decide.hpp"

namespace tailwater::cluster {

inline constexpr BrokerId kSelf{1};

inline Registration registration(std::int32_t id, std::optional<std::string> rack = std::nullopt) {
  return {BrokerId{id},
          10 + id,
          Uuid{1, static_cast<std::uint64_t>(id)},
          std::move(rack),
          {{"PLAINTEXT", "h" + std::to_string(id), 9092, 0}},
          {Uuid{2, static_cast<std::uint64_t>(id)}}};
}

inline std::vector<Registration> registrations(std::int32_t count) {
  std::vector<Registration> all;
  for (std::int32_t id = 1; id <= count; ++id) all.push_back(registration(id));
  return all;
}

// A draft of a cluster with `brokers` live brokers, numbered from 1; what made it is not among its frames.
inline Draft draft_with(std::int32_t brokers, const ConfigValues& properties = {}) {
  const ParsedBrokerConfig parsed = parse_broker_config(properties);
  EXPECT_EQ(parsed.first_error(), "");
  Draft draft(kSelf, parsed.config, std::make_shared<const MetadataImage>(), 7);
  decide_bootstrap(draft, "cluster");
  decide_brokers(draft, registrations(brokers));
  draft.take_frames();
  return draft;
}

inline wire::CreateTopicsRequestCreatableTopic wanted_topic(std::string name, std::int32_t partitions = 1,
                                                            std::int16_t replicas = 1) {
  wire::CreateTopicsRequestCreatableTopic topic;
  topic.name = std::move(name);
  topic.num_partitions = partitions;
  topic.replication_factor = replicas;
  return topic;
}

inline void make_topic(Draft& draft, const std::string& name, std::int32_t partitions = 1,
                       std::int16_t replicas = 1) {
  wire::CreateTopicsRequest request;
  request.topics = {wanted_topic(name, partitions, replicas)};
  const auto response = decide(draft, request);
  ASSERT_EQ(response.topics.at(0).error_code, wire::ErrorCode::none) << *response.topics.at(0).error_message;
}

// "code: message" of an item.
template <class Item>
std::string said(const Item& item) {
  if (item.error_code == wire::ErrorCode::none) return item.error_message ? "none with a message" : "none";
  return std::string(wire::name(item.error_code)) + ": " + item.error_message.value_or("(no message)");
}

// That the frames of a draft make its image, from the image that it began with.
inline void expect_frames_make(const MetadataImage& from, Draft& draft) {
  ImageEditor editor(from);
  for (const Buffer& frame : draft.take_frames()) {
    const auto record = decode_record(frame);
    ASSERT_TRUE(record);
    ASSERT_TRUE(editor.apply(*record));
  }
  const ImageHandle image =
      editor.finish(draft.image().version, {draft.image().controller, draft.image().controller_epoch, 0});
  EXPECT_EQ(write_snapshot(*image), write_snapshot(draft.image()));
}

}  // namespace tailwater::cluster

// Goal: exactly Kafka's topic names are allowed, and names that differ only in '.' and '_' collide. Method:
// every byte as a letter; lengths around the limit; collisions with few and with many separators against a
// plain search.
#include "core/cluster/topic_name.hpp"

#include <gtest/gtest.h>

namespace tailwater::cluster {
namespace {

MetadataImage image_of(const std::vector<std::string>& names) {
  MetadataImage image;
  TopicsByName::Editor editor(image.topics);
  for (const std::string& name : names) {
    auto topic = std::make_shared<Topic>();
    topic->name = name;
    editor.set(std::move(topic));
  }
  image.topics = editor.finish();
  return image;
}

std::string colliding(const MetadataImage& image, std::string_view name) {
  const TopicHandle found = colliding_topic(image, name);
  return found != nullptr ? found->name : "";
}

TEST(TopicName, EveryByteIsAllowedOrNot) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  for (int byte = 0; byte < 256; ++byte) {
    const std::string name{'a', static_cast<char>(byte)};
    const bool allowed = kAllowed.find(static_cast<char>(byte)) != std::string_view::npos;
    EXPECT_EQ(topic_name_error(name).has_value(), !allowed) << byte;
  }
}

TEST(TopicName, LengthsAndDots) {
  EXPECT_EQ(topic_name_error(""), "A topic name cannot be empty");
  EXPECT_EQ(topic_name_error("."), "A topic name cannot be '.' or '..'");
  EXPECT_TRUE(topic_name_error(".."));
  EXPECT_FALSE(topic_name_error("..."));
  EXPECT_FALSE(topic_name_error(std::string(249, 'a')));
  EXPECT_EQ(topic_name_error(std::string(250, 'a')),
            "A topic name has at most 249 characters; this one has 250");
}

TEST(TopicName, Collisions) {
  const MetadataImage image = image_of({"a.b", "plain", "x_y_z", "m.n.o.p.q.r.s.t", "m.n.o.p.q.r.s_u"});
  EXPECT_EQ(colliding(image, "a_b"), "a.b");
  EXPECT_EQ(colliding(image, "a.b"), "");
  EXPECT_EQ(colliding(image, "a-b"), "");
  EXPECT_EQ(colliding(image, "plain"), "");
  EXPECT_EQ(colliding(image, "x.y_z"), "x_y_z");
  EXPECT_EQ(colliding(image, "x.y.z.w"), "");
  EXPECT_EQ(colliding(image, "m_n_o_p_q_r_s_t"), "m.n.o.p.q.r.s.t");
  EXPECT_EQ(colliding(image, "m.n.o.p.q.r.s.u"), "m.n.o.p.q.r.s_u");
  EXPECT_EQ(colliding(image, "m.n.o.p.q.r.s.t"), "");
  EXPECT_EQ(colliding(image, "m_n_o_p_q_r_s_v"), "");
}

TEST(TopicName, EverySpellingOfEverySmallNameIsFound) {
  // All names of up to five letters out of {a . _}: each pair collides exactly if only separators differ.
  std::vector<std::string> names{""};
  for (std::size_t at = 0; at < names.size(); ++at) {
    if (names[at].size() == 4) break;
    const std::string stem = names[at];
    for (const char letter : {'a', '.', '_'}) names.push_back(stem + letter);
  }
  for (const std::string& existing : names) {
    const MetadataImage image = image_of({existing});
    for (const std::string& name : names) {
      bool expected = name != existing && name.size() == existing.size();
      for (std::size_t at = 0; expected && at < name.size(); ++at)
        expected = (name[at] == 'a') == (existing[at] == 'a');
      EXPECT_EQ(colliding(image, name) == existing && !existing.empty(), expected) << existing << " " << name;
    }
  }
}

}  // namespace
}  // namespace tailwater::cluster

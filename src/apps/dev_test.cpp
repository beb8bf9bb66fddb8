// Goal: the development broker's settings are valid for the real configuration and say what the banner
// promises. Method: the real parser on them; golden banner.
#include "apps/dev.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "apps/settings.hpp"
#include "core/cluster/config.hpp"

namespace tailwater::apps {
namespace {

TEST(Dev, DataFolder) {
  EXPECT_EQ(default_data_folder("/x", "/home/u"), "/x/tailwater/dev");
  EXPECT_EQ(default_data_folder("relative", "/home/u"), "/home/u/.local/share/tailwater/dev");
  EXPECT_EQ(default_data_folder(nullptr, "/home/u"), "/home/u/.local/share/tailwater/dev");
  EXPECT_EQ(default_data_folder(nullptr, nullptr), "");
}

TEST(Dev, PropertiesAreValidWithAndWithoutAContainer) {
  for (const char* container : {"", "abc123"}) {
    const auto parsed =
        cluster::parse_broker_config(dev_properties({"/data", 9192, "127.0.0.1:9644", container}));
    EXPECT_TRUE(parsed.valid()) << parsed.first_error();
    for (const auto& notice : parsed.notices)
      EXPECT_NE(notice.kind, cluster::ConfigNotice::Kind::unknown) << notice.key;
    EXPECT_EQ(parsed.config.group_initial_rebalance_delay_ms, 0);
    EXPECT_EQ(parsed.config.offsets_topic_replication_factor, 1);
    EXPECT_TRUE(parsed.config.auto_create_topics);
    EXPECT_EQ(parsed.config.advertised_listeners.at(0).host, "localhost");
    EXPECT_EQ(parsed.config.advertised_listeners.size(), container[0] == 0 ? 1u : 2u);
  }
}

TEST(Dev, Banner) {
  EXPECT_EQ(dev_banner({"0.1.0", "localhost:9092", {}, "127.0.0.1:9644", "/data"}),
            "Tailwater 0.1.0 is ready.\n"
            "\n"
            "  Broker   localhost:9092\n"
            "  HTTP     http://127.0.0.1:9644  (/metrics, /readyz)\n"
            "  Data     /data\n"
            "\n"
            "Next, in another terminal:\n"
            "\n"
            "  echo hello | kcat -b localhost:9092 -t greetings -P\n"
            "  kcat -b localhost:9092 -t greetings -C -e\n"
            "  curl -s http://127.0.0.1:9644/metrics\n"
            "\n"
            "Ctrl-C stops the broker; the data stay.\n");
}

TEST(Settings, Overrides) {
  cluster::ConfigValues properties = {{"a", "1"}, {"b", "2"}};
  ASSERT_TRUE(apply_overrides(properties, {"a=3", "c=x=y", "b="}).has_value());
  EXPECT_EQ(properties, (cluster::ConfigValues{{"a", "3"}, {"b", ""}, {"c", "x=y"}}));
  EXPECT_FALSE(apply_overrides(properties, {"nonsense"}).has_value());
  EXPECT_FALSE(apply_overrides(properties, {"=x"}).has_value());
}

}  // namespace
}  // namespace tailwater::apps

// Goal: the development broker's settings are valid for the real configuration and say what the banner
// promises. Method: the real parser on them; golden banner.
#include "apps/dev.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "shell/config/config_loader.hpp"

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
    shell::ConfigInput input;
    input.defaults = dev_properties({"/data", 9192, "127.0.0.1:9644", container, 19192});
    input.strictness = shell::Strictness::strict;
    const auto loaded = shell::load_config(input);
    ASSERT_TRUE(loaded.has_value()) << loaded.error().front();
    EXPECT_EQ(loaded->broker.group_initial_rebalance_delay_ms, 0);
    EXPECT_EQ(loaded->broker.offsets_topic_replication_factor, 1);
    EXPECT_TRUE(loaded->broker.auto_create_topics);
    EXPECT_EQ(loaded->broker.advertised_listeners.at(0).host, "localhost");
    EXPECT_EQ(loaded->broker.advertised_listeners.size(), container[0] == 0 ? 1u : 2u);
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
            "  echo \"first event\" | tailwater produce hello\n"
            "  tailwater consume hello -o start -n 1\n"
            "  tailwater topic describe hello\n"
            "\n"
            "Ctrl-C stops the broker; the data stay.\n");
}

TEST(Dev, BannerOfAProgramElsewhereAtAnotherPort) {
  using ::testing::HasSubstr;
  EXPECT_THAT(dev_banner({"0.1.0", "localhost:9192", {}, {}, "/data", "build/release/tailwater"}),
              HasSubstr("  build/release/tailwater consume hello -o start -n 1 -B localhost:9192\n"));
  EXPECT_THAT(dev_banner({"0.1.0", "localhost:9092", {}, {}, "/data", "/my programs/it's/tailwater"}),
              HasSubstr("  '/my programs/it'\\''s/tailwater' topic describe hello\n"));
}

}  // namespace
}  // namespace tailwater::apps

// Goal: a shard's storage takes its part of what the process has. Method: looks at the options that it gets.
#include "node/storage_options.hpp"

#include <gtest/gtest.h>

#include "node/context.hpp"

namespace tailwater::node {
namespace {

TEST(StorageOptions, segments_are_closed_before_the_shard_runs_out_of_files) {
  ShardOptions options;
  EXPECT_EQ(storage_options(options).open_files_max, log::StorageOptions{}.open_files_max);
  options.files_max = 1'000;
  EXPECT_EQ(storage_options(options).open_files_max, 750U);
  options.files_max = 1'000'000;
  EXPECT_EQ(storage_options(options).open_files_max, log::StorageOptions{}.open_files_max);
}

TEST(StorageOptions, logs_are_not_looked_at_without_a_pause) {
  ShardOptions options;
  options.config.log_cleaner_backoff_ms = 0;
  EXPECT_EQ(storage_options(options).compaction_interval, Duration::from_ms(1));
}

}  // namespace
}  // namespace tailwater::node

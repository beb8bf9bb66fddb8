// Goal: whatever a broker may leak is seen, and nothing else. Method: a broker that is right in having it.
#include "sim/leftovers.hpp"

#include <gtest/gtest.h>

#include <memory>

#include "sim/test_world.hpp"
#include "wire/api/delete_topics.hpp"

namespace tailwater::sim {
namespace {

class LeftoversTest : public testing::Test {
 protected:
  std::string found() { return leftovers(world.broker, world.disk, "t"); }

  TestWorld world{2};
};

TEST_F(LeftoversTest, a_fresh_broker_has_none) {
  EXPECT_EQ(found(), "");
}

TEST_F(LeftoversTest, a_connection_and_a_fetch_that_waits) {
  {
    Line line(world);
    create_topic(line, "another", 1);
    wire::FetchRequest request = fetching("another", 0, 0);
    request.max_wait_ms = 20'000;
    request.min_bytes = 1;
    line.post(12, request);
    world.pass(Duration::from_ms(50));
    const std::string text = found();
    for (const char* each :
         {"1 connections in the network", "1 connections at the broker", "1 waiting fetches"})
      EXPECT_NE(text.find(each), std::string::npos) << text;
  }
  world.pass(Duration::from_ms(50));
  EXPECT_EQ(found(), "");
}

TEST_F(LeftoversTest, the_folder_of_a_deleted_topic) {
  {
    Line line(world);
    create_topic(line, "t", 1, {{"file.delete.delay.ms", "3000"}});
    produce(line, "t", 0, batch_of(1, 1'700'000'000'000));
  }
  // Only now it has a folder.
  world.stop();
  world.start();
  {
    Line line(world);
    wire::DeleteTopicsRequest request;
    request.timeout_ms = 10'000;
    request.topics.push_back({.name = std::string("t"), .topic_id = {}});
    EXPECT_EQ(line.ask(6, request).responses.at(0).error_code, wire::ErrorCode::none);
  }
  world.pass(Duration::from_ms(1'000));
  EXPECT_NE(found().find("folder of a deleted topic, 0/t-0"), std::string::npos) << found();
  world.pass(Duration::from_ms(5'000));
  EXPECT_EQ(found(), "");
}

TEST_F(LeftoversTest, a_file_that_is_open_and_has_no_name) {
  const std::uint64_t user = world.disk.enter([](DiskDone) {});
  const auto carry_out = [&](DiskOp op) {
    world.disk.submit(user, std::move(op));
    world.pass(Duration::from_ms(10));
  };
  carry_out({.kind = DiskOpKind::create_folder, .path = "x"});
  carry_out({.kind = DiskOpKind::open, .file = FileId{1}, .path = "x/file", .create = true});
  EXPECT_EQ(found(), "");
  carry_out({.kind = DiskOpKind::remove, .path = "x/file"});
  EXPECT_EQ(found(), "1 open file without a name, 0/x/file");
  world.disk.leave(user);
  EXPECT_EQ(found(), "");
}

}  // namespace
}  // namespace tailwater::sim

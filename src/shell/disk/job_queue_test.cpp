// Goal: what gives blocks back never takes the last thread, is never put off for good, and all else keeps its order. Method:
// jobs that nobody runs are taken as threads would.
#include "shell/disk/job_queue.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace tailwater::shell {
namespace {

class JobQueueTest : public ::testing::Test {
 protected:
  void push(DiskOpKind kind, bool urgent = false) {
    FolderJob job;
    job.kind = kind;
    job.number = ++last_;
    job.urgent = urgent;
    queue_.push(std::move(job));
  }
  // The numbers of what a thread is given.
  std::vector<std::uint64_t> take() {
    std::vector<FolderJob> jobs;
    queue_.take(jobs);
    std::vector<std::uint64_t> numbers;
    for (const FolderJob& job : jobs) numbers.push_back(job.number);
    return numbers;
  }
  void end(DiskOpKind kind) {
    std::vector<FolderJob> jobs(1);
    jobs[0].kind = kind;
    queue_.ended(jobs);
  }

  using Numbers = std::vector<std::uint64_t>;
  JobQueue queue_{3};
  std::uint64_t last_ = 0;
};

TEST_F(JobQueueTest, OneThreadGivesBackWhileOthersHaveSomethingElse) {
  for (int each = 0; each < 4; ++each) push(DiskOpKind::remove);
  push(DiskOpKind::preallocate);
  push(DiskOpKind::sync_all);
  EXPECT_EQ(take(), Numbers{1});
  EXPECT_EQ(take(), Numbers{5});
  EXPECT_EQ(take(), Numbers{6});
}

TEST_F(JobQueueTest, TheLastThreadIsKeptForWhatMayCome) {
  for (int each = 0; each < 4; ++each) push(each % 2 == 0 ? DiskOpKind::remove : DiskOpKind::close);
  EXPECT_EQ(take(), Numbers{1});
  EXPECT_EQ(take(), Numbers{2});
  EXPECT_EQ(take(), Numbers{});
  push(DiskOpKind::replace);
  EXPECT_EQ(take(), Numbers{5});
  end(DiskOpKind::close);
  EXPECT_EQ(take(), Numbers{3});
}

TEST_F(JobQueueTest, ItIsNotPutOffForGood) {
  push(DiskOpKind::remove);
  for (int each = 0; each < 100; ++each) {
    push(DiskOpKind::preallocate);
    push(DiskOpKind::remove);
    EXPECT_EQ(take().size(), 1U);
    EXPECT_EQ(take().size(), 1U);
    end(DiskOpKind::remove);
    end(DiskOpKind::preallocate);
  }
  EXPECT_EQ(take(), Numbers{201});
}

TEST_F(JobQueueTest, UrgentJobsComeFirstAndQuickOnesTogether) {
  for (int each = 0; each < 6; ++each) push(DiskOpKind::rename);
  push(DiskOpKind::replace, true);
  EXPECT_EQ(take(), Numbers{7});
  EXPECT_EQ(take(), (Numbers{1, 2}));
  EXPECT_EQ(take(), Numbers{3});
}

TEST(JobQueue, OneThreadDoesEverythingInOrder) {
  JobQueue queue(1);
  for (const DiskOpKind kind : {DiskOpKind::preallocate, DiskOpKind::remove, DiskOpKind::close}) {
    FolderJob job;
    job.kind = kind;
    queue.push(std::move(job));
  }
  for (const DiskOpKind kind : {DiskOpKind::preallocate, DiskOpKind::remove, DiskOpKind::close}) {
    std::vector<FolderJob> jobs;
    queue.take(jobs);
    ASSERT_EQ(jobs.size(), 1U);
    EXPECT_EQ(jobs[0].kind, kind);
    queue.ended(jobs);
  }
}

}  // namespace
}  // namespace tailwater::shell

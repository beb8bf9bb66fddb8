// Goal: limits hold in all, per address and with overrides, and what is given back can be had again.
// Method: addresses as keys, no sockets.
#include "shell/net/connection_limits.hpp"

#include <gtest/gtest.h>

namespace tailwater::shell {
namespace {

using Verdict = ConnectionLimits::Verdict;

IpKey ip(const char* text) {
  return resolve_for_listening(text, 0)->at(0).ip();
}

TEST(ConnectionLimits, TotalAndPerAddress) {
  ConnectionLimits limits({.total = 3, .per_ip = 2});
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::admitted);
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::admitted);
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::too_many_of_ip);
  EXPECT_EQ(limits.admit(ip("10.0.0.2")), Verdict::admitted);
  EXPECT_EQ(limits.admit(ip("10.0.0.3")), Verdict::too_many);
  EXPECT_EQ(limits.refused(), 2u);
  limits.release(ip("10.0.0.1"));
  EXPECT_EQ(limits.admit(ip("10.0.0.3")), Verdict::admitted);
  EXPECT_EQ(limits.open(), 3);
}

TEST(ConnectionLimits, OverridesBeatTheDefault) {
  ConnectionLimits limits({.per_ip = 0, .per_ip_overrides = {{"127.0.0.1", 1}, {"no-such-host.invalid", 9}}});
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::too_many_of_ip);
  EXPECT_EQ(limits.admit(ip("127.0.0.1")), Verdict::admitted);
  EXPECT_EQ(limits.admit(ip("127.0.0.1")), Verdict::too_many_of_ip);
}

TEST(ConnectionLimits, LowerLimitsKeepWhatIsOpen) {
  ConnectionLimits limits({.total = 2});
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::admitted);
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::admitted);
  limits.configure({.total = 1});
  EXPECT_EQ(limits.open(), 2);
  limits.release(ip("10.0.0.1"));
  EXPECT_EQ(limits.admit(ip("10.0.0.1")), Verdict::too_many);
}

}  // namespace
}  // namespace tailwater::shell

// SPDX-License-Identifier: MIT
//
// A host that has all the sockets it may have gets another one only in place of an idle one.
#include "fetch/socket_book.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <utility>

#include "fetch/host_state.h"
#include "tests/support/sockets.h"

namespace skimfs::test {
namespace {

class SocketBookTest : public testing::Test {
 protected:
  SocketBookTest() {
    for (auto& pair : pairs_) {
      std::array<int, 2> ends{};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
      pair = {Descriptor(ends[0]), Descriptor(ends[1])};
      book_.opened(ours(pair), "a:80");
    }
  }

  using Pair = std::pair<Descriptor, Descriptor>;
  static int ours(const Pair& pair) { return pair.first.get(); }
  // Which socket a descriptor leads to.
  static ino_t socket_of(int fd) {
    struct stat found {};
    EXPECT_EQ(::fstat(fd, &found), 0);
    return found.st_ino;
  }
  static short polled(int fd) {
    pollfd ask{.fd = fd, .events = POLLIN, .revents = 0};
    EXPECT_EQ(::poll(&ask, 1, 0), 1);
    return ask.revents;
  }

  fetch::HostTable hosts_{2};
  fetch::SocketBook book_{hosts_};
  std::array<Pair, 2> pairs_;
};

TEST_F(SocketBookTest, AnIdleSocketThatMakesWayIsClosedAndNotOnlyShutDown) {
  const Pair& idle = pairs_[1];
  book_.runs(ours(idle), false);
  const ino_t before = socket_of(ours(idle));
  EXPECT_TRUE(book_.make_way("a:80"));
  EXPECT_NE(socket_of(ours(idle)), before) << "else there would be one too many";
  EXPECT_TRUE(polled(idle.second.get()) & POLLHUP) << "the peer hears of it";
  EXPECT_TRUE(polled(ours(idle)) & POLLHUP) << "so does who holds the descriptor";
  EXPECT_EQ(::fcntl(ours(idle), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(hosts_.open(), 1u);
  EXPECT_FALSE(book_.full("a:80"));
  book_.closed(ours(idle));
  EXPECT_EQ(hosts_.open(), 1u) << "counted once";
}

TEST_F(SocketBookTest, ASocketThatRunsStays) {
  const ino_t before = socket_of(ours(pairs_[0]));
  EXPECT_TRUE(book_.make_way("a:80"));
  EXPECT_EQ(socket_of(ours(pairs_[0])), before);
  EXPECT_EQ(hosts_.open(), 2u);
}

TEST_F(SocketBookTest, WithoutADescriptorNothingMakesWay) {
  book_.runs(ours(pairs_[1]), false);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const bool made = book_.make_way("a:80");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(made);
  EXPECT_TRUE(book_.full("a:80"));
}

}  // namespace
}  // namespace skimfs::test

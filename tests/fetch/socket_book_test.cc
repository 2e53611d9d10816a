// SPDX-License-Identifier: MIT
//
// Where there are all the sockets there may be, to a host or in all, which of them makes way.
#include "fetch/socket_book.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <string>
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
      open(ours(pair));
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
  static short polled_now(int fd) {
    pollfd ask{.fd = fd, .events = POLLIN, .revents = 0};
    EXPECT_GE(::poll(&ask, 1, 0), 0);
    return ask.revents;
  }
  static short polled(int fd) {
    const short events = polled_now(fd);
    EXPECT_NE(events, 0);
    return events;
  }

  // Already connected.
  void open(int socket) {
    book_.opened(socket, "a:80", nullptr);
    book_.connected(socket);
  }

  fetch::HostTable hosts_{2};
  fetch::SocketBook book_{hosts_, 3};
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

// S-CONN-1
TEST_F(SocketBookTest, WhatIsClosedWithoutAWordCountsNoMoreThoughItsNumberIsAnothers) {
  Pair& gone = pairs_[1];
  const int number = ours(gone);
  book_.opened(number, "a:80", this);
  gone.first = Descriptor();
  book_.runs(number, false);
  const Descriptor others(::dup3(pairs_[0].second.get(), number, O_CLOEXEC));
  const ino_t before = socket_of(number);
  book_.forget_gone();
  EXPECT_EQ(book_.open(), 1u);
  EXPECT_EQ(hosts_.open(), 1u);
  EXPECT_TRUE(book_.make_way("a:80"));
  EXPECT_EQ(socket_of(number), before) << "nobody's business";
  EXPECT_FALSE(polled_now(others.get()) & POLLHUP);
}

TEST_F(SocketBookTest, ANumberThatIsOpenedAgainCountsOnce) {
  book_.opened(ours(pairs_[0]), "b:80", nullptr);
  EXPECT_EQ(book_.open(), 2u);
  EXPECT_EQ(hosts_.open(), 2u);
  EXPECT_EQ(book_.open_to("a:80"), 1u);
}

TEST_F(SocketBookTest, OfWhatHasConnectedTheEndIsTold) {
  book_.connected(ours(pairs_[0]));
  book_.forget_gone();
  EXPECT_EQ(book_.open(), 2u);
  book_.closed(ours(pairs_[0]));
  EXPECT_EQ(book_.open(), 1u);
}

// Two that connect to `b` for one owner, and with them as many as there may be in all.
class TwoThatConnect : public SocketBookTest {
 protected:
  TwoThatConnect() {
    book_.closed(ours(pairs_[0]));
    book_.closed(ours(pairs_[1]));
    open(ours(pairs_[0]));
    for (auto& pair : twins_) {
      std::array<int, 2> ends{};
      EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()), 0);
      pair = {Descriptor(ends[0]), Descriptor(ends[1])};
      book_.opened(ours(pair), "b:80", this);
    }
  }
  bool was_closed(const Pair& pair) { return polled_now(pair.second.get()) & POLLHUP; }

  std::array<Pair, 2> twins_;
};

// S-CONN-1
TEST_F(TwoThatConnect, GiveTheEarlierToWhoHasNoneAtAnyHost) {
  EXPECT_TRUE(book_.full("c:80"));
  EXPECT_TRUE(book_.make_way("c:80"));
  EXPECT_TRUE(was_closed(twins_[0]));
  EXPECT_FALSE(was_closed(twins_[1]));
  EXPECT_EQ(book_.given().owner, this);
  EXPECT_EQ(book_.given().socket, ours(twins_[0]));
  EXPECT_FALSE(was_closed(pairs_[0]));
  EXPECT_FALSE(book_.full("c:80"));
  EXPECT_EQ(hosts_.open(), 2u);
}

// S-CONN-1
TEST_F(TwoThatConnect, GiveOneOnlyWhereTheirHostAndAllAreFull) {
  EXPECT_TRUE(book_.make_way("b:80"));
  EXPECT_TRUE(was_closed(twins_[0]));
  EXPECT_TRUE(book_.make_way("b:80")) << "there is room";
  EXPECT_EQ(book_.given().owner, nullptr);
  EXPECT_EQ(hosts_.open(), 2u);
}

// S-CONN-1
TEST_F(TwoThatConnect, AreOfTwoOwnersAndGiveNone) {
  book_.opened(ours(twins_[1]), "b:80", &book_);
  errno = 0;
  EXPECT_FALSE(book_.make_way("c:80"));
  EXPECT_EQ(errno, EMFILE);
  EXPECT_EQ(hosts_.open(), 3u);
}

// S-CONN-1
TEST_F(TwoThatConnect, HaveConnectedOrAreGivenUpOneAfterTheOther) {
  EXPECT_TRUE(book_.give_up(this));
  EXPECT_TRUE(was_closed(twins_[0]));
  EXPECT_TRUE(book_.connects(this));
  book_.connected(ours(twins_[1]));
  EXPECT_FALSE(book_.connects(this));
  EXPECT_TRUE(book_.give_up(this)) << "nothing to do";
  EXPECT_FALSE(was_closed(twins_[1]));
}

}  // namespace
}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
#include "tests/bench/relay.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace skimfs::bench {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
constexpr TimePoint kBegin{1h};

double seconds(Duration time) { return std::chrono::duration<double>(time).count(); }

// When the last of `bytes` arrives that a sender who never rests sends from kBegin on.
Duration time_to_send(OneWay& path, std::uint64_t bytes, std::uint64_t piece) {
  struct Flying {
    TimePoint arrives;
    std::uint64_t bytes;
  };
  std::deque<Flying> flying;
  TimePoint now = kBegin, last = kBegin;
  while (bytes > 0 || !flying.empty()) {
    for (; !flying.empty() && flying.front().arrives <= now; flying.pop_front()) {
      last = flying.front().arrives;
      path.taken(flying.front().bytes, last);
    }
    while (bytes > 0) {
      const std::uint64_t count = std::min({path.room(now), bytes, piece});
      if (count == 0) break;
      flying.push_back({path.send(count, now), count});
      bytes -= count;
    }
    TimePoint next = bytes > 0 ? path.ask_again() : TimePoint::max();
    if (!flying.empty()) next = std::min(next, flying.front().arrives);
    if (next == TimePoint::max()) break;
    now = std::max(now + 1us, next);
  }
  return last - kBegin;
}

TEST(PathModel, AByteArrivesOneDelayAfterItLeft) {
  SharedLine line;
  OneWay path({.delay = 25ms}, line, kBegin);
  EXPECT_EQ(path.send(1, kBegin), kBegin + 25ms);
  EXPECT_EQ(path.send(kMiB, kBegin + 3ms), kBegin + 28ms);
}

TEST(PathModel, NothingLeavesBeforeTheHandshakeIsDone) {
  SharedLine line;
  OneWay path({.delay = 25ms}, line, kBegin + 50ms);
  EXPECT_EQ(path.room(kBegin + 49ms), 0u);
  EXPECT_EQ(path.ask_again(), kBegin + 50ms);
  EXPECT_GT(path.room(kBegin + 50ms), 0u);
}

TEST(PathModel, AConnectionKeepsToItsRate) {
  SharedLine line;
  OneWay path({.delay = 25ms, .connection_rate = 25e6}, line, kBegin);
  EXPECT_NEAR(seconds(time_to_send(path, 25'000'000, 16 * kKiB)), 1.025, 0.005);
}

TEST(PathModel, ConnectionsShareTheTotalRate) {
  SharedLine line;
  OneWay one({.total_rate = 25e6}, line, kBegin), other({.total_rate = 25e6}, line, kBegin);
  one.send(1'000'000, kBegin);
  EXPECT_EQ(other.room(kBegin), 0u);
  EXPECT_NEAR(seconds(other.send(1'000'000, kBegin) - kBegin), 0.08, 0.001);
}

TEST(PathModel, AWindowHoldsWhatIsInFlight) {
  SharedLine line;
  OneWay path({.delay = 25ms, .window = kMiB}, line, kBegin);
  path.send(kMiB, kBegin);
  EXPECT_EQ(path.room(kBegin), 0u);
  path.taken(kMiB, kBegin + 25ms);
  EXPECT_EQ(path.room(kBegin + 49ms), 0u);
  EXPECT_EQ(path.room(kBegin + 50ms), kMiB);
}

TEST(PathModel, ASlowStartDoublesEveryRoundTrip) {
  const std::uint64_t first = 16 * kKiB;
  for (const unsigned trips : {1u, 4u, 8u}) {
    SharedLine line;
    OneWay path({.delay = 25ms, .first_window = first}, line, kBegin);
    const std::uint64_t sent = first * ((1u << trips) - 1);
    EXPECT_NEAR(seconds(time_to_send(path, sent, kMiB)), 0.05 * trips - 0.025, 0.001) << trips;
  }
}

TEST(PathModel, AnIdleConnectionStartsSlowlyAgain) {
  SharedLine line;
  OneWay path({.delay = 25ms, .first_window = kKiB}, line, kBegin);
  path.send(kKiB, kBegin);
  path.taken(kKiB, kBegin + 25ms);
  EXPECT_EQ(path.room(kBegin + 50ms), 2 * kKiB);
  EXPECT_EQ(path.room(kBegin + 10s), kKiB);
}

// An echo server behind a relay.
class RelayTest : public testing::Test {
 protected:
  RelayTest() {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address_;
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(bind(listener_, reinterpret_cast<sockaddr*>(&address_), length), 0);
    EXPECT_EQ(listen(listener_, 8), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address_), &length), 0);
    echo_ = std::thread([this] { serve(); });
  }
  ~RelayTest() override {
    shutdown(listener_, SHUT_RDWR);
    echo_.join();
    close(listener_);
    if (!relay_) return;
    relay_->stop();
    running_.join();
  }

  void start(const PathLimits& limits) {
    relay_ = std::make_unique<Relay>(ntohs(address_.sin_port), limits);
    running_ = std::thread([this] { relay_->run(); });
  }

  int connected() const {
    sockaddr_in to = address_;
    to.sin_port = htons(relay_->port());
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    return fd;
  }

  static std::string exchange(int fd, const std::string& text) {
    std::thread sender([&] {
      for (std::size_t done = 0; done < text.size();) {
        const ssize_t count = send(fd, text.data() + done, text.size() - done, MSG_NOSIGNAL);
        if (count <= 0) return;
        done += static_cast<std::size_t>(count);
      }
    });
    std::string back(text.size(), '\0');
    for (std::size_t done = 0; done < back.size();) {
      const ssize_t count = recv(fd, back.data() + done, back.size() - done, 0);
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
    sender.join();
    return back;
  }

 private:
  // One connection after the other, each until its client has no more to say.
  void serve() const {
    for (int fd; (fd = accept(listener_, nullptr, nullptr)) >= 0; close(fd)) {
      std::vector<char> buffer(64 * kKiB);
      for (ssize_t count; (count = recv(fd, buffer.data(), buffer.size(), 0)) > 0;)
        if (send(fd, buffer.data(), static_cast<std::size_t>(count), MSG_NOSIGNAL) < 0) break;
    }
  }

  sockaddr_in address_{};
  int listener_ = -1;
  std::thread echo_, running_;
  std::unique_ptr<Relay> relay_;
};

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i)
    text[i] = static_cast<char>((i * 0x9E3779B97F4A7C15u) >> 56);
  return text;
}

TEST_F(RelayTest, AnExchangeTakesTheRoundTripAndTheFirstOneTwo) {
  start({.delay = 20ms});
  const auto begin = std::chrono::steady_clock::now();
  const int fd = connected();
  EXPECT_EQ(exchange(fd, "ping"), "ping");
  const auto first = std::chrono::steady_clock::now();
  EXPECT_EQ(exchange(fd, "pong"), "pong");
  const auto second = std::chrono::steady_clock::now();
  close(fd);
  EXPECT_GE(first - begin, 80ms);
  EXPECT_GE(second - first, 40ms);
  EXPECT_LT(second - begin, 5s);  // no more than a machine may be busy
}

TEST_F(RelayTest, BytesComeWholeInOrderAndNotFasterThanTheRate) {
  start({.delay = 5ms, .connection_rate = 40e6});
  const std::string sent = noise(4'000'000);
  const int fd = connected();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_TRUE(exchange(fd, sent) == sent);
  const auto took = std::chrono::steady_clock::now() - begin;
  close(fd);
  EXPECT_GE(took, 95ms);
  EXPECT_LT(took, 5s);
}

TEST_F(RelayTest, TheEndOfAStreamFollowsItsLastByte) {
  start({.delay = 5ms});
  const int fd = connected();
  ASSERT_EQ(send(fd, "last", 4, 0), 4);
  shutdown(fd, SHUT_WR);
  std::string all;
  char buffer[16];
  for (ssize_t count; (count = recv(fd, buffer, sizeof buffer, 0)) > 0;)
    all.append(buffer, static_cast<std::size_t>(count));
  close(fd);
  EXPECT_EQ(all, "last");
}

}  // namespace
}  // namespace skimfs::bench

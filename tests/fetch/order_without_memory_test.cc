// SPDX-License-Identifier: MIT
//
// Orders for which there is no memory, tried at every single allocation: one order ends and says
// why, all others go on as if nothing had been.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <list>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fetch/fetch_loop.h"
#include "tests/fetch/failing_memory.h"
#include "tests/fetch/loop_fixture.h"
#include "tests/support/fake_transport.h"
#include "tests/support/manual_clock.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using fetch::Fault;
using fetch::Priority;

const std::error_code kNoMemory = std::make_error_code(std::errc::not_enough_memory);

// Long enough to need memory of their own.
constexpr std::string_view kFirst = "\"the-first-version-of-the-object\"";
constexpr std::string_view kSecond = "\"the-second-version-of-the-object\"";
const std::string kUrl = "http://one.example.with.a.long.name/some/file/in/a/directory";
const std::string kMirror = "http://two.example.with.a.long.name/some/file/in/a/directory";
const std::string kElsewhere = "http://cdn.example.with.a.long.name/some/where/far/away";

// A sink of either kind that needs no memory to be told something.
struct Ended {
  unsigned finished = 0;
  std::error_code outcome;
  fetch::TimePoint at{};
};

class Sink final : public fetch::RangeSink {
 public:
  fetch::Version expect(std::size_t) const override {
    return {kTotal, std::string(kFirst), std::nullopt};
  }
  bool begin(std::size_t, const fetch::Version&, bool) override {
    const std::string some(100, 'x');  // may fail like all else
    return !some.empty();
  }
  Took take(std::span<const std::byte> bytes) noexcept override {
    EXPECT_EQ(ended.finished, 0u);
    kept_ += bytes.size();
    return Took::more;
  }
  std::uint64_t kept() const noexcept override { return kept_; }
  bool wanted() const noexcept override { return true; }
  void finish(std::error_code outcome) noexcept override {
    ++ended.finished;
    ended.outcome = outcome;
  }
  Ended ended;

 private:
  std::uint64_t kept_ = 0;
};

class Probe final : public fetch::ProbeSink {
 public:
  std::shared_ptr<fetch::RangeSink> taker(std::size_t, const fetch::Version&,
                                          std::uint64_t) noexcept override {
    offered = takes != nullptr;
    return takes;
  }
  void finish(std::error_code outcome, const fetch::Version&, std::size_t) noexcept override {
    ++ended.finished;
    ended.outcome = outcome;
  }
  Ended ended;
  std::shared_ptr<Sink> takes;  // null: nobody does
  bool offered = false;
};

struct Deaf final : fetch::FetchObserver {
  void on_event(const fetch::FetchEvent&) noexcept override {}
};

// Needs memory to start and to change the network.  What it calls may lack some, it does not.
class Fragile final : public fetch::Transport {
 public:
  explicit Fragile(FakeTransport& fake) : fake_(fake) {}

  bool start(const fetch::WireRequest& request, fetch::Exchange& exchange) override {
    ::operator delete(::operator new(1));
    const Arming spared(false);
    return fake_.start(request, calls_.emplace_back(exchange, *this));
  }
  void abort(fetch::Exchange& exchange) noexcept override {
    const Arming spared(false);
    const auto call = std::ranges::find(calls_, &exchange, [](Call& each) { return &each.to; });
    if (call == calls_.end()) {
      ADD_FAILURE() << "abort() of what was not started";
      return;
    }
    fake_.abort(*call);
    calls_.erase(call);
  }
  void poll(std::chrono::milliseconds) override {}
  void wake() noexcept override {}
  void network_changed() override {
    ::operator delete(::operator new(1));
    fake_.network_changed();
  }
  unsigned escaped = 0;

 private:
  struct Call final : fetch::Exchange {
    Call(fetch::Exchange& exchange, Fragile& transport) : to(exchange), from(transport) {}
    template <class Body>
    bool call(Body body) {
      const Arming armed;
      try {
        return body();
      } catch (const std::exception&) {
        ++from.escaped;
        return false;
      }
    }
    void connected(bool reused, bool public_peer) override {
      call([&] { return to.connected(reused, public_peer), true; });
    }
    void lost() override {
      call([&] { return to.lost(), true; });
    }
    std::span<std::byte> space() override { return to.space(); }
    bool head(const fetch::ResponseHead& head) override {
      return call([&] { return to.head(head); });
    }
    bool body(std::span<const std::byte> bytes) override {
      return call([&] { return to.body(bytes); });
    }
    void end(const fetch::ExchangeEnd& end) override {
      call([&] { return to.end(end), true; });
      std::erase_if(from.calls_, [this](const Call& each) { return &each == this; });
    }
    fetch::Exchange& to;
    Fragile& from;
  };

  FakeTransport& fake_;
  std::list<Call> calls_;
};

// Three slots, two for a host, and servers that do what a scenario says.
class Scene {
 public:
  enum class Reply { honest, done, later };
  // How request `i` is answered; `later`: asked again with the next step.
  using Server = std::function<Reply(Scene&, std::size_t i)>;

  Scene() : loop(limits(), clock, observer, hosts, fragile, 1) {}

  static fetch::FetchLimits limits() {
    fetch::FetchLimits limits;
    limits.connections = 3;
    limits.connections_per_host = 2;
    limits.user_agent = "a user agent of more than a few letters";
    return limits;
  }

  std::shared_ptr<Sink> want(std::vector<std::string> urls, Priority priority = Priority::demand,
                             fetch::OrderId id = 0) {
    sinks.push_back(std::make_shared<Sink>());
    fetch::RangeOrder order{.id = id,
                            .object = object_at(std::move(urls)),
                            .range = {sinks.size() * 20, sinks.size() * 20 + 9},
                            .priority = priority,
                            .sink = sinks.back()};
    armed([&] { loop.add(std::move(order)); });
    return sinks.back();
  }
  std::shared_ptr<Probe> probe(std::uint64_t bytes) {
    probes.push_back(std::make_shared<Probe>());
    fetch::ProbeOrder order{.object = object_at(kUrl), .sink = probes.back(), .bytes = bytes};
    armed([&] { loop.add(std::move(order)); });
    return probes.back();
  }

  // What the loop does may lack memory; nothing may escape.
  void armed(const std::function<void()>& body) {
    const Arming arming;
    try {
      body();
    } catch (const std::exception&) {
      ++fragile.escaped;
    }
  }

  // Until all is over.  The time it took.
  fetch::Duration serve(const Server& server, fetch::Duration at_most = 120s) {
    const fetch::TimePoint begin = clock.now();
    armed([&] { loop.advance(); });
    while (!over() && clock.now() - begin < at_most) {
      for (const std::size_t i : std::set(transport.live))
        if (!served_.contains(i) && transport.live.contains(i)) reply(i, server);
      armed([&] { loop.advance(); });
      clock.advance(50ms);
      armed([&] { loop.advance(); });
    }
    return clock.now() - begin;
  }

  bool over() const {
    return std::ranges::all_of(sinks, [](const auto& sink) { return sink->ended.finished > 0; }) &&
           std::ranges::all_of(probes, [](const auto& one) { return one->ended.finished > 0; }) &&
           std::ranges::all_of(
               probes,
               [](const auto& one) { return !one->offered || one->takes->ended.finished > 0; }) &&
           transport.live.empty() && loop.wake_at() == fetch::TimePoint::max();
  }

  std::vector<Ended> outcomes() const {
    std::vector<Ended> all;
    for (const auto& sink : sinks) all.push_back(sink->ended);
    for (const auto& one : probes) {
      all.push_back(one->ended);
      if (one->offered) all.push_back(one->takes->ended);
    }
    return all;
  }

  void honest(std::size_t i) {
    if (transport.sent[i].request.head_only)
      return transport.respond(
          i, 200, {{"Content-Length", std::to_string(kTotal)}, {"ETag", std::string(kFirst)}});
    const fetch::ByteRange range = transport.sent[i].range();
    transport.respond(i, 206, part(range.first, range.last, kFirst), text(range.first, range.last));
  }
  bool asks(std::size_t i, std::string_view url) const {
    return transport.sent[i].request.url == url;
  }

  // Nothing is left, and whoever comes is served.
  void check_afterwards() {
    EXPECT_EQ(fragile.escaped, 0u);
    EXPECT_EQ(transport.running(), 0u);
    const fetch::FetchStatus status = loop.status();
    EXPECT_EQ(status.orders_running + status.orders_queued, 0u);
    for (const auto& [name, host] : hosts.all()) {
      EXPECT_EQ(host.running(), 0u) << name;
      EXPECT_EQ(host.orders, 0u) << name;
    }
    clock.advance(1min);
    sinks.clear();
    probes.clear();
    for (unsigned i = 0; i < 5; ++i) want({i % 2 ? kMirror : kUrl});
    serve([](Scene&, std::size_t) { return Reply::honest; });
    for (const Ended& ended : outcomes()) {
      EXPECT_EQ(ended.finished, 1u);
      EXPECT_EQ(ended.outcome, std::error_code());
    }
  }

  ManualClock clock;
  Deaf observer;
  fetch::HostTable hosts{limits().connections_per_host};
  FakeTransport transport;
  Fragile fragile{transport};
  fetch::FetchLoop loop;
  std::vector<std::shared_ptr<Sink>> sinks;
  std::vector<std::shared_ptr<Probe>> probes;

 private:
  void reply(std::size_t i, const Server& server) {
    const Reply how = server(*this, i);
    if (how == Reply::later) return;
    served_.insert(i);
    if (how == Reply::honest) honest(i);
  }

  std::set<std::size_t> served_;
};

using Reply = Scene::Reply;

struct Scenario {
  const char* name;
  std::function<void(Scene&)> act;
  std::vector<std::error_code> also = {};  // how orders may end where memory fails, too
};

void three_readers(Scene& scene) {
  for (unsigned i = 0; i < 3; ++i) scene.want({kUrl});
}

// Three readers of one file, whose server does the same to the first `times` requests.
Scenario answered(const char* name, unsigned times, int status, Headers headers = {}) {
  return {name, [=](Scene& scene) {
            three_readers(scene);
            unsigned left = times;
            scene.serve([&](Scene& at, std::size_t i) {
              if (left == 0 || !at.asks(i, kUrl)) return Reply::honest;
              --left;
              at.transport.respond(i, status, headers);
              return Reply::done;
            });
          }};
}

Scenario broken(const char* name, unsigned times, Fault fault) {
  return {name, [=](Scene& scene) {
            three_readers(scene);
            unsigned left = times;
            scene.serve([&](Scene& at, std::size_t i) {
              if (left == 0) return Reply::honest;
              --left;
              at.transport.end(i, fault);
              return Reply::done;
            });
          }};
}

void say_nothing(Scene& scene) {
  three_readers(scene);
  bool first = true;
  scene.serve([&](Scene& at, std::size_t i) {
    if (!std::exchange(first, false)) return Reply::honest;
    at.transport.connect(i);
    return Reply::done;
  });
}

void stall(Scene& scene) {
  three_readers(scene);
  bool first = true;
  scene.serve([&](Scene& at, std::size_t i) {
    if (!std::exchange(first, false)) return Reply::honest;
    const fetch::ByteRange range = at.transport.sent[i].range();
    at.transport.connect(i);
    if (at.transport.head(i, 206, part(range.first, range.last, kFirst)))
      at.transport.body(i, text(range.first, range.last - 4));
    return Reply::done;
  });
}

void cut_short(Scene& scene) {
  three_readers(scene);
  scene.serve([](Scene& at, std::size_t i) {
    const fetch::ByteRange range = at.transport.sent[i].range();
    const std::uint64_t last = std::min(range.last, range.first + 5);
    at.transport.respond(i, 206, part(range.first, last, kFirst), text(range.first, last));
    return Reply::done;
  });
}

// Answers are asked for again that do not come at once.
void know(Scene& scene, const char* host) {
  fetch::HedgePolicy& hedging = scene.hosts.at(host).hedging;
  for (int i = 0; i < 200; ++i) hedging.sent();
  for (int i = 0; i < 50; ++i) hedging.answered(1ms);
}
constexpr const char* kHost = "one.example.with.a.long.name:80";

void hedge(Scene& scene) {
  know(scene, kHost);
  scene.want({kUrl});
  scene.serve([](Scene& at, std::size_t i) {
    if (i > 0) return Reply::honest;
    at.transport.connect(i);
    return Reply::done;
  });
}

void hedge_after_a_break(Scene& scene) {
  know(scene, kHost);
  scene.want({kUrl});
  bool connected = false;
  scene.serve([&](Scene& at, std::size_t i) {
    if (i > 0) return at.transport.live.contains(0) ? Reply::later : Reply::honest;
    if (!std::exchange(connected, true)) at.transport.connect(i);
    if (at.transport.count() == 1 && at.clock.now() < fetch::TimePoint(1h + 5s))
      return Reply::later;
    at.transport.end(i, Fault::reset);
    return Reply::done;
  });
}

// A body that hardly comes, and a mirror that is known to be fast.
void move_to_the_mirror(Scene& scene) {
  know(scene, kHost);
  for (int i = 0; i < 50; ++i) scene.hosts.at(kHost).hedging.brought(1 << 20, 10ms);
  scene.hosts.at("two.example.with.a.long.name:80").health.answered(1ms, scene.clock.now());
  scene.want({kUrl, kMirror});
  scene.serve([](Scene& at, std::size_t i) {
    if (!at.asks(i, kUrl)) return Reply::honest;
    const fetch::ByteRange range = at.transport.sent[i].range();
    at.transport.connect(i);
    if (at.transport.head(i, 206, part(range.first, range.last, kFirst)))
      at.transport.body(i, text(range.first, range.first));
    return Reply::done;
  });
}

void mirrors(Scene& scene) {
  for (unsigned i = 0; i < 3; ++i) scene.want({kUrl, kMirror});
  scene.serve([](Scene& at, std::size_t i) {
    if (!at.asks(i, kUrl)) return Reply::honest;
    at.transport.end(i, Fault::connect);
    return Reply::done;
  });
}

// The host is away for good: orders wait for trials, and then behind the breaker.
void away(Scene& scene) {
  for (unsigned i = 0; i < 4; ++i) scene.want({kUrl}, i < 3 ? Priority::demand : Priority::window);
  scene.serve([](Scene& at, std::size_t i) {
    if (at.asks(i, kUrl)) at.transport.end(i, Fault::connect);
    return at.asks(i, kUrl) ? Reply::done : Reply::honest;
  });
  scene.want({kUrl});
  scene.serve([](Scene& at, std::size_t i) {
    at.transport.end(i, Fault::connect);
    return Reply::done;
  });
}

// Where the origin led has expired: one asks the origin, the others wait for it.
void expired(Scene& scene) {
  scene.want({kUrl});
  bool moved = false, denied = false;
  const Scene::Server server = [&](Scene& at, std::size_t i) {
    if (at.asks(i, kUrl)) {
      at.transport.respond(i, 302, {{"Location", moved ? kElsewhere + "/now" : kElsewhere}});
      return Reply::done;
    }
    if (!moved || !at.asks(i, kElsewhere)) return Reply::honest;
    denied = true;
    at.transport.respond(i, 403);
    return Reply::done;
  };
  scene.serve(server);
  moved = true;
  three_readers(scene);
  scene.serve(server);
}

void expired_and_refused(Scene& scene) {
  scene.want({kUrl});
  bool moved = false;
  const Scene::Server server = [&](Scene& at, std::size_t i) {
    if (moved) {
      at.transport.respond(i, 403);
      return Reply::done;
    }
    if (!at.asks(i, kUrl)) return Reply::honest;
    at.transport.respond(i, 302, {{"Location", kElsewhere}});
    return Reply::done;
  };
  scene.serve(server);
  moved = true;
  three_readers(scene);
  scene.serve(server);
}

// Fetched ahead over few connections, and then wanted.
void promoted(Scene& scene) {
  scene.hosts.at(kHost).pace->note_first_byte(50ms, scene.clock.now());
  for (unsigned i = 0; i < 8; ++i) scene.want({kUrl}, Priority::next, 7);
  for (unsigned i = 0; i < 3; ++i) scene.want({kUrl}, Priority::window, 7);
  scene.armed([&] { scene.loop.advance(); });
  scene.armed([&] { scene.loop.promote(7); });
  scene.serve([](Scene&, std::size_t) { return Reply::honest; });
}

void patient(Scene& scene) {
  scene.hosts.at(kHost).pace->note_first_byte(50ms, scene.clock.now());
  for (unsigned i = 0; i < 8; ++i) scene.want({kUrl}, Priority::next, 7);
  scene.serve([](Scene&, std::size_t) { return Reply::honest; });
}

void network_changes(Scene& scene) {
  know(scene, kHost);
  three_readers(scene);
  unsigned left = 2;
  scene.serve([&](Scene& at, std::size_t i) {
    if (left == 0) return Reply::honest;
    at.transport.connect(i);
    if (--left == 0) at.armed([&] { at.loop.network_changed("resume"); });
    return Reply::done;
  });
}

// Bodies that bring nothing hold all slots, while another host has none.
void makes_room(Scene& scene) {
  for (unsigned i = 0; i < 4; ++i) scene.want({i % 2 ? kElsewhere : kUrl});
  scene.armed([&] { scene.loop.advance(); });
  scene.want({kMirror});
  unsigned left = 3;
  scene.serve([&](Scene& at, std::size_t i) {
    if (left == 0) return Reply::honest;
    --left;
    at.transport.connect(i);
    return Reply::done;
  });
}

void probes(Scene& scene) {
  scene.probe(1);
  scene.probe(100)->takes = std::make_shared<Sink>();
  scene.serve([](Scene& at, std::size_t i) {
    const fetch::ByteRange range = at.transport.sent[i].range();
    at.transport.respond(i, 206, part(range.first, range.last, kFirst),
                         text(range.first, range.last));
    return Reply::done;
  });
}

std::vector<Scenario> scenarios() {
  const Headers other = part(0, 9, kSecond);
  return {
      answered("302", 9, 302, {{"Location", kElsewhere}}),
      answered("302 once", 1, 302, {{"Location", kElsewhere}}),
      answered("302 to nowhere", 1, 302, {{"Location", "ftp://somewhere.else.entirely/x"}}),
      answered("403", 9, 403),
      answered("403 once", 1, 403),
      answered("404", 1, 404),
      answered("412", 9, 412, {{"ETag", std::string(kSecond)}}),
      answered("412 once", 1, 412, {{"ETag", std::string(kSecond)}}),
      answered("416", 1, 416, {{"Content-Range", "bytes */7"}}),
      answered("503", 2, 503, {{"Retry-After", "1"}}),
      answered("500", 2, 500),
      answered("200", 1, 200),
      answered("206", 0, 206),
      {"206 other version",
       [](Scene& scene) {
         three_readers(scene);
         unsigned left = 4;
         scene.serve([&](Scene& at, std::size_t i) {
           if (left == 0) return Reply::honest;
           --left;
           const fetch::ByteRange range = at.transport.sent[i].range();
           at.transport.respond(i, 206, part(range.first, range.last, kSecond),
                                text(range.first, range.last));
           return Reply::done;
         });
       }},
      broken("connect failure", 2, Fault::connect),
      broken("connect timeout", 1, Fault::connect_timeout),
      broken("reset", 1, Fault::reset),
      broken("nonsense", 1, Fault::protocol),
      broken("no descriptor", 1, Fault::local),
      {"timeout", say_nothing},
      {"stall", stall},
      {"cut short", cut_short},
      {"hedge", hedge},
      {"hedge after a break", hedge_after_a_break},
      {"move to the mirror", move_to_the_mirror},
      {"mirrors", mirrors},
      {"away", away},
      {"expired", expired},
      {"expired and refused", expired_and_refused},
      {"promoted", promoted},
      {"patient", patient},
      {"network changes", network_changes},
      {"makes room", makes_room},
      {"probes", probes, {kCanceled}},  // the size without the bytes
  };
}

class OrderWithoutMemory : public testing::TestWithParam<Scenario> {
 protected:
  ~OrderWithoutMemory() override { Memory::left = -1; }
};

// S-ERR-2
TEST_P(OrderWithoutMemory, EndsAloneWhicheverAllocationFails) {
  Scene well;
  GetParam().act(well);
  const fetch::Duration took = well.clock.now().time_since_epoch();
  std::vector<std::error_code> usual = GetParam().also;
  usual.push_back(kNoMemory);
  for (const Ended& ended : well.outcomes()) {
    ASSERT_EQ(ended.finished, 1u);
    ASSERT_NE(ended.outcome, kNoMemory);
    usual.push_back(ended.outcome);
  }

  unsigned ended_without = 0;
  for (long n = 0;; ++n) {
    SCOPED_TRACE("allocation " + std::to_string(n));
    Scene scene;
    const unsigned before = Memory::failures;
    Memory::left = n;
    GetParam().act(scene);
    Memory::left = -1;
    unsigned without = 0;
    for (const Ended& ended : scene.outcomes()) {
      EXPECT_EQ(ended.finished, 1u);
      EXPECT_TRUE(std::ranges::count(usual, ended.outcome)) << ended.outcome.message();
      without += ended.outcome == kNoMemory;
    }
    EXPECT_LE(without, 1u);
    // What the order that ends would have met may meet another one, and keep it as long.
    EXPECT_LE(scene.clock.now().time_since_epoch(), took + scene.limits().first_byte_timeout + 1s);
    scene.check_afterwards();
    if (HasFailure()) return;
    ended_without += without;
    if (Memory::failures == before) break;  // there are no more
  }
  EXPECT_GT(ended_without, 0u);
}

// Many servers, many faults, and one allocation in so many fails.
TEST(OrdersWithoutMemory, EndOnceHoweverManyAllocationsFail) {
  const std::vector<std::vector<std::string>> files = {
      {kUrl}, {kMirror}, {kUrl, kMirror}, {kMirror, kElsewhere}};
  constexpr Fault kFaults[] = {Fault::connect, Fault::reset, Fault::connect_timeout, Fault::local};
  constexpr int kStatuses[] = {403, 404, 412, 416, 500, 503};
  unsigned failures = 0;
  for (unsigned seed = 1; seed <= 400; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const auto pick = [&](std::size_t below) { return random() % below; };
    Scene scene;
    if (pick(2)) know(scene, kHost);
    if (pick(2)) scene.hosts.at(kHost).pace->note_first_byte(50ms, scene.clock.now());
    Memory::chance = seed;
    Memory::one_in = static_cast<unsigned>(10 + pick(200));
    const unsigned before = Memory::failures;
    for (unsigned round = 0; round < 3; ++round) {
      for (std::size_t i = pick(8); i-- > 0;)
        scene.want(files[pick(files.size())], Priority(pick(4)), 1 + pick(2));
      if (pick(2)) scene.probe(1 + pick(2) * 99)->takes = std::make_shared<Sink>();
      if (pick(2)) scene.armed([&] { scene.loop.promote(1 + pick(2)); });
      scene.serve(
          [&](Scene& at, std::size_t i) {
            if (pick(40) == 0) at.armed([&] { at.loop.network_changed("resume"); });
            if (!at.transport.live.contains(i)) return Reply::done;
            switch (pick(8)) {
              case 0:
                at.transport.end(i, kFaults[pick(std::size(kFaults))]);
                return Reply::done;
              case 1:
                at.transport.respond(i, kStatuses[pick(std::size(kStatuses))]);
                return Reply::done;
              case 2:
                at.transport.respond(i, 302, {{"Location", kElsewhere}});
                return Reply::done;
              case 3:
                at.transport.connect(i);
                return Reply::done;
              case 4:
                return Reply::later;
              default:
                return Reply::honest;
            }
          },
          400s);
    }
    Memory::one_in = 0;
    failures += Memory::failures - before;
    for (const Ended& ended : scene.outcomes()) EXPECT_EQ(ended.finished, 1u);
    scene.check_afterwards();
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(failures, 1000u);
}

INSTANTIATE_TEST_SUITE_P(All, OrderWithoutMemory, testing::ValuesIn(scenarios()),
                         [](const auto& scenario) {
                           std::string name = scenario.param.name;
                           std::ranges::replace(name, ' ', '_');
                           return name;
                         });

}  // namespace
}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
//
// See resolver.h.
#include "fs/resolver.h"

#include <new>
#include <utility>

#include "fetch/accept.h"
#include "fetch/error.h"

namespace skimfs::fs {

namespace {

// How long a refusal or an absence is believed without asking again.
constexpr auto kNegativeTime = std::chrono::seconds(5);
// An open waits so long to hear that nothing has changed; then what is cached is served.
constexpr auto kRevalidationTime = std::chrono::seconds(5);

bool lasting(std::error_code why) {
  return why == fetch::Errc::missing || why == fetch::Errc::denied ||
         why == fetch::Errc::no_length || why == fetch::Errc::bad_length;
}

}  // namespace

class Resolver::Probe final : public fetch::ProbeSink {
 public:
  using Done = std::function<void(std::error_code, const Word&)>;
  using Taker = std::function<std::shared_ptr<fetch::RangeSink>(const Word&, std::uint64_t bytes,
                                                                Beginnings::Room)>;
  Probe(Beginnings::Room room, Taker taker, Done done)
      : room_(std::move(room)), taker_(std::move(taker)), done_(std::move(done)) {}

  std::shared_ptr<fetch::RangeSink> taker(std::size_t source, const fetch::Version& seen,
                                          std::uint64_t bytes) noexcept override {
    try {
      return taker_({source, seen}, bytes, std::move(room_));
    } catch (const std::bad_alloc&) {
      return nullptr;  // The size is worth knowing without them.
    }
  }
  void finish(std::error_code outcome, const fetch::Version& seen,
              std::size_t source) noexcept override {
    room_ = {};  // before whoever hears of it wants some
    done_(outcome, {source, seen});
  }

 private:
  Beginnings::Room room_;
  const Taker taker_;
  const Done done_;
};

Resolver::Resolver(Files& files, Beginnings& beginnings, fetch::Fetching& fetching,
                   const fetch::Clock& clock, Ended ended)
    : files_(files),
      beginnings_(beginnings),
      fetching_(fetching),
      clock_(clock),
      ended_(std::move(ended)) {}

void Resolver::size(FileNumber number, Then then) {
  // Whatever generation the file is in, nobody holds an inode of it yet.
  ask(Aim::size, inode_of(number, 0), std::move(then));
}

void Resolver::revalidate(Inode inode, Then then) { ask(Aim::revalidate, inode, std::move(then)); }

void Resolver::ask(Aim aim, Inode inode, Then then) {
  {
    const std::lock_guard lock(mutex_);
    auto& waiting = asking_[{aim, inode}];
    waiting.push_back(std::move(then));
    if (waiting.size() > 1) return;
  }
  send(aim, inode, std::nullopt);
}

// Whoever asks while somebody waits joins that probe: so either there is one, or nobody waits.
void Resolver::send(Aim aim, Inode inode, std::optional<Word> first_answer) {
  std::optional<std::error_code> known;
  try {
    known = probe(aim, inode, std::move(first_answer));
  } catch (const std::bad_alloc&) {
    known = std::make_error_code(std::errc::not_enough_memory);
  }
  if (known) settle(aim, inode, *known);
}

std::optional<std::error_code> Resolver::probe(Aim aim, Inode inode,
                                               std::optional<Word> first_answer) {
  const auto content = files_.content(number_of(inode));
  if (!content) return content.error();
  // A reload has made it something of which all is known.
  if (content->parts.empty() || content->parts.front().urls.empty()) return std::error_code{};
  const manifest::Part& part = content->parts.front();
  auto object = std::make_shared<fetch::Object>(fetch::Object{part.urls, files_.profile(*content)});
  auto room = aim == Aim::size ? beginnings_.reserve(group_of(part.urls))
                               : Beginnings::Room{.id = fetching_.new_id()};
  const auto id = room.id;
  const std::uint64_t bytes = room.bytes;
  const auto take = [this, number = number_of(inode)](const Word& word, std::uint64_t came,
                                                      Beginnings::Room held) {
    return taker(number, word, came, std::move(held));
  };
  const auto done = [this, aim, inode, first_answer = std::move(first_answer)](
                        std::error_code outcome, const Word& word) {
    answered(aim, inode, outcome, word, first_answer);
  };
  probes_++;
  fetching_.probe(
      {.id = id,
       .object = std::move(object),
       .sink = std::make_shared<Probe>(std::move(room), take, done),
       .bytes = bytes,
       .timeout = aim == Aim::revalidate ? kRevalidationTime : std::chrono::seconds::max()});
  return std::nullopt;
}

// The size is known from here on, before those who wait for it hear of it: who reads then finds the
// bytes coming.
std::shared_ptr<fetch::RangeSink> Resolver::taker(FileNumber number, const Word& word,
                                                  std::uint64_t bytes, Beginnings::Room room) {
  if (!files_.probed(number, word.source, word.seen, clock_.now())) return nullptr;
  const auto names = files_.names();
  const auto row = names->row(number);
  const auto attributes = row ? files_.attributes(*names, *row) : std::nullopt;
  if (!attributes || attributes->size != word.seen.total) return nullptr;
  const auto file = files_.open(attributes->inode);
  return file ? beginnings_.take(std::move(room), *file, bytes) : nullptr;
}

void Resolver::answered(Aim aim, Inode inode, std::error_code outcome, const Word& word,
                        const std::optional<Word>& first_answer) {
  bool again = false;
  std::error_code verdict;
  try {
    verdict = aim == Aim::size ? sized(number_of(inode), outcome, word)
                               : compare(inode, outcome, word, first_answer, again);
  } catch (const std::bad_alloc&) {
    verdict = std::make_error_code(std::errc::not_enough_memory);
  }
  if (again) return send(aim, inode, word);
  settle(aim, inode, verdict);
}

std::error_code Resolver::sized(FileNumber number, std::error_code outcome, const Word& word) {
  if (outcome) {
    if (lasting(outcome)) files_.failed(number, outcome, clock_.now() + kNegativeTime);
    return outcome;
  }
  return files_.probed(number, word.source, word.seen, clock_.now())
             ? std::error_code{}
             : make_error_code(fetch::Errc::bad_response);
}

std::error_code Resolver::compare(Inode inode, std::error_code outcome, const Word& word,
                                  const std::optional<Word>& first_answer, bool& again) {
  if (outcome == fetch::Errc::missing) return outcome;
  const auto file = files_.open(inode);
  if (!file) return file.error();
  VersionPin& pin = (*file)->pin();
  // Cached bytes are served while the server is away, and it is left in peace.
  if (outcome || pin.matches(0, word.source, word.seen) || !pin.speaks(0, word.source) ||
      !pin.credible(0, word.source, word.seen)) {
    pin.confirmed(clock_.now());
    return {};
  }
  again = !first_answer;
  if (again || *first_answer != word) return {};
  if (pin.differs(0) == VersionPin::Difference::contradiction) {
    if (!pin.has_mirrors(0)) return make_error_code(fetch::Errc::bad_response);
    // Another source may have what the manifest states; who reads will see.
    pin.confirmed(clock_.now());
    pin.refuse(0, word.source, clock_.now());
    return {};
  }
  ended_(inode);
  return make_error_code(fetch::Errc::changed);
}

void Resolver::settle(Aim aim, Inode inode, std::error_code outcome) {
  std::vector<Then> waiting;
  {
    const std::lock_guard lock(mutex_);
    waiting = std::move(asking_.extract({aim, inode}).mapped());
  }
  for (const Then& then : waiting) then(outcome);
}

}  // namespace skimfs::fs

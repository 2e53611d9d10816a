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
  Probe(Resolver& resolver, Question question, Beginnings::Room room)
      : resolver_(resolver), question_(std::move(question)), room_(std::move(room)) {}

  std::shared_ptr<fetch::RangeSink> taker(std::size_t source, const fetch::Version& seen,
                                          std::uint64_t bytes) noexcept override {
    try {
      return resolver_.taker(question_, {source, seen}, bytes, std::move(room_));
    } catch (const std::bad_alloc&) {
      return nullptr;  // The size is worth knowing without them.
    }
  }
  bool wanted() const noexcept override { return !question_.early || resolver_.awaited(question_); }
  bool useful() const noexcept override { return !question_.worth.expired() || wanted(); }
  void finish(std::error_code outcome, const fetch::Version& seen,
              std::size_t source) noexcept override {
    room_ = {};  // before whoever hears of it wants some
    resolver_.answered(question_, outcome, source, seen);
  }

 private:
  Resolver& resolver_;
  const Question question_;
  Beginnings::Room room_;
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
  Asked asked;
  asked.waiting.push_back(std::move(then));
  fetch::OrderId early = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto [present, first] = asking_.try_emplace({aim, inode}, std::move(asked));
    if (!first) {
      present->second.waiting.push_back(std::move(asked.waiting.front()));
      early = std::exchange(present->second.early, 0);
    }
    if (!first && early == 0) return;
  }
  if (early != 0) return fetching_.promote(early);
  send(demand(aim, inode));
}

void Resolver::size_early(FileNumber number, const std::weak_ptr<const void>& worth) {
  const Question question{.aim = Aim::size,
                          .inode = inode_of(number, 0),
                          .worth = worth,
                          .early = true,
                          .id = fetching_.new_id()};
  {
    const std::lock_guard lock(mutex_);
    const auto [asked, first] = asking_.try_emplace({question.aim, question.inode});
    if (!first) return;
    asked->second.early = question.id;
  }
  send(question);
}

Resolver::Question Resolver::demand(Aim aim, Inode inode, std::optional<Word> first_answer) {
  return {.aim = aim,
          .inode = inode,
          .worth = always_,
          .id = fetching_.new_id(),
          .first_answer = std::move(first_answer)};
}

// Whoever asks while a probe is under way joins it: so either there is one, or nobody waits.
void Resolver::send(const Question& question) noexcept {
  std::optional<std::error_code> known;
  try {
    known = probe(question);
  } catch (const std::bad_alloc&) {
    known = std::make_error_code(question.early ? std::errc::operation_canceled
                                                : std::errc::not_enough_memory);
  }
  if (known) settle(question, *known);
}

std::optional<std::error_code> Resolver::probe(const Question& question) {
  if (question.aim == Aim::size)
    if (const auto known = answer_at_hand(number_of(question.inode))) return known;
  const auto content = files_.content(number_of(question.inode));
  if (!content) return content.error();
  // A reload has made it something of which all is known.
  if (content->parts.empty() || content->parts.front().urls.empty()) return std::error_code{};
  const manifest::Part& part = content->parts.front();
  auto object = std::make_shared<fetch::Object>(fetch::Object{part.urls, files_.profile(*content)});
  auto room = question.aim == Aim::size ? beginnings_.reserve(question.id, group_of(part.urls))
                                        : Beginnings::Room{.id = question.id};
  const std::uint64_t bytes = room.bytes;
  probes_++;
  fetching_.probe({.id = question.id,
                   .object = std::move(object),
                   .sink = std::make_shared<Probe>(*this, question, std::move(room)),
                   .bytes = bytes,
                   .priority = question.early ? fetch::Priority::sibling : fetch::Priority::demand,
                   .timeout = question.aim == Aim::revalidate ? kRevalidationTime
                                                              : std::chrono::seconds::max()});
  return std::nullopt;
}

// Another probe may have been answered since its asker looked.
std::optional<std::error_code> Resolver::answer_at_hand(FileNumber number) const {
  const auto names = files_.names();
  const auto row = names->row(number);
  if (row && files_.attributes(*names, *row)) return std::error_code{};
  const auto failure = files_.failure(number, clock_.now());
  return failure ? std::optional(failure) : std::nullopt;
}

bool Resolver::asks_size(FileNumber number) const {
  const std::lock_guard lock(mutex_);
  return asking_.contains({Aim::size, inode_of(number, 0)});
}

bool Resolver::awaited(const Question& question) const {
  const std::lock_guard lock(mutex_);
  const auto asked = asking_.find({question.aim, question.inode});
  return asked != asking_.end() && !asked->second.waiting.empty();
}

// The size is known from here on, before those who wait for it hear of it: who reads then finds the
// bytes coming.
std::shared_ptr<fetch::RangeSink> Resolver::taker(const Question& question, const Word& word,
                                                  std::uint64_t bytes, Beginnings::Room room) {
  if (sized(question, {}, word)) return nullptr;
  const auto names = files_.names();
  const auto row = names->row(number_of(question.inode));
  const auto attributes = row ? files_.attributes(*names, *row) : std::nullopt;
  if (!attributes || attributes->size != word.seen.total) return nullptr;
  const auto file = files_.open(attributes->inode);
  if (!file) return nullptr;
  const std::weak_ptr<const void> worth = awaited(question) ? always_ : question.worth;
  return beginnings_.take(std::move(room), *file, bytes, worth);
}

void Resolver::answered(const Question& question, std::error_code outcome, std::size_t source,
                        const fetch::Version& seen) noexcept {
  std::optional<Question> next;
  std::error_code verdict;
  try {
    const Word word{source, seen};
    bool again = false;
    verdict = question.aim == Aim::size ? sized(question, outcome, word)
                                        : compare(question, outcome, word, again);
    if (again) next = demand(question.aim, question.inode, word);
  } catch (const std::bad_alloc&) {
    verdict = std::make_error_code(std::errc::not_enough_memory);
  }
  if (next) return send(*next);
  settle(question, verdict);
}

std::error_code Resolver::sized(const Question& question, std::error_code outcome,
                                const Word& word) {
  const FileNumber number = number_of(question.inode);
  if (outcome) {
    if (lasting(outcome)) files_.failed(number, outcome, clock_.now() + kNegativeTime);
    return outcome;
  }
  return files_.probed(number, word.source, word.seen, clock_.now(), question.early)
             ? std::error_code{}
             : make_error_code(fetch::Errc::bad_response);
}

std::error_code Resolver::compare(const Question& question, std::error_code outcome,
                                  const Word& word, bool& again) {
  if (outcome == fetch::Errc::missing) return outcome;
  const auto file = files_.open(question.inode);
  if (!file) return file.error();
  VersionPin& pin = (*file)->pin();
  // Cached bytes are served while the server is away, and it is left in peace.
  if (outcome || pin.matches(0, word.source, word.seen) || !pin.speaks(0, word.source) ||
      !pin.credible(0, word.source, word.seen)) {
    pin.confirmed(clock_.now());
    return {};
  }
  again = !question.first_answer;
  if (again || *question.first_answer != word) return {};
  if (pin.differs(0) == VersionPin::Difference::contradiction) {
    if (!pin.has_mirrors(0)) return make_error_code(fetch::Errc::bad_response);
    // Another source may have what the manifest states; who reads will see.
    pin.confirmed(clock_.now());
    pin.refuse(0, word.source, clock_.now());
    return {};
  }
  ended_(question.inode);
  return make_error_code(fetch::Errc::changed);
}

// Nothing here allocates: a question without a first answer holds no text.
void Resolver::settle(const Question& question, std::error_code outcome) noexcept {
  std::vector<Then> waiting;
  bool anew = false;
  {
    const std::lock_guard lock(mutex_);
    const auto asked = asking_.find({question.aim, question.inode});
    // It was given up while nobody waited for it; somebody does now.
    anew = question.early && outcome == std::errc::operation_canceled &&
           !asked->second.waiting.empty();
    if (!anew) waiting = std::move(asking_.extract(asked).mapped().waiting);
  }
  if (anew) return send(demand(question.aim, question.inode));
  for (const Then& then : waiting) then(outcome);
}

}  // namespace skimfs::fs

// SPDX-License-Identifier: MIT
//
// The one place that speaks while a mount runs: spdlog's bounded queue and sinks.
#include "fs/log.h"

#include <signal.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <semaphore>
#include <utility>
#include <vector>

#include "fs/log_limiter.h"

namespace skimfs::fs::log {
namespace {

// 512 lines: a burst of every connection failing at once, several times over; with kMaxText at
// most 2 MiB, in practice a tenth of it.
constexpr std::size_t kQueue = 512;
constexpr std::size_t kMaxText = 4096;
constexpr std::size_t kMaxEscaped = 512;
// A reader of our standard error that has stopped reading must not keep the process from ending.
constexpr std::chrono::seconds kLongestFlush{1};

spdlog::level::level_enum spdlog_level(Level level) noexcept {
  switch (level) {
    case Level::error:
      return spdlog::level::err;
    case Level::warning:
      return spdlog::level::warn;
    case Level::info:
      return spdlog::level::info;
    case Level::debug:
      return spdlog::level::debug;
  }
  return spdlog::level::err;
}

// sd-daemon(3): a line that begins with "<N>" has syslog priority N.
const char* priority_prefix(Level level) noexcept {
  switch (level) {
    case Level::error:
      return "<3>";
    case Level::warning:
      return "<4>";
    case Level::info:
      return "<6>";
    case Level::debug:
      return "<7>";
  }
  return "<3>";
}

// systemd.exec(5): $JOURNAL_STREAM is "device:inode" of the journal's socket; standard error may
// have been redirected since.
bool journal_listens() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  return stream != nullptr && fstat(STDERR_FILENO, &status) == 0 &&
         std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino) == stream;
}

// One write(2) a line.  Unlike spdlog's own sink it shares no lock with other sinks, so one that is
// stuck in its write keeps nobody from making the next.
class StandardError final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string line = std::string(message.payload.data(), message.payload.size()) + "\n";
    for (std::size_t at = 0; at < line.size();) {
      const ssize_t written = ::write(STDERR_FILENO, line.data() + at, line.size() - at);
      if (written < 0 && errno != EINTR) return;  // nobody there to tell
      if (written > 0) at += static_cast<std::size_t>(written);
    }
  }
  void flush_() override {}
};

// Says when all that was queued before it has been written.
class Drained final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  bool wait() { return written_.try_acquire_for(kLongestFlush); }

 private:
  void sink_it_(const spdlog::details::log_msg&) override {}
  void flush_() override { written_.release(); }

  std::counting_semaphore<> written_{0};
};

// Where lines go.  Any thread may write, and waits for no sink; the destructor waits a while.
class Output {
 public:
  enum class Form { plain, priorities, bare };  // bare: syslog puts the ident in front

  // Writes on the caller's thread: before to_*() and after flush() a process has no others.
  Output() : logger_(std::make_shared<spdlog::logger>("", std::make_shared<StandardError>())) {
    accept_all();
  }

  Output(spdlog::sink_ptr sink, Form form);

  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output();

  void write(Level level, std::string_view text) {
    std::string line;
    if (form_ == Form::priorities) line += priority_prefix(level);
    if (form_ != Form::bare) line += "skimfs: ";
    logger_->log(spdlog_level(level), line.append(text));
  }

 private:
  void accept_all() { logger_->set_level(spdlog::level::trace); }

  const Form form_ = Form::plain;
  std::shared_ptr<Drained> drained_;
  std::shared_ptr<spdlog::logger> logger_;
  // Shared, as loggers want a weak_ptr to it.  The last member: its thread uses the others.
  std::shared_ptr<spdlog::details::thread_pool> pool_;
};

Output::Output(spdlog::sink_ptr sink, Form form)
    : form_(form), drained_(std::make_shared<Drained>()) {
  // Signals belong to the thread that waits for them; a new thread inherits the mask.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pool_ = std::make_shared<spdlog::details::thread_pool>(kQueue, 1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  logger_ =
      std::make_shared<spdlog::async_logger>("", spdlog::sinks_init_list{std::move(sink), drained_},
                                             pool_, spdlog::async_overflow_policy::overrun_oldest);
  accept_all();
}

Output::~Output() {
  if (!pool_) return;
  if (const std::size_t lost = pool_->overrun_counter(); lost != 0) {
    write(Level::warning, "ev=log_overrun lost=" + std::to_string(lost));
  }
  logger_->flush();
  if (!drained_->wait()) {
    // Its destructor would wait for the stuck sink without end; the exit ends it.
    static auto& kept = *new std::vector<std::shared_ptr<spdlog::details::thread_pool>>;
    kept.push_back(pool_);
  }
}

// Guarded by mutex, as the number of those who write to an output just now.
struct State {
  struct Place {
    std::shared_ptr<Output> output = std::make_shared<Output>();
    std::size_t writers = 0;
  };

  std::mutex mutex;
  std::condition_variable left;  // somebody has written
  std::shared_ptr<Place> place = std::make_shared<Place>();
  LogLimiter limiter;
};

State& state() {
  static State the_state;  // destroyed at exit, which writes what is queued
  return the_state;
}

std::atomic<Level> least_level{Level::info};

// While one lives, lines go where they went when it was made.
class Writing {
 public:
  explicit Writing(const std::lock_guard<std::mutex>&) : place_(state().place) {
    ++place_->writers;
  }
  Writing(const Writing&) = delete;
  Writing& operator=(const Writing&) = delete;
  ~Writing() {
    {
      const std::lock_guard lock(state().mutex);
      --place_->writers;
    }
    state().left.notify_all();
  }
  Output* operator->() const noexcept { return place_->output.get(); }

 private:
  const std::shared_ptr<State::Place> place_;
};

// The previous output drains here, with no lock held and on this thread: who only writes a line
// must not be the one that waits for it, and when we return nothing more is written to the old
// place.
void replace_output(std::shared_ptr<Output> output) {
  auto place = std::make_shared<State::Place>();
  place->output = std::move(output);
  std::unique_lock lock(state().mutex);
  place.swap(state().place);
  state().left.wait_for(lock, kLongestFlush, [&] { return place->writers == 0; });
}

void append_hex(std::string& to, unsigned char byte) {
  constexpr char kDigits[] = "0123456789abcdef";
  to += {'\\', 'x', kDigits[byte >> 4], kDigits[byte & 15]};
}

// A guard for text whose author forgot escape(): one event stays one line of bounded length.
std::string one_line(std::string_view text) {
  std::string line;
  for (const char byte : text.substr(0, kMaxText)) {
    const auto value = static_cast<unsigned char>(byte);
    if (value < 0x20 || value == 0x7f) {
      append_hex(line, value);
    } else {
      line += byte;
    }
  }
  return line;
}

std::string line_with(std::string_view event, std::string_view text) {
  std::string line = "ev=" + std::string(event);
  if (!text.empty()) line += " " + one_line(text);
  return line;
}

std::string line_of(const LogLimiter::Repeats& repeats) {
  return "ev=" + repeats.event + " about=" + escape(repeats.about) +
         " suppressed=" + std::to_string(repeats.suppressed);
}

}  // namespace

void to_standard_error(Level least) {
  set_level(least);
  replace_output(
      std::make_shared<Output>(std::make_shared<StandardError>(),
                               journal_listens() ? Output::Form::priorities : Output::Form::plain));
}

void to_syslog(const std::string& ident, Level least) {
  set_level(least);
  replace_output(std::make_shared<Output>(
      std::make_shared<spdlog::sinks::syslog_sink_mt>(ident, LOG_PID, LOG_DAEMON, false),
      Output::Form::bare));
}

void set_level(Level least) noexcept { least_level.store(least); }

Level level() noexcept { return least_level.load(); }

void flush() noexcept {
  std::vector<LogLimiter::Repeats> repeats;
  {
    std::optional<Writing> output;
    {
      const std::lock_guard lock(state().mutex);
      repeats = state().limiter.take_all();
      output.emplace(lock);
    }
    for (const auto& each : repeats) (*output)->write(each.level, line_of(each));
  }
  replace_output(std::make_shared<Output>());
}

void answer(Level level, std::string_view event, std::string text) {
  std::optional<Writing> output;
  {
    const std::lock_guard lock(state().mutex);
    output.emplace(lock);
  }
  (*output)->write(level, line_with(event, text));
}

void event(Level level, std::string_view event, std::string_view about, std::string text) {
  if (level > least_level.load()) return;
  std::vector<LogLimiter::Repeats> ended;
  std::optional<Writing> output;
  bool admitted = false;
  {
    const std::lock_guard lock(state().mutex);
    const auto now = std::chrono::steady_clock::now();
    ended = state().limiter.take_ended(now);
    admitted = state().limiter.admit(level, event, about, now);
    output.emplace(lock);
  }
  for (const auto& each : ended) (*output)->write(each.level, line_of(each));
  if (!admitted) return;
  (*output)->write(level, line_with(event, text));
}

std::string escape(std::string_view text) {
  std::string escaped;
  for (const char byte : text.substr(0, kMaxEscaped)) {
    const auto value = static_cast<unsigned char>(byte);
    if (value > 0x20 && value < 0x7f && byte != '\\') {
      escaped += byte;
    } else {
      append_hex(escaped, value);
    }
  }
  if (text.size() > kMaxEscaped) escaped += "...";
  return escaped;
}

}  // namespace skimfs::fs::log

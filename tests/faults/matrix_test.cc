// SPDX-License-Identifier: MIT
//
// The fault matrix on real mounts: every row, with the size known, told by the server, and asked
// for in the midst of the fault, read through the page cache, around it and mapped.
//
// All rows and mounts at once, since most of the time goes into waiting for deadlines.  A file of a
// row has a server of its own, so that no row counts against another.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>
#include <thread>

#include "fs/control.h"
#include "tests/faults/figures.h"
#include "tests/faults/rows.h"
#include "tests/mount/fixture.h"

namespace skimfs::test {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

// Seconds, of a request.  What passes must have passed by then, on a busy machine too.
#ifdef __SANITIZE_ADDRESS__
constexpr int kTimeout = 9;
#else
constexpr int kTimeout = 5;
#endif
// With a margin for sanitizers on a busy machine; figures() tells what it was, and
// tests/mount/hang_test.cc holds a mount to less.
constexpr auto kKillLimit = kAtOnce, kStopLimit = kAtOnce;
constexpr std::uint64_t kWellSize = std::uint64_t{1} << 32;

enum class Known { stated, told, asked };  // the size: by the manifest, before the fault, in it

struct Seen {
  std::string stage;
  int outcome = 0;
  std::uint64_t reads = 0, wrong = 0, brief = 0;
};

std::string words(int outcome) {
  if (outcome < 0) return std::string("signal ") + ::strsignal(-outcome);
  return outcome == 0 ? "no error" : ::strerrorname_np(outcome);
}

// One file of one row in one mount.
struct Case {
  const Row* row;
  bool lasting;
  std::string name;   // of its folder in the mount; see Bench
  std::string place;  // "host:port", as the log has it
  std::unique_ptr<Stage> stage;
  std::optional<Seen> seen;
};

std::string place_of(const std::string& url) {
  const auto from = url.find("//") + 2;
  return url.substr(from, url.find('/', from) - from);
}

// All rows under one mount.  Each file has a folder of its own, since the kernel locks a folder
// while it looks a name up in it.
class Bench {
 public:
  Bench(const std::vector<Row>& rows, Known known, std::string mode)
      : known_(known), mode_(std::move(mode)) {
    well_.add("/well", kWellSize);
    manifest_.line("/well\t" + std::to_string(kWellSize) + "\t-\t-\t" + well_.url("/well"));
    for (const Row& row : rows) {
      if (row.needs_pin && known_ == Known::asked) continue;
      add(row, true);
      if (row.passes) add(row, false);
    }
  }

  std::string title() const {
    const char* size = known_ == Known::stated ? "stated"
                       : known_ == Known::told ? "told"
                                               : "asked";
    return mode_ + ", size " + size;
  }
  void start() {
    mount_.emplace(manifest_, "timeout=" + std::to_string(kTimeout) +
                                  ",memory=256M,connections=400,connections_per_host=4,"
                                  "idle_timeout=2");
  }

  Mount& mount() { return *mount_; }
  // By no program: forking so many threads takes its time.
  nlohmann::json status() const {
    return nlohmann::json::parse(fs::control::ask(mount_->dir(), "status --json", 30s));
  }
  std::deque<Case>& cases() { return cases_; }
  const std::string& mode() const { return mode_; }
  Known known() const { return known_; }

  // A process that reads these files, all if there are none, at once.
  std::unique_ptr<Process> reader(const std::set<std::string>& names = {}) {
    std::vector<std::string> lines;
    for (const Case& each : cases_) {
      if (!names.empty() && !names.contains(each.name)) continue;
      const bool waits = each.lasting && keeps_waiting(*each.row);
      lines.push_back(path_of(each) + " /f 2 " + std::to_string(each.row->size) +
                      (waits ? " 1\n" : " 0\n"));
    }
    // In no order that would have the mount fetch what comes next, and meet the fault alone.
    std::shuffle(lines.begin(), lines.end(), std::mt19937_64(1));
    std::string list;
    for (const std::string& line : lines) list += line;
    const std::string run = std::to_string(++runs_);
    out_ = scratch_ / ("out" + run);
    return std::make_unique<Process>(
        Command{FAULT_READER, mode_, scratch_.write("list" + run, list), out_},
        scratch_ / "reader");
  }
  std::map<std::string, Seen> results() const {
    std::map<std::string, Seen> all;
    std::istringstream lines(contents(out_));
    Seen seen;
    for (std::string path;
         lines >> path >> seen.stage >> seen.outcome >> seen.reads >> seen.wrong >> seen.brief;) {
      const std::string folder = path.substr(0, path.rfind('/'));
      all[folder.substr(folder.rfind('/') + 1)] = seen;
    }
    return all;
  }
  std::string path_of(const Case& each) const { return *mount_ / each.name + "/f"; }
  std::string reader_said() const { return contents(scratch_ / "reader"); }

  // A read of the file that nothing is wrong with, from its server.
  Seen read_well(std::uint64_t page, std::chrono::milliseconds& took) {
    const auto begin = Clock::now();
    const auto got = read_at(mount() / "well", page * 4096, 65536, O_DIRECT);
    took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
    Seen seen{"read", got.error, 1, 0, got.error == 0 && got.bytes.size() != 65536};
    seen.wrong = well_.body("/well").first_wrong(page * 4096, got.bytes).has_value();
    return seen;
  }

  void heal() {
    for (Case& each : cases_) {
      Stage& stage = *each.stage;
      stage.origin.behave(
          "/f", each.stage->other ? Behaviour{.location = stage.other->url("/f")} : Behaviour{});
      // What the manifest states is the truth again.
      if (each.row->needs_pin) stage.origin.change("/f", each.row->size);
      if (stage.other) stage.other->behave("/f", {});
      if (stage.proxy) stage.proxy->fault({}), stage.proxy->cut_all();
      stage.origin.listen_again();
      stage.origin.release();
    }
  }
  void silence() {
    for (Case& each : cases_) {
      each.stage->origin.accept_in_silence(true);
      if (each.stage->other) each.stage->other->accept_in_silence(true);
    }
  }

 private:
  void add(const Row& row, bool lasting) {
    Case& each = cases_.emplace_back(Case{
        &row, lasting, row.number + "_" + row.name, {}, std::make_unique<Stage>(row.size), {}});
    if (!lasting) each.name += "_once";
    Stage& stage = *each.stage;
    // The size is told, or the pin made, by an answer before the fault.
    unsigned good = known_ == Known::told || row.needs_pin ? 1 : 0;
    const Spell spell{.times = lasting ? HostileOrigin::kAlways : 1, .after = good};
    std::string url = stage.origin.url("/f");
    if (row.put) {
      url = row.put(stage, spell);
    } else {
      stage.origin.behave("/f", row.behaviour, spell.times, spell.after);
    }
    each.place = place_of(url);
    const std::string size = known_ == Known::stated ? std::to_string(row.size) : "-";
    manifest_.line("/" + each.name + "/f\t" + size + "\t-\t-\t" + url);
  }

  const Known known_;
  const std::string mode_;
  Scratch scratch_;
  HostileOrigin well_;
  std::deque<Case> cases_;
  Manifest manifest_{"http://127.0.0.1:1"};
  std::optional<Mount> mount_;
  std::string out_;
  unsigned runs_ = 0;
};

class FaultMatrix : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    raise_descriptors();
    const auto chosen = std::getenv("SKIMFS_FAULT_ROW");  // "27a": while working on one row
    for (Row& row : all_rows()) {
      if (chosen == nullptr || row.number.starts_with(chosen)) rows_.push_back(std::move(row));
    }
    for (const char* mode : {"buffered", "direct", "mmap"}) {
      benches_.emplace_back(rows_, Known::stated, mode);
      benches_.emplace_back(rows_, Known::told, mode);
    }
    // Before there is a handle the ways to read are all the same.
    benches_.emplace_back(rows_, Known::asked, "buffered");
    // Here and not in threads: a process started by a thread is killed when that ends.
    for (Bench& bench : benches_) bench.start();
  }

  // A listening socket for each file and a few connections.
  static void raise_descriptors() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 32768);
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }

  template <class Act>
  void for_all(Act&& act) {
    std::vector<std::thread> threads;
    for (Bench& bench : benches_) threads.emplace_back([&] { act(bench); });
    for (auto& thread : threads) thread.join();
  }

  void read_in_the_fault(Bench& bench);
  void watch(Bench& bench, const std::atomic<bool>& over);
  void judge(Bench& bench, const std::map<std::string, Seen>& results);
  void judge(const Bench& bench, const Case& each, const Seen& seen);
  void look_at_log(Bench& bench);
  void look_at_errors(Bench& bench);
  void list(Bench& bench);
  void kill_the_reader(Bench& bench);
  void read_when_healed(Bench& bench);
  void stop(Bench& bench);

  std::vector<Row> rows_;
  std::deque<Bench> benches_;
  std::mutex mutex_;
  std::set<std::string> shown_;  // rows whose fault a reader saw; guarded by mutex_
};

void FaultMatrix::read_in_the_fault(Bench& bench) {
  std::atomic<bool> over{false};
  std::thread watcher([&] { watch(bench, over); });
  const auto reader = bench.reader();
  // Buffered, the kernel asks again for the page after a read-ahead that failed.
  const auto ending = reader->wait(std::chrono::seconds(4 * kTimeout + 20));
  over = true;
  watcher.join();
  EXPECT_EQ(ending, 0) << bench.title() << ": readers hang\n" << bench.reader_said();
  judge(bench, bench.results());
}

// Meanwhile, in the same mount: a file of a good server, and the names.
void FaultMatrix::watch(Bench& bench, const std::atomic<bool>& over) {
  std::mt19937_64 random(1);
  for (unsigned round = 0; !over; ++round) {
    std::chrono::milliseconds took{0};
    const Seen seen = bench.read_well(random() % (kWellSize / 4096 - 16), took);
    EXPECT_EQ(seen.outcome, 0) << bench.title()
                               << ": the file beside them: " << words(seen.outcome);
    figures().add_read(seen.reads, seen.wrong, seen.brief);
    figures().beside.raise(took);
    if (round == 10) list(bench);
    std::this_thread::sleep_for(50ms);
  }
}

// S-NAME-1
void FaultMatrix::list(Bench& bench) {
  DIR* const dir = ::opendir(bench.mount().dir().c_str());
  ASSERT_NE(dir, nullptr) << bench.title();
  std::size_t names = 0;
  while (const dirent* entry = ::readdir(dir)) names += entry->d_name[0] != '.';
  ::closedir(dir);
  for (const Case& each : bench.cases())
    names += std::filesystem::is_directory(bench.mount() / each.name);
  EXPECT_EQ(names, 2 * bench.cases().size() + 1) << bench.title();
}

void FaultMatrix::judge(Bench& bench, const std::map<std::string, Seen>& results) {
  for (Case& each : bench.cases()) {
    const auto found = results.find(each.name);
    if (found == results.end()) {
      ADD_FAILURE() << bench.title() << ", " << each.name << ": no result";
      continue;
    }
    each.seen = found->second;
    judge(bench, each, *each.seen);
  }
}

void FaultMatrix::judge(const Bench& bench, const Case& each, const Seen& seen) {
  const Row& row = *each.row;
  const std::string what = bench.title() + ", " + each.name + " (" + each.place + "): ";
  figures().add_read(seen.reads, seen.wrong, seen.brief);
  EXPECT_EQ(seen.wrong, 0u) << what << "wrong bytes";
  EXPECT_EQ(seen.brief, 0u) << what << "short reads";
  const bool asked = bench.known() == Known::asked && !row.at_probe.empty();
  std::set<int> allowed = asked ? row.at_probe : row.outcome;
  // What lasts is no reason to ask again, though it was only said once.
  if (!each.lasting && !asked) allowed = {0};
  // Where the change came first, to a request made ahead, the file is of the new version all along.
  if (!each.lasting || row.needs_pin) allowed.insert(0);
  if (each.lasting && seen.outcome != 0) {
    const std::lock_guard lock(mutex_);
    shown_.insert(row.number);
  }
  // What read(2) says in a word a mapping says with a signal, whatever the word.
  const bool right = seen.outcome >= 0
                         ? allowed.contains(seen.outcome)
                         : seen.outcome == -SIGBUS && (allowed.size() > 1 || !allowed.contains(0));
  EXPECT_TRUE(right) << what << words(seen.outcome) << " at " << seen.stage
                     << (each.lasting ? "" : " though the fault passed");
}

// An error that a program saw is told, once, with its place.
void FaultMatrix::look_at_log(Bench& bench) {
  const std::string log = bench.mount().log();
  for (const Case& each : bench.cases()) {
    if (!each.seen || each.seen->outcome == 0 || !each.lasting) continue;
    std::map<std::string, unsigned> events;
    std::istringstream lines(log);
    for (std::string line; std::getline(lines, line);) {
      const bool here = line.find("//" + each.place + "/") != std::string::npos ||
                        line.find("path=/" + each.name + "/f ") != std::string::npos;
      if (!here) continue;
      const auto from = line.find("ev=") + 3;
      ++events[line.substr(from, line.find(' ', from) - from)];
      EXPECT_EQ(line.find("secret"), std::string::npos) << line;
    }
    const bool told = std::any_of(each.row->events.begin(), each.row->events.end(),
                                  [&](const std::string& event) { return events.contains(event); });
    std::string all;
    for (const auto& [event, lines_of_it] : events) all += " " + event;
    EXPECT_TRUE(told) << bench.title() << ", " << each.name << ": the log has only:" << all;
  }
}

void FaultMatrix::look_at_errors(Bench& bench) {
  std::size_t failed = 0;
  for (const Case& each : bench.cases()) {
    if (!each.seen || each.seen->outcome == 0) continue;
    ++failed;
    if (each.seen->stage != "read") continue;  // else there is no inode to ask
    char text[200] = {};
    const auto length =
        ::getxattr(bench.path_of(each).c_str(), "user.skimfs.error", text, sizeof text - 1);
    EXPECT_GT(length, 0) << bench.title() << ", " << each.name << ": no user.skimfs.error, "
                         << std::strerror(errno);
  }
  auto status = bench.status();
  const auto errors = [&] { return status["reads"]["errors"].get<std::uint64_t>(); };
  // A lookup whose time is over is counted when its probe ends, a moment later.
  for (int tries = 0; tries < 100 && errors() < failed; ++tries) {
    std::this_thread::sleep_for(10ms);
    status = bench.status();
  }
  figures().oldest.raise(
      std::chrono::milliseconds(status["parked"]["longest_ms"].get<std::int64_t>()));
  EXPECT_GE(errors(), failed) << bench.title();
  EXPECT_EQ(status["parked"]["requests"].get<std::uint64_t>(), 0u) << bench.title();
}

// S-WAIT-2
void FaultMatrix::kill_the_reader(Bench& bench) {
  const auto reader = bench.reader();
  std::this_thread::sleep_for(300ms);
  reader->signal(SIGKILL);
  const auto begin = Clock::now();
  const bool gone = reader->wait(kKillLimit).has_value();
  figures().killed.raise(
      std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin));
  figures().unkillable += !gone;
  EXPECT_TRUE(gone) << bench.title() << ": a reader outlives SIGKILL";
}

// Nothing bad was kept.
void FaultMatrix::read_when_healed(Bench& bench) {
  bench.heal();
  std::set<std::string> unread;
  for (const Case& each : bench.cases()) {
    if (each.row->heals) unread.insert(each.name);
  }
  // A refusal is believed for five seconds.
  const auto deadline = Clock::now() + std::chrono::seconds(12 * kTimeout);
  std::string bad;
  while (!unread.empty() && Clock::now() < deadline) {
    const auto reader = bench.reader(unread);
    ASSERT_EQ(reader->wait(std::chrono::seconds(4 * kTimeout + 20)), 0) << bench.title();
    bad.clear();
    for (const auto& [name, seen] : bench.results()) {
      figures().add_read(seen.reads, seen.wrong, seen.brief);
      EXPECT_EQ(seen.wrong, 0u) << bench.title() << ", " << name << ", healed: wrong bytes";
      if (seen.outcome == 0)
        unread.erase(name);
      else
        bad += "\n" + name + ": " + words(seen.outcome) + " at " + seen.stage;
    }
  }
  EXPECT_EQ(bad, "") << bench.title() << ": unreadable though all servers are well";
}

// S-WAIT-4
void FaultMatrix::stop(Bench& bench) {
  bench.silence();
  const auto reader = bench.reader();
  bench.mount().await_waiting(10, 2s);
  EXPECT_FALSE(bench.mount().daemon().wait(0ms)) << bench.title() << ": the daemon is dead";
  figures().deaths += bench.mount().daemon().wait(0ms).has_value();
  const auto took = bench.mount().stop();
  figures().stop.raise(took);
  EXPECT_LT(took, kStopLimit) << bench.title();
  EXPECT_TRUE(reader->wait(kKillLimit).has_value()) << bench.title();
}

// S-READ-1, S-READ-2, S-READ-6, S-HTTP-1, S-HTTP-3, S-HTTP-4, S-HTTP-5
TEST_F(FaultMatrix, NoRowGivesAWrongByteOrAStuckReader) {
  for_all([this](Bench& bench) { read_in_the_fault(bench); });
  for_all([this](Bench& bench) { look_at_errors(bench), look_at_log(bench); });
  for_all([this](Bench& bench) { kill_the_reader(bench); });
  for_all([this](Bench& bench) { read_when_healed(bench); });
  for_all([this](Bench& bench) { stop(bench); });
  for (const Row& row : rows_) {
    EXPECT_TRUE(row.outcome.contains(0) || shown_.contains(row.number))
        << row.number << "_" << row.name << ": no reader met the fault";
  }
  std::set<std::string> numbers;
  for (const Row& row : rows_)
    numbers.insert(row.number.substr(0, row.number.find_first_of("abcdefgh")));
  std::size_t cases = 0;
  for (Bench& bench : benches_) cases += bench.cases().size();
  figures().rows = numbers.size();
  figures().variants = rows_.size();
  figures().cases = cases;
}

}  // namespace
}  // namespace skimfs::test

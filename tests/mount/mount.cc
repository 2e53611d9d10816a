// SPDX-License-Identifier: MIT
//
// The daemon's readiness is seen in /proc/self/mountinfo, so that a dead mount is never touched.
#include "tests/mount/mount.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <thread>

#include "fs/control.h"

namespace skimfs::test {
namespace {

// How late a request may be answered after its deadline.  Sanitizers are slow, and tests that run
// many mounts at once make them slower.
#ifdef __SANITIZE_ADDRESS__
constexpr std::chrono::seconds kLateness{20};
#else
constexpr std::chrono::seconds kLateness{5};
#endif

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

std::string utc(const timespec& time) {
  char text[40];
  std::tm parts{};
  gmtime_r(&time.tv_sec, &parts);
  const std::size_t length = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  char fraction[16];
  std::snprintf(fraction, sizeof fraction, ".%09ldZ", time.tv_nsec);
  return std::string(text, length) + fraction;
}

std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", mode & 0777u);
  return text;
}

// timeout= among the options, else its default.
std::chrono::seconds timeout_of(const std::string& options) {
  std::istringstream words(options);
  for (std::string word; std::getline(words, word, ',');) {
    if (word.starts_with("timeout=")) return std::chrono::seconds(std::stoul(word.substr(8)));
  }
  return 60s;
}

constexpr auto kStartLimit = 20s, kStopLimit = 20s;  // sanitizers on a busy machine are slow

}  // namespace

const std::string& skimfs() {
  static const std::string path = SKIMFS_PROGRAM;
  return path;
}

Manifest::Manifest(const std::string& base) : text_("#skimfs 1\n@base " + base + "/\n") {}

Manifest& Manifest::line(const std::string& text) {
  text_ += text + "\n";
  ++entries_;
  return *this;
}

Manifest& Manifest::file(const std::string& path, std::optional<std::uint64_t> size,
                         const std::string& tail) {
  return line(path + "\t" + (size ? std::to_string(*size) : "-") +
              "\t-\t-\t=" + (tail.empty() ? "" : "\t" + tail));
}

Manifest& Manifest::tree(const std::string& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string path = entry.path().string().substr(folder.size());
    struct stat at {};
    if (::lstat(entry.path().c_str(), &at) != 0) throw std::runtime_error(path);
    const std::string mode = "\tmode=" + octal(at.st_mode & 0555);
    if (S_ISDIR(at.st_mode)) {
      line(path + "/\t-\t" + utc(at.st_mtim) + "\t-\t-" + mode);
    } else if (S_ISLNK(at.st_mode)) {
      line(path + "\t-\t-\t-\t-\t!link=" + std::filesystem::read_symlink(entry.path()).string());
    } else {
      line(path + "\t" + std::to_string(at.st_size) + "\t" + utc(at.st_mtim) + "\t-\t=" + mode);
    }
  }
  return *this;
}

Mount::Mount(const Manifest& manifest, const std::string& options, const Command& under)
    : dir_(scratch_ / "mnt"), log_path_(scratch_ / "log"), timeout_(timeout_of(options)) {
  std::filesystem::create_directory(dir_);
  Command command = under;
  command.insert(command.end(),
                 {skimfs(), scratch_.write("manifest", manifest.text()), dir_, "-f"});
  if (!options.empty()) command.insert(command.end(), {"-o", options});
  daemon_ = std::make_unique<Process>(command, log_path_);
  const bool up =
      until([&] { return !mount_row(dir_).empty() || daemon_->wait(0ms); }, kStartLimit);
  struct statvfs space {};
  if (!up || daemon_->wait(0ms) || ::statvfs(dir_.c_str(), &space) != 0) {
    throw std::runtime_error("no mount: " + log());
  }
  const std::string row = mount_row(dir_);
  connection_ = static_cast<unsigned>(std::stoul(row.substr(row.find(':') + 1)));
}

void Mount::rewrite(const std::string& text) const {
  std::filesystem::rename(scratch_.write("manifest.new", text), scratch_ / "manifest");
}

Outcome Mount::reload(const Manifest& manifest) const {
  rewrite(manifest.text());
  return run({skimfs(), "reload", dir_});
}

Mount::~Mount() {
  if (const auto ending = daemon_->wait(0ms)) {
    EXPECT_TRUE(*ending == 0 || *ending == -SIGKILL) << "it ended with " << *ending << ":\n"
                                                     << log();
    return;
  }
  stop();
  EXPECT_EQ(mount_row(dir_), "");
}

void Mount::check_deadlines() const {
  std::string status, why;
  const auto told = [&] {
    try {
      status = fs::control::ask(dir_, "status --json");
    } catch (const fs::control::NotServed& error) {
      why = error.what();
    }
    return !status.empty();
  };
  // A mount that has just begun to answer takes commands a moment later.
  if (!until(told, 5s)) {
    ADD_FAILURE() << "no status: " << why;
    return;
  }
  const auto parked = nlohmann::json::parse(status).at("parked");
  EXPECT_LE(std::chrono::milliseconds(parked.at("longest_ms").get<int>()), timeout_ + kLateness)
      << "a request outlived its deadline";
}

std::chrono::milliseconds Mount::stop() {
  check_deadlines();
  const auto begin = Clock::now();
  daemon_->signal(SIGTERM);
  const auto ending = daemon_->wait(kStopLimit);
  EXPECT_TRUE(ending.has_value()) << "the daemon ignores SIGTERM; it said:\n" << log();
  EXPECT_EQ(ending.value_or(0), 0) << log();
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin);
}

bool Mount::await_log(std::string_view part, std::chrono::milliseconds at_most) const {
  return until([&] { return log().find(part) != std::string::npos; }, at_most);
}

bool Mount::await_log_lines(std::string_view part, unsigned n,
                            std::chrono::milliseconds at_most) const {
  const auto lines = [&] {
    std::istringstream all(log());
    unsigned found = 0;
    for (std::string line; std::getline(all, line);) found += line.find(part) != line.npos;
    return found;
  };
  return until([&] { return lines() >= n; }, at_most);
}

std::string Mount::status() const {
  const Outcome outcome = status_of(dir_);
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  return outcome.out;
}

unsigned Mount::waiting() const {
  const std::string path = "/sys/fs/fuse/connections/" + std::to_string(connection_) + "/waiting";
  return static_cast<unsigned>(std::strtoul(contents(path).c_str(), nullptr, 10));
}

bool Mount::await_waiting(unsigned n, std::chrono::milliseconds at_most) const {
  return until([&] { return waiting() >= n; }, at_most);
}

std::uint64_t Mount::memory(std::string_view field) const {
  std::istringstream lines(contents("/proc/" + std::to_string(daemon_->pid()) + "/status"));
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(std::string(field) + ":")) {
      return std::strtoull(line.c_str() + field.size() + 1, nullptr, 10) * 1024;
    }
  }
  throw std::runtime_error("no " + std::string(field) + " of the daemon");
}

Outcome status_of(const std::string& dir, const Command& more) {
  Command command{skimfs(), "status", dir};
  command.insert(command.end(), more.begin(), more.end());
  Outcome outcome;
  until([&] { return (outcome = run(command)).ok(); }, kAtOnce);
  return outcome;
}

std::string mount_row(const std::string& dir) {
  std::istringstream rows(contents("/proc/self/mountinfo"));
  std::string found;
  for (std::string row; std::getline(rows, row);) {
    if (row.find(" " + dir + " ") != std::string::npos) found = row;
  }
  // "36 35 98:0 / /mnt ...": from the device number on.
  const auto second = found.find(' ', found.find(' ') + 1);
  return found.empty() ? found : found.substr(second + 1);
}

bool await_mounted(const std::string& dir, bool mounted, std::chrono::milliseconds at_most) {
  return until([&] { return mount_row(dir).empty() != mounted; }, at_most);
}

ReadResult read_at(int fd, std::uint64_t offset, std::size_t length) {
  // On a page's bounds, as O_DIRECT wants it.
  constexpr std::size_t kPage = 4096;
  const std::unique_ptr<char, decltype(&std::free)> buffer(
      static_cast<char*>(std::aligned_alloc(kPage, (length + kPage - 1) / kPage * kPage)),
      &std::free);
  const auto got = ::pread(fd, buffer.get(), length, static_cast<off_t>(offset));
  if (got < 0) return {errno, {}};
  return {0, {buffer.get(), static_cast<std::size_t>(got)}};
}

ReadResult read_at(const std::string& path, std::uint64_t offset, std::size_t length, int flags) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return {errno, {}};
  ReadResult result = read_at(fd, offset, length);
  ::close(fd);
  return result;
}

}  // namespace skimfs::test

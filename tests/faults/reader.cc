// SPDX-License-Identifier: MIT
//
// Programs that read, as one process: the files of a list, many at a time, every byte checked.
//
//   fault_reader MODE LIST OUT     MODE: buffered, direct, mmap
//
// A line of LIST is "PATH BODY VERSIONS SIZE WAITS": BODY names the content, of which the versions
// 0 to VERSIONS may be served (body.h); WAITS is 1 for a file whose server will keep its reader
// waiting, which gets a thread of its own.  For each file OUT gets one line, as soon as it is
// known: "PATH STAGE OUTCOME READS WRONG SHORT", OUTCOME being 0, an errno, or minus SIGBUS. A
// process of its own, so that a test can see whether SIGKILL ends it wherever it waits.
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/body.h"

namespace skimfs::test {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPiece = 32 * kPage;
constexpr int kQuickReaders = 6;

thread_local sigjmp_buf on_bus_error;

extern "C" void bus_error(int) { siglongjmp(on_bus_error, 1); }

struct Task {
  std::string path, body;
  unsigned versions = 0;
  std::uint64_t size = 0;
  bool waits = false;
};

struct Result {
  const char* stage = "open";
  int outcome = 0;
  std::uint64_t reads = 0, wrong = 0, brief = 0;
};

// One file, one handle: all its bytes must be of one version.
class FileReader {
 public:
  FileReader(const Task& task, const std::string& mode)
      : task_(task),
        mapped_(mode == "mmap"),
        flags_(mode == "direct" ? O_DIRECT : 0),
        buffer_(static_cast<char*>(std::aligned_alloc(kPage, kPiece)), &std::free) {}

  Result run() {
    const int fd = ::open(task_.path.c_str(), O_RDONLY | O_CLOEXEC | flags_);
    struct stat status {};
    if (fd < 0 || ::fstat(fd, &status) != 0) {
      result_.outcome = errno;
      return result_;
    }
    result_.stage = "read";
    size_ = static_cast<std::uint64_t>(status.st_size);
    if (mapped_ && size_ > 0) {
      read_mapped(fd);
    } else {
      read_all([&](std::uint64_t at, std::size_t length) { return read_piece(fd, at, length); });
    }
    ::close(fd);
    return result_;
  }

 private:
  // The first page, the end, then everything in order; up to the first error.
  template <class Read>
  void read_all(Read&& read) {
    if (!read(0, std::min<std::uint64_t>(kPage, size_))) return;
    const std::uint64_t end = size_ > kPiece ? (size_ - kPiece) / kPage * kPage : 0;
    if (!read(end, std::min<std::uint64_t>(kPiece, size_ - end))) return;
    // More than this is another row's business, and an origin's time.
    const std::uint64_t most = std::min<std::uint64_t>(size_, 1u << 20);
    for (std::uint64_t at = 0; at < most; at += kPiece) {
      if (!read(at, std::min<std::uint64_t>(kPiece, size_ - at))) return;
    }
    check_end();
  }

  bool read_piece(int fd, std::uint64_t at, std::size_t length) {
    // As O_DIRECT wants it; the file ends where it ends.
    const auto got =
        ::pread(fd, buffer_.get(), (length + kPage - 1) / kPage * kPage, static_cast<off_t>(at));
    if (got < 0) {
      result_.outcome = errno;
      return false;
    }
    const auto bytes = static_cast<std::size_t>(got);
    check(at, std::span(buffer_.get(), std::min(bytes, length)));
    if (bytes >= length) return true;
    // The page cache gives what comes before a page that cannot be had, and the error to who asks
    // again from there.
    if (bytes > 0 && bytes % kPage == 0) return read_piece(fd, at + bytes, length - bytes);
    ++result_.brief;
    return false;
  }

  void read_mapped(int fd) {
    void* const map = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED) {
      result_.outcome = errno;
      return;
    }
    if (sigsetjmp(on_bus_error, 1) == 0) {
      read_all([&](std::uint64_t at, std::size_t length) {
        std::memcpy(buffer_.get(), static_cast<const char*>(map) + at, length);
        check(at, std::span(buffer_.get(), length));
        return true;
      });
    } else {
      result_.outcome = -SIGBUS;
    }
    ::munmap(map, size_);
  }

  void check(std::uint64_t at, std::span<const char> bytes) {
    ++result_.reads;
    if (bytes.empty()) return;
    for (unsigned version = version_.value_or(0); version <= version_.value_or(task_.versions);
         ++version) {
      if (Body(task_.body, version).first_wrong(at, bytes)) continue;
      version_ = version;
      return;
    }
    ++result_.wrong;
  }

  // A file that is whole has the length it should have; a new version may have another one.
  void check_end() {
    if (version_.value_or(0) == 0 && size_ != task_.size) ++result_.wrong;
  }

  const Task& task_;
  const bool mapped_;
  const int flags_;
  const std::unique_ptr<char, decltype(&std::free)> buffer_;
  std::uint64_t size_ = 0;
  std::optional<unsigned> version_;  // of the bytes seen so far
  Result result_;
};

int read_list(const std::string& mode, const char* list, const char* out) {
  struct sigaction action {};
  action.sa_handler = bus_error;
  action.sa_flags = SA_NODEFER;
  ::sigaction(SIGBUS, &action, nullptr);

  std::vector<Task> tasks;
  std::ifstream lines(list);
  for (Task task; lines >> task.path >> task.body >> task.versions >> task.size >> task.waits;)
    tasks.push_back(task);
  std::ofstream results(out);
  std::mutex mutex;  // guards results
  const auto read = [&](const Task& task) {
    const Result result = FileReader(task, mode).run();
    const std::lock_guard lock(mutex);
    results << task.path << ' ' << result.stage << ' ' << result.outcome << ' ' << result.reads
            << ' ' << result.wrong << ' ' << result.brief << std::endl;
  };
  std::vector<std::thread> threads;
  for (const Task& task : tasks) {
    if (task.waits) threads.emplace_back([&] { read(task); });
  }
  // So few that a busy machine is no reason for a deadline to pass.
  std::atomic<std::size_t> next{0};
  for (int i = 0; i < kQuickReaders; ++i) {
    threads.emplace_back([&] {
      for (std::size_t at; (at = next++) < tasks.size();) {
        if (!tasks[at].waits) read(tasks[at]);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return results ? 0 : 1;
}

}  // namespace
}  // namespace skimfs::test

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: %s buffered|direct|mmap LIST OUT\n", argv[0]);
    return 2;
  }
  return skimfs::test::read_list(argv[1], argv[2], argv[3]);
}

// SPDX-License-Identifier: MIT
//
// The readers of the benchmark that no common tool is: random and many-file, timed without the
// start of a process, and every byte compared with the true file.
//
//   bench_reader random FILE TRUTH READS SIZE THREADS SEED
//   bench_reader backward FILE TRUTH BYTES SIZE
//   bench_reader walk MOUNT TRUTH THREADS BLOCK < names relative to both
//
// Prints the seconds.  A wrong byte, a short read or an error ends it at once with exit code 1.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kPage = 4096;

[[noreturn]] void fail(const std::string& what, int error = 0) {
  std::fprintf(stderr, "bench_reader: %s%s%s\n", what.c_str(), error ? ": " : "",
               error ? std::strerror(error) : "");
  std::_Exit(1);
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc{} || end != text.data() + text.size()) {
    fail("not a number: " + std::string(text));
  }
  return value;
}

class File {
 public:
  explicit File(std::string path) : path_(std::move(path)), fd_(open(path_.c_str(), O_RDONLY)) {
    struct stat about {};
    if (fd_ < 0 || fstat(fd_, &about) != 0) fail(path_, errno);
    size_ = static_cast<std::uint64_t>(about.st_size);
  }
  ~File() { close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }
  int fd() const { return fd_; }
  std::uint64_t size() const { return size_; }

 private:
  std::string path_;
  int fd_;
  std::uint64_t size_ = 0;
};

// The bytes that every reader must see.
class Truth {
 public:
  Truth(const std::string& path, int flags) : file_(path) {
    if (file_.size() == 0) return;
    void* at = mmap(nullptr, file_.size(), PROT_READ, MAP_SHARED | flags, file_.fd(), 0);
    if (at == MAP_FAILED) fail(path, errno);
    bytes_ = static_cast<const char*>(at);
  }
  ~Truth() {
    if (bytes_) munmap(const_cast<char*>(bytes_), file_.size());
  }
  Truth(const Truth&) = delete;
  Truth& operator=(const Truth&) = delete;

  std::uint64_t size() const { return file_.size(); }

  // Reads `length` bytes at `offset` of `seen` and compares them.
  void compare(const File& seen, std::uint64_t offset, std::size_t length, char* buffer) const {
    for (std::size_t done = 0; done < length;) {
      const ssize_t got =
          pread(seen.fd(), buffer + done, length - done, static_cast<off_t>(offset + done));
      if (got < 0) fail(seen.path() + " at " + std::to_string(offset + done), errno);
      if (got == 0) fail(seen.path() + ": ends early, at " + std::to_string(offset + done));
      done += static_cast<std::size_t>(got);
    }
    if (std::memcmp(buffer, bytes_ + offset, length) != 0) {
      fail(seen.path() + ": wrong bytes within " + std::to_string(length) + " at " +
           std::to_string(offset));
    }
  }

 private:
  File file_;
  const char* bytes_ = nullptr;
};

double seconds_of(std::uint64_t threads, const std::function<void(std::uint64_t)>& work) {
  const auto begin = std::chrono::steady_clock::now();
  std::vector<std::thread> running;
  for (std::uint64_t i = 0; i < threads; ++i) running.emplace_back(work, i);
  for (auto& thread : running) thread.join();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double random_reads(char** argument) {
  const Truth truth(argument[1], MAP_POPULATE);
  const auto reads = number(argument[2]);
  const auto size = number(argument[3]);
  const auto threads = number(argument[4]);
  const auto seed = number(argument[5]);
  if (truth.size() < size) fail(std::string(argument[1]) + ": smaller than one read");
  // Opened within the time taken: a reader has to open its file.
  return seconds_of(threads, [&](std::uint64_t thread) {
    const File seen(argument[0]);
    std::vector<char> buffer(size);
    std::mt19937_64 random(seed + thread);
    std::uniform_int_distribution<std::uint64_t> page(0, (truth.size() - size) / kPage);
    for (std::uint64_t i = 0; i < reads; ++i) {
      truth.compare(seen, page(random) * kPage, size, buffer.data());
    }
  });
}

// The last `bytes` of a file in pieces of `size`, the last piece first.
double backward_reads(char** argument) {
  const Truth truth(argument[1], MAP_POPULATE);
  const auto bytes = number(argument[2]);
  const auto size = number(argument[3]);
  if (size == 0 || bytes > truth.size()) fail(std::string(argument[1]) + ": smaller than asked for");
  return seconds_of(1, [&](std::uint64_t) {
    const File seen(argument[0]);
    std::vector<char> buffer(size);
    for (std::uint64_t done = size; done <= bytes; done += size) {
      truth.compare(seen, truth.size() - done, size, buffer.data());
    }
  });
}

double walk(char** argument) {
  const std::string mount = argument[0];
  const std::string truths = argument[1];
  const auto threads = number(argument[2]);
  const auto block = number(argument[3]);
  std::vector<std::string> names;
  for (std::string name; std::getline(std::cin, name);) names.push_back(name);
  std::atomic<std::size_t> next{0};
  return seconds_of(threads, [&](std::uint64_t) {
    std::vector<char> buffer(block);
    for (std::size_t i; (i = next++) < names.size();) {
      const Truth truth(truths + "/" + names[i], 0);
      const File seen(mount + "/" + names[i]);
      if (seen.size() != truth.size()) fail(seen.path() + ": wrong size");
      for (std::uint64_t at = 0; at < truth.size(); at += block) {
        truth.compare(seen, at, std::min<std::uint64_t>(block, truth.size() - at), buffer.data());
      }
    }
  });
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  double seconds = 0;
  if (command == "random" && argc == 8) {
    seconds = random_reads(argv + 2);
  } else if (command == "backward" && argc == 6) {
    seconds = backward_reads(argv + 2);
  } else if (command == "walk" && argc == 6) {
    seconds = walk(argv + 2);
  } else {
    std::fprintf(stderr,
                 "usage: bench_reader random FILE TRUTH READS SIZE THREADS SEED\n"
                 "       bench_reader backward FILE TRUTH BYTES SIZE\n"
                 "       bench_reader walk MOUNT TRUTH THREADS BLOCK < names\n");
    return 2;
  }
  std::printf("%.6f\n", seconds);
}

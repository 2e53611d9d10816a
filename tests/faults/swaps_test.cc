// SPDX-License-Identifier: MIT
//
// Files that are swapped upstream while they are read: what one handle gives is of one version.
//
// Any eight bytes prove their version (body.h).  Swaps come at moments of chance from outside, and
// between the reads of a handle, where a mix would show.  SKIMFS_SWAPS=N: so many, else 1000.
#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <random>
#include <set>
#include <thread>

#include "tests/faults/figures.h"
#include "tests/mount/fixture.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kSize = 600011;
constexpr std::size_t kPage = 4096;

thread_local sigjmp_buf on_bus_error;
extern "C" void bus_error(int) { siglongjmp(on_bus_error, 1); }

enum class Way { buffered, direct, mapped };

// One file and its reader; the versions go up by one at each swap.
class Swapped {
 public:
  Swapped(HostileOrigin& origin, std::string path, Way way, std::uint64_t seed)
      : origin_(origin), path_(std::move(path)), way_(way), random_(seed) {
    origin_.add(path_, kSize);
  }

  const std::string& path() const { return path_; }
  // Whether bytes were read since the last time this was asked: else a swap would go unseen.
  bool was_read() { return read_.exchange(false); }
  void swap() {
    // The count first: nobody may see bytes of a version that is not counted.
    ++versions_;
    origin_.change(path_);
  }

  // One handle: a few reads, with swaps between them.
  void read_once(const Mount& mount, std::atomic<std::int64_t>& swaps_left) {
    const int fd = ::open((mount.dir() + path_).c_str(),
                          O_RDONLY | O_CLOEXEC | (way_ == Way::direct ? O_DIRECT : 0));
    if (fd < 0) return;  // of a version that ended meanwhile
    version_.reset();
    if (way_ == Way::mapped) {
      read_mapped(fd, swaps_left);
    } else {
      for (int i = 0; i < 4; ++i) {
        const std::uint64_t at = place();
        const ReadResult got = read_at(fd, at, 3 * kPage);
        if (got.error != 0) break;
        check(at, got.bytes);
        if (random_() % 2 == 0 && swaps_left-- > 0) swap();
      }
    }
    ::close(fd);
  }

  std::size_t versions_seen() const { return seen_.size(); }

 private:
  std::uint64_t place() { return random_() % ((kSize - 3 * kPage) / kPage) * kPage; }

  void read_mapped(int fd, std::atomic<std::int64_t>& swaps_left) {
    void* const map = ::mmap(nullptr, kSize, PROT_READ, MAP_SHARED, fd, 0);
    ASSERT_NE(map, MAP_FAILED);
    if (sigsetjmp(on_bus_error, 1) == 0) {
      for (int i = 0; i < 4; ++i) {
        const std::uint64_t at = place();
        std::array<char, 3 * kPage> bytes;
        std::memcpy(bytes.data(), static_cast<const char*>(map) + at, bytes.size());
        check(at, {bytes.data(), bytes.size()});
        if (random_() % 2 == 0 && swaps_left-- > 0) swap();
      }
    }
    ::munmap(map, kSize);
  }

  // The version whose bytes these are; the newest are the likeliest.
  std::optional<unsigned> version_of(std::uint64_t at, std::string_view bytes) const {
    for (unsigned version = versions_ + 1; version-- > 0;) {
      if (Body(path_, version).text(at, 8) == bytes.substr(0, 8)) return version;
    }
    return {};
  }

  void check(std::uint64_t at, std::string_view bytes) {
    const std::uint64_t length = std::min<std::uint64_t>(3 * kPage, kSize - at);
    const auto version = version_of(at, bytes);
    const bool wrong = !version || Body(path_, *version).first_wrong(at, bytes);
    const bool brief = bytes.size() % kPage != 0 && bytes.size() != length;
    figures().add_read(1, wrong, brief);
    EXPECT_FALSE(wrong) << path_ << ": bytes of no version at " << at;
    EXPECT_FALSE(brief) << path_ << ": " << bytes.size() << " bytes at " << at;
    if (!version) return;
    const bool mixed = version_ && *version_ != *version;
    figures().mixes += mixed;
    EXPECT_FALSE(mixed) << path_ << ": a handle saw versions " << *version_ << " and " << *version;
    version_ = version;
    seen_.insert(*version);
    read_ = true;
  }

  HostileOrigin& origin_;
  const std::string path_;
  const Way way_;
  std::mt19937_64 random_;
  std::atomic<unsigned> versions_{0};
  std::optional<unsigned> version_;  // of the bytes this handle has given
  std::set<unsigned> seen_;
  std::atomic<bool> read_{false};
};

using Swaps = MountTest;

// S-READ-1, S-VER-2
TEST_F(Swaps, NoHandleSeesTwoVersions) {
  struct sigaction action {};
  action.sa_handler = bus_error;
  action.sa_flags = SA_NODEFER;
  struct sigaction before {};
  ::sigaction(SIGBUS, &action, &before);

  const char* const wanted = std::getenv("SKIMFS_SWAPS");
  const std::int64_t swaps = wanted != nullptr ? std::atoll(wanted) : 1000;
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));

  HostileOrigin origin;
  Manifest manifest(origin.base());
  std::vector<std::unique_ptr<Swapped>> files;
  for (int i = 0; i < 6; ++i) {
    const auto way = static_cast<Way>(i % 3);
    files.push_back(std::make_unique<Swapped>(origin, "/f" + std::to_string(i), way, seed + i));
    // Half of the sizes are asked of the server.
    manifest.file(files.back()->path(), i < 3 ? std::optional(kSize) : std::nullopt);
  }
  const Mount mount(manifest, "revalidate=0,timeout=20");

  std::atomic<std::int64_t> left{swaps};
  std::vector<std::thread> readers;
  for (auto& file : files) {
    readers.emplace_back([&] {
      while (left > 0) file->read_once(mount, left);
      file->read_once(mount, left);
    });
  }
  std::mt19937_64 random(seed);
  for (unsigned round = 0; left > 0; ++round) {
    Swapped& file = *files[random() % files.size()];
    if (file.was_read() && left-- > 0) file.swap();
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
    if (round % 1024 == 0) origin.forget_requests();
  }
  for (auto& reader : readers) reader.join();
  ::sigaction(SIGBUS, &before, nullptr);

  std::size_t seen = 0;
  for (const auto& file : files) seen += file->versions_seen();
  figures().swaps += static_cast<std::uint64_t>(swaps);
  figures().swaps_read += seen;
  // Else nothing was put to the test.
  EXPECT_GT(seen, static_cast<std::size_t>(swaps / 4));
}

}  // namespace
}  // namespace skimfs::test

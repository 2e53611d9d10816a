// SPDX-License-Identifier: MIT
//
// Random programs, a network that spoils bytes, files whose digests are stated: whatever the pieces
// are and whatever is spoilt, evicted, broken or rewritten, a read gives the stated bytes or an
// error, exactly once, and at the end nothing is left behind.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "fetch/error.h"
#include "tests/fs/filesystem_fixture.h"
#include "tests/support/digests_of.h"

namespace skimfs::test {
namespace {

using fetch::Errc;

constexpr unsigned kFiles = 5;
constexpr std::uint64_t kMemory = 4 * kMiB;

struct Stated {
  std::string line;
  std::uint64_t size = 0;
  std::vector<std::byte> bytes;
  std::string list_url;
  std::vector<std::byte> list;
};

std::string url(unsigned file, const char* what) {
  return "http://h.example/" + std::to_string(file) + what;
}

// A file of random size, verified in a random way.
Stated state(unsigned file, std::mt19937_64& random) {
  constexpr fs::Algorithm kAlgorithms[] = {fs::Algorithm::crc32c, fs::Algorithm::md5,
                                           fs::Algorithm::sha1, fs::Algorithm::sha256,
                                           fs::Algorithm::sha512};
  const auto algorithm = kAlgorithms[random() % 5];
  const bool in_pieces = random() % 3 > 0, in_parts = random() % 3 == 0;
  Stated out;
  out.size = 1 + random() % (in_pieces ? 3 * kMiB : kMiB);
  std::string where = url(file, ""), parts;
  if (in_parts) {
    where = "-";
    for (std::uint64_t at = 0; at < out.size;) {
      const std::uint64_t length = std::min(1 + random() % (300 * 1024), out.size - at);
      const std::uint64_t offset = random() % 1000;
      parts +=
          "\t!part=" + std::to_string(offset) + "+" + std::to_string(length) + " " + url(file, "");
      const auto some = body(url(file, ""), offset, length);
      out.bytes.insert(out.bytes.end(), some.begin(), some.end());
      at += length;
    }
  } else {
    out.bytes = body(url(file, ""), 0, out.size);
  }
  std::string pieces;
  if (in_pieces) {
    const std::uint64_t length = kMiB >> random() % 5;
    out.list_url = url(file, "list");
    out.list = piece_list(out.bytes, length, algorithm);
    pieces = "\tpieces=" + std::string(fs::algorithm_name(algorithm)) + ":" +
             std::to_string(length) + ":" + out.list_url;
    const std::string own = digest_of(out.list, algorithm);
    if (random() % 2) pieces += "#" + own.substr(own.find(':') + 1);
  }
  out.line = "/f" + std::to_string(file) + "\t" + std::to_string(out.size) + "\t-\t" +
             (in_pieces ? "-" : digest_of(out.bytes, algorithm)) + "\t" + where + parts + pieces +
             "\n";
  return out;
}

struct Program {
  explicit Program(unsigned seed) : random(seed) {
    for (unsigned i = 0; i < kFiles; ++i) {
      files.push_back(state(i, random));
      entries += files.back().line;
    }
  }
  std::mt19937_64 random;
  std::vector<Stated> files;
  std::string entries;
};

class VerifiedSimulation : private Program,
                           public FileSystemTest,
                           public ::testing::WithParamInterface<unsigned> {
 protected:
  VerifiedSimulation() : Program(GetParam()), FileSystemTest(Program::entries, kMemory) {
    limits.verify.whole_max = limits.verify.list_max = kMemory / 4;
    filesystem = std::make_unique<fs::FileSystem>(tree, cache, fetching, clock, limits);
    for (const Stated& file : files)
      if (!file.list_url.empty()) fetching.contents[file.list_url] = file.list;
    fetching.tamper = [this](const std::string&, std::uint64_t, std::vector<std::byte>& bytes) {
      if (honest || bytes.empty() || below(rewritten ? 2 : 60) > 0) return;
      ++spoilt;
      bytes[below(bytes.size())] ^= static_cast<std::byte>(1 + below(255));
    };
    for (unsigned i = 0; i < kFiles; ++i) reopen(i);
  }

  std::uint64_t below(std::uint64_t n) { return random() % n; }

  struct Handle {
    unsigned file;
    std::shared_ptr<fs::OpenFile> open;
    std::uint64_t next = 0;
  };
  struct Read {
    std::shared_ptr<FakeAnswer> answer;
    unsigned file;
    std::uint64_t offset, length;
  };

  void reopen(unsigned file) {
    auto found = filesystem->try_open(inode("f" + std::to_string(file)));
    if (!found || !found->has_value()) return;
    handles[file] = std::make_shared<Handle>(Handle{file, found->value()});
  }

  void start_read() {
    const auto handle = handles.at(static_cast<unsigned>(below(kFiles)));
    const std::uint64_t size = files[handle->file].size;
    const std::uint64_t offset = below(3) > 0 ? handle->next % size : below(size);
    const std::uint64_t length = std::min(1 + below(below(4) ? 128 * 1024 : kMiB), size - offset);
    handle->next = offset + length;
    reads.push_back({read(handle->open, offset, length), handle->file, offset, length});
  }

  void network() {
    if (fetching.orders.empty()) return;
    const std::size_t i = below(fetching.orders.size());
    switch (below(60)) {
      case 0:
        fetching.interrupt(i);
        return;
      case 1:
        fetching.finish(i, below(2) ? Errc::unreachable : Errc::timed_out);
        return;
      case 2:
        fetching.finish(i, std::make_error_code(std::errc::operation_canceled));
        return;
      case 3:
        if (below(4) == 0) fetching.finish(i, Errc::ranges_ignored);
        return;
      case 4:
        if (below(10) == 0) ++fetching.server_version;
        return;
      case 5:
        rewritten = below(10) == 0;  // other bytes under the same validators
        return;
      default:
        fetching.deliver(i, 1 + below(200 * 1024), total(i), below(10) > 0);
    }
  }

  std::uint64_t total(std::size_t order) const {
    const std::string& of = fetching.orders[order].order.object->urls.front();
    for (unsigned i = 0; i < kFiles; ++i)
      if (of == url(i, "")) return files[i].size;
    return 0;  // a list's is known
  }

  void check_answers() {
    std::erase_if(reads, [this](const Read& read) {
      if (read.answer->open()) return false;
      ++(read.answer->bytes ? served : refused);
      if (read.answer->bytes) {
        const auto begin =
            files[read.file].bytes.begin() + static_cast<std::ptrdiff_t>(read.offset);
        EXPECT_TRUE(std::equal(read.answer->bytes->begin(), read.answer->bytes->end(), begin,
                               begin + static_cast<std::ptrdiff_t>(read.length)))
            << files[read.file].line.substr(0, 200) << " at " << read.offset;
      }
      return true;
    });
  }

  std::map<unsigned, std::shared_ptr<Handle>> handles;
  std::vector<Read> reads;
  bool honest = false, rewritten = false;
  unsigned spoilt = 0, served = 0, refused = 0;
};

TEST_P(VerifiedSimulation, NoReadGivesAByteThatIsNotTheStatedOne) {
  SCOPED_TRACE("seed " + std::to_string(GetParam()));
  for (int step = 0; step < 2500 && !HasFailure(); ++step) {
    switch (below(12)) {
      case 0:
        reopen(static_cast<unsigned>(below(kFiles)));
        break;
      case 1:
        if (!reads.empty()) reads[below(reads.size())].answer->take_away();
        break;
      case 2:
      case 3:
      case 4:
        if (reads.size() < 20) start_read();
        break;
      default:
        network();
    }
    check_answers();
    ASSERT_LE(cache.status().used, kMemory);
  }
  honest = true;
  for (int step = 0; !fetching.orders.empty() || !reads.empty(); ++step) {
    ASSERT_LT(step, 100000) << "reads are stuck";
    if (!fetching.orders.empty()) fetching.deliver(0, UINT64_MAX, total(0));
    check_answers();
    ASSERT_TRUE(!fetching.orders.empty() || reads.empty()) << "a read nobody works for";
  }
  EXPECT_GT(served, 0u);
  EXPECT_EQ(cache.status().pinned, 0u);
  EXPECT_EQ(cache.status().filling, 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, VerifiedSimulation, ::testing::Range(1u, 21u));

}  // namespace
}  // namespace skimfs::test

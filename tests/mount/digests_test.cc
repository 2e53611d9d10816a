// SPDX-License-Identifier: MIT
//
// Digests against servers that send other bytes under the same validators: right bytes, or EIO.
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "fetch/hedge_policy.h"
#include "tests/mount/fixture.h"
#include "tests/mount/nginx.h"
#include "tests/support/digests_of.h"
#include "tests/support/hostile_origin.h"

namespace skimfs::test {
namespace {

constexpr std::uint64_t kPiece = 256 * 1024;
constexpr std::uint64_t kSize = 4 * 1024 * 1024 + 77;

std::span<const std::byte> as_bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// What read(2) gives of a whole file, up to its end or the first error.
ReadResult read_whole(const std::string& path, int flags = 0) {
  ReadResult all;
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return {errno, {}};
  while (all.error == 0) {
    const ReadResult some = read_at(fd, all.bytes.size(), 128 * 1024);
    all.error = some.error;
    all.bytes += some.bytes;
    if (some.bytes.empty()) break;
  }
  ::close(fd);
  return all;
}

class Digests : public MountTest {
 protected:
  Digests() : lists_(folder_.path()) {}

  // A file at the origin whose digest the manifest will state.
  void file(Manifest& manifest, const std::string& path, std::uint64_t size) {
    origin_.add(path, size);
    manifest.line(path + "\t" + std::to_string(size) + "\t-\t" +
                  digest_of(as_bytes(origin_.body(path).text(0, size))) + "\t=");
  }
  // One with pieces; `pinned`: the list's own digest is stated too.
  void pieces(Manifest& manifest, const std::string& path, std::uint64_t size, bool pinned,
              const std::string& more = {}) {
    origin_.add(path, size);
    const auto list = piece_list(as_bytes(origin_.body(path).text(0, size)), kPiece);
    folder_.write(path.substr(1), {reinterpret_cast<const char*>(list.data()), list.size()});
    manifest.file(path, size,
                  "pieces=sha256:" + std::to_string(kPiece) + ":" + lists_.base() + path +
                      (pinned ? "#" + digest_of(list).substr(7) : "") + more);
  }
  static std::string verified(const std::string& path) {
    char value[16];
    const auto length = ::getxattr(path.c_str(), "user.skimfs.verified", value, sizeof value);
    return length < 0 ? "?" : std::string(value, static_cast<std::size_t>(length));
  }

  // Units found wrong, each attempt counted.
  static std::uint64_t mismatches(const Mount& mount) {
    return nlohmann::json::parse(mount.status()).at("reads").at("digest_mismatches");
  }

  HostileOrigin origin_;
  const Scratch folder_;
  const Nginx lists_;
};

// S-DIGEST-1
TEST_F(Digests, AFileIsReadRightOrNotAtAll) {
  for (const int flags : {0, O_DIRECT}) {
    Manifest manifest(origin_.base());
    file(manifest, "/right", kSize);
    file(manifest, "/wrong", kSize);
    origin_.rewrite("/wrong");
    const Mount mount(manifest);
    EXPECT_EQ(verified(mount / "right"), "no");
    EXPECT_TRUE(origin_.body("/right").matches(0, kSize, read_whole(mount / "right", flags).bytes));
    EXPECT_EQ(verified(mount / "right"), "yes");
    const ReadResult wrong = read_whole(mount / "wrong", flags);
    EXPECT_EQ(wrong.error, EIO);
    EXPECT_EQ(wrong.bytes, "");
    EXPECT_EQ(verified(mount / "wrong"), "no");
    EXPECT_TRUE(mount.await_log("ev=digest_mismatch path=/wrong", std::chrono::seconds(5)));
  }
}

// S-DIGEST-2
TEST_F(Digests, AFileRewrittenWhileItIsReadGivesNoByteOfTheOtherContent) {
  for (const bool pinned : {false, true}) {
    const std::string path = pinned ? "/pinned" : "/pieces";
    Manifest manifest(origin_.base());
    pieces(manifest, path, kSize, pinned);
    const Mount mount(manifest, "memory=16M");
    const Body right = origin_.body(path);
    const std::string name = mount / path.substr(1);
    EXPECT_TRUE(right.matches(kPiece, 1000, read_at(name, kPiece, 1000, O_DIRECT).bytes));
    EXPECT_EQ(verified(name), "partial");
    EXPECT_EQ(mismatches(mount), 0u);
    origin_.rewrite(path);
    const ReadResult all = read_whole(name, O_DIRECT);
    EXPECT_FALSE(right.first_wrong(0, all.bytes));
    EXPECT_EQ(all.error, EIO);
    EXPECT_GT(mismatches(mount), 0u);
    EXPECT_EQ(read_at(name, kPiece, 1000, O_DIRECT).error, 0);  // held, and verified
  }
}

// S-DIGEST-6
TEST_F(Digests, AFileInPiecesReadsWholeAndIsVerified) {
  for (const bool pinned : {false, true}) {
    const std::string path = pinned ? "/pinned" : "/pieces";
    Manifest manifest(origin_.base());
    pieces(manifest, path, kSize, pinned);
    const Mount mount(manifest, "memory=16M");
    EXPECT_TRUE(origin_.body(path).matches(0, kSize, mount.text(path.substr(1))));
    EXPECT_EQ(verified(mount / path.substr(1)), "yes");
    EXPECT_EQ(mismatches(mount), 0u);
  }
}

// Bytes of one place under the name of another: nothing but a digest can tell.
TEST_F(Digests, APieceThatWasWrongOnceIsFetchedAgain) {
  Manifest manifest(origin_.base());
  pieces(manifest, "/f", kSize, true);
  const Mount mount(manifest);
  origin_.behave("/f", {.ranges = Ranges::lying}, 1);
  EXPECT_TRUE(origin_.body("/f").matches(0, kSize, mount.text("f")));
  EXPECT_GT(mismatches(mount), 0u);
}

// S-MIRROR-2, S-DIGEST-4: digests bind a mirror whose validators are its own.
TEST_F(Digests, AWrongPieceComesFromAMirrorInstead) {
  HostileOrigin mirror;
  mirror.add("/f", kSize,
             {.validators = Validators::none, .headers = {R"(ETag: "of the mirror")"}});
  Manifest manifest(origin_.base());
  pieces(manifest, "/f", kSize, true, "\tmirror=" + mirror.url("/f"));
  const Body right = origin_.body("/f");
  const Mount mount(manifest);
  EXPECT_TRUE(right.matches(0, kPiece, read_at(mount / "f", 0, kPiece, O_DIRECT).bytes));
  origin_.rewrite("/f");
  EXPECT_TRUE(right.matches(0, kSize, mount.text("f"))) << mount.log();
  EXPECT_GT(mismatches(mount), 0u);
  EXPECT_GT(mirror.count("/f"), 0u);
  EXPECT_EQ(verified(mount / "f"), "yes");
}

TEST_F(Digests, AServerWithoutRangesOrLengthsIsVerifiedToo) {
  Manifest manifest(origin_.base());
  pieces(manifest, "/spool", kSize, true);
  pieces(manifest, "/chunked", kSize, false);
  origin_.behave("/spool", {.ranges = Ranges::ignored});
  origin_.behave("/chunked", {.length = Length::chunked});
  const Mount mount(manifest);
  for (const std::string path : {"/spool", "/chunked"})
    EXPECT_TRUE(origin_.body(path).matches(0, kSize, mount.text(path.substr(1)))) << path;
  EXPECT_EQ(mismatches(mount), 0u);
}

// S-DIGEST-3
TEST_F(Digests, AFileTooLargeToBeHeldIsCheckedAtItsEnd) {
  Manifest manifest(origin_.base());
  file(manifest, "/right", kSize);
  file(manifest, "/wrong", kSize);
  origin_.rewrite("/wrong");
  const Mount mount(manifest, "verify_whole=1M");
  EXPECT_TRUE(run({"cp", mount / "right", folder_ / "right"}).ok());
  EXPECT_TRUE(origin_.body("/right").matches(0, kSize, contents(folder_ / "right")));
  EXPECT_EQ(verified(mount / "right"), "yes");
  const Outcome copy = run({"cp", mount / "wrong", folder_ / "copy"});
  EXPECT_NE(copy.ending, 0);
  EXPECT_GT(mismatches(mount), 0u);
  EXPECT_EQ(read_at(mount / "wrong", 0, 100).error, EIO);  // from then on
}

// S-DIGEST-3
TEST_F(Digests, StrictRefusesWhatItCannotVerifyFirst) {
  Manifest manifest(origin_.base());
  file(manifest, "/large", kSize);
  file(manifest, "/small", 1000);
  const Mount mount(manifest, "verify=strict,verify_whole=1M");
  EXPECT_EQ(read_at(mount / "large", 0, 100).error, EIO);
  EXPECT_TRUE(mount.await_log("ev=unverifiable path=/large", std::chrono::seconds(5)));
  EXPECT_TRUE(origin_.body("/small").matches(0, 1000, mount.text("small")));
  EXPECT_EQ(origin_.count("/large"), 0u);
}

// S-DIGEST-4
TEST_F(Digests, OffServesWhatTheServerSends) {
  Manifest manifest(origin_.base());
  file(manifest, "/f", 100000);
  origin_.rewrite("/f");
  const Mount mount(manifest, "verify=off");
  EXPECT_TRUE(origin_.body("/f").matches(0, 100000, mount.text("f")));
  EXPECT_EQ(verified(mount / "f"), "no");
  EXPECT_EQ(mismatches(mount), 0u);
}

TEST_F(Digests, PiecesThatDoNotFitAreRefusedAtTheMount) {
  Manifest manifest(origin_.base());
  manifest.file("/f", 100u << 20, "pieces=sha256:8388608:" + lists_.base() + "/list");
  const std::string path = folder_.write("m.skimfs", manifest.text());
  const std::string dir = folder_ / "mnt";
  std::filesystem::create_directory(dir);
  const Outcome outcome = run({skimfs(), path, dir, "-o", "memory=16M"});
  EXPECT_FALSE(outcome.ok());
  EXPECT_NE(outcome.err.find("pieces of 8M need memory=32M"), std::string::npos) << outcome.all();
  const Outcome whole = run({skimfs(), path, dir, "-o", "memory=32M,verify_whole=17M"});
  EXPECT_FALSE(whole.ok());
  EXPECT_NE(whole.err.find("verify_whole=17M is above half"), std::string::npos) << whole.all();
}

// A walk reads ahead, and what it reads ahead is verified: each file is asked for once.
TEST_F(Digests, ATreeOfSmallFilesIsVerifiedInOneRequestEach) {
  // Too few answers for any to be called late: nothing is asked for twice while this machine
  // pauses.
  constexpr unsigned kFiles = fetch::HedgePolicy::kLeastTimed - 1;
  Manifest manifest(origin_.base());
  std::string sums;
  for (unsigned i = 0; i < kFiles; ++i) {
    const std::string path = "/d/" + std::to_string(100 + i);
    file(manifest, path, 16 * 1024 + i);
    sums += digest_of(as_bytes(origin_.body(path).text(0, 16 * 1024 + i))).substr(7) + "  " +
            path.substr(1) + "\n";
  }
  const Mount mount(manifest);
  const std::string list = folder_.write("sums", sums);
  const Outcome outcome = shell("cd " + mount.dir() + " && sha256sum --quiet -c " + list);
  EXPECT_TRUE(outcome.ok()) << outcome.all();
  EXPECT_EQ(origin_.count(), kFiles);
  EXPECT_EQ(mismatches(mount), 0u);
}

}  // namespace
}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
//
// Where a manifest comes from, and what is no manifest.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <string>
#include <thread>

#include "tests/manifest/helpers.h"

namespace skimfs::fs::manifest {
namespace {

constexpr const char* kManifest = "#skimfs 1\n/a\t1\t-\t-\thttp://h/x\n@end 1\n";

std::string load_error(const std::string& path, const ReadOptions& options = {}) {
  try {
    load(path, options);
  } catch (const ManifestError& error) {
    return error.what();
  }
  return "no error";
}

TEST(Load, ReadsARegularFile) {
  const Scratch scratch;
  scratch.write(kManifest);
  const Loaded loaded = load(scratch.path(), {});
  EXPECT_EQ(loaded.tree->totals().files, 1u);
  EXPECT_EQ(loaded.format, "skimfs");
}

TEST(Load, ReadsAFifoOnceItsWriterComes) {
  const Scratch scratch;
  ASSERT_EQ(mkfifo(scratch.path().c_str(), 0600), 0);
  std::thread writer([&] { scratch.write(kManifest); });
  const Loaded loaded = load(scratch.path(), {});
  writer.join();
  EXPECT_EQ(loaded.tree->totals().files, 1u);
}

TEST(Load, ReadsStandardInput) {
  const Scratch scratch;
  scratch.write(kManifest);
  const int saved = dup(STDIN_FILENO);
  ASSERT_NE(std::freopen(scratch.path().c_str(), "r", stdin), nullptr);
  const Loaded loaded = load("-", {});
  dup2(saved, STDIN_FILENO);
  close(saved);
  EXPECT_EQ(loaded.tree->totals().files, 1u);
}

TEST(Load, SaysThatAFileIsMissing) {
  EXPECT_EQ(load_error("/nonexistent/m.skimfs"),
            "/nonexistent/m.skimfs: no such file: wanted a manifest, see skimfs-manifest(5)");
}

TEST(Load, SaysThatAFolderIsNoManifest) {
  EXPECT_EQ(load_error("/"), "/: is a directory: wanted a manifest file");
}

TEST(Load, DoesNotOpenDevicesOrSockets) {
  const std::string wanted = "is a device or socket: wanted a manifest file, a FIFO or -";
  EXPECT_EQ(load_error("/dev/zero"), "/dev/zero: " + wanted);
  const Scratch scratch;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, scratch.path().c_str(), sizeof address.sun_path - 1);
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(load_error(scratch.path()), scratch.path() + ": " + wanted);
  close(fd);
}

TEST(Load, SaysThatAFileIsEmpty) {
  const Scratch scratch;
  scratch.write("");
  EXPECT_EQ(
      load_error(scratch.path()),
      scratch.path() +
          ": empty: wanted a manifest, whose first line is \"#skimfs 1\", or a list of http URLs");
}

TEST(Load, EscapesTheNameOfTheFile) {
  EXPECT_EQ(load_error("/nonexistent/\x1b[0m"),
            "/nonexistent/\\x1b[0m: no such file: wanted a manifest, see skimfs-manifest(5)");
}

TEST(Load, RefusesFormatsThatAreNotBuiltInAndOptionsThatDoNotApply) {
  const Scratch scratch;
  scratch.write(kManifest);
  ReadOptions options;
  options.format = "bagit";
  EXPECT_NE(load_error(scratch.path(), options).find("format=bagit is not built in"),
            std::string::npos);
  options.format = "";
  options.strip = 1;
  EXPECT_NE(load_error(scratch.path(), options).find("strip= is for lists of URLs"),
            std::string::npos);
  options.strip = 0;
  options.base = "ftp://h/";
  EXPECT_NE(load_error(scratch.path(), options).find("base=: scheme \"ftp\""), std::string::npos);
}

}  // namespace
}  // namespace skimfs::fs::manifest

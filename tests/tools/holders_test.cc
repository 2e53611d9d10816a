// SPDX-License-Identifier: MIT
//
// Who keeps a directory busy, asked of real processes.
#include "tools/holders.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>

namespace skimfs::tools {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct HoldersTest : testing::Test {
  HoldersTest() {
    std::string name = std::filesystem::temp_directory_path() / "skimfs-holders-XXXXXX";
    directory = std::filesystem::canonical(mkdtemp(name.data()));
    file = directory + "/file";
    close(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
    EXPECT_EQ(truncate(file.c_str(), 4096), 0);
  }
  ~HoldersTest() override { std::filesystem::remove_all(directory); }

  // What is found while another process has done `hold` and waits.
  std::vector<std::string> while_held(const std::function<bool()>& hold) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    const pid_t pid = fork();
    if (pid == 0) {
      const char held = hold() ? 'y' : 'n';
      if (write(ends[1], &held, 1) != 1) _exit(1);
      for (;;) pause();
    }
    char held = 'n';
    EXPECT_EQ(read(ends[0], &held, 1), 1);
    EXPECT_EQ(held, 'y');
    const auto found = holders_of(directory);
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
    close(ends[0]);
    close(ends[1]);
    holder = "(pid " + std::to_string(pid) + ", ";
    return found;
  }

  std::string directory, file, holder;
};

TEST_F(HoldersTest, NobodyHoldsWhatNobodyUses) { EXPECT_THAT(holders_of(directory), IsEmpty()); }

TEST_F(HoldersTest, ACurrentDirectoryHolds) {
  const auto found = while_held([&] { return chdir(directory.c_str()) == 0; });
  EXPECT_THAT(found, ElementsAre(HasSubstr(holder + "current directory)")));
}

TEST_F(HoldersTest, AnOpenFileHolds) {
  const auto found = while_held([&] { return open(file.c_str(), O_RDONLY) >= 0; });
  EXPECT_THAT(found, ElementsAre(HasSubstr(holder + "open file)")));
}

TEST_F(HoldersTest, AMappedFileHoldsAfterItWasClosed) {
  const auto found = while_held([&] {
    const int fd = open(file.c_str(), O_RDONLY);
    const bool mapped = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0) != MAP_FAILED;
    return close(fd) == 0 && mapped;
  });
  EXPECT_THAT(found, ElementsAre(HasSubstr(holder + "mapped file)")));
}

// "/data" must not be blamed on who sits in "/data2".
TEST_F(HoldersTest, ASiblingWithALongerNameIsNotHeld) {
  const std::string sibling = directory + "2";
  std::filesystem::create_directory(sibling);
  const auto found = while_held([&] { return chdir(sibling.c_str()) == 0; });
  std::filesystem::remove_all(sibling);
  EXPECT_THAT(found, IsEmpty());
}

}  // namespace
}  // namespace skimfs::tools

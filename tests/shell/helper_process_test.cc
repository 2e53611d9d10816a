// SPDX-License-Identifier: MIT
//
// How fusermount3 ended, with a program of the test in its place.
#include "fs/shell/helper_process.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace skimfs::fs::shell {
namespace {

class Helper : public ::testing::Test {
 protected:
  Helper() {
    EXPECT_NE(mkdtemp(place_.data()), nullptr);
    setenv("PATH", (place_ + ":" + path_).c_str(), 1);
  }
  ~Helper() override {
    setenv("PATH", path_.c_str(), 1);
    std::filesystem::remove_all(place_);
  }
  // The program, in the words of sh(1).
  void does(const std::string& script) const {
    const std::string name = place_ + "/fusermount3";
    std::ofstream(name) << "#!/bin/sh\n" << script << "\n";
    ASSERT_EQ(chmod(name.c_str(), 0755), 0);
  }

 private:
  const std::string path_ = std::getenv("PATH");
  std::string place_ = std::filesystem::temp_directory_path() / "skimfs-helper-XXXXXX";
};

TEST_F(Helper, ItsExitCodeAndItsLastLineAreTold) {
  does("echo first >&2; echo 'fusermount3: no' >&2; exit 7");
  const HelperResult result = helper_unmount("/m");
  EXPECT_TRUE(result.ran);
  EXPECT_EQ(result.exit_code, 7);
  EXPECT_EQ(result.complaint, "fusermount3: no");
}

// The kernel keeps no exit codes for who ignores SIGCHLD, as a program may be started.
TEST_F(Helper, AnEndThatIsNotKnownIsNoSuccess) {
  does("exit 1");
  std::signal(SIGCHLD, SIG_IGN);
  const HelperResult result = helper_unmount("/m");
  std::signal(SIGCHLD, SIG_DFL);
  EXPECT_NE(result.exit_code, 0);
}

// It mounts and then sends the device: ended between them it would leave a dead mount behind.
TEST_F(Helper, ASignalToTheCallersGroupDoesNotEndItHalfway) {
  does("kill -TERM $$; kill -INT $$; kill -HUP $$; kill -QUIT $$; exit 3");
  EXPECT_EQ(helper_mount("ro", "/m").exit_code, 3);
}

}  // namespace
}  // namespace skimfs::fs::shell

// SPDX-License-Identifier: MIT
#include "fs/shell/settings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "tests/auth/folder.h"

namespace skimfs::fs::shell {
namespace {

class ReadableLater : public ::testing::Test {
 protected:
  ReadableLater() {
    folder_.write("password", "open sesame\n");
    options_.auth_file =
        folder_.write("auth.conf", "[p]\nmatch = https://h/\nuser = u\npassword_file = password\n");
    options_.cacert = folder_.write("ca.pem", "");
  }
  test::Folder folder_;
  Options options_;
};

// Who mounts may take the files away as soon as it answers: no right is missing then.
TEST_F(ReadableLater, IsNoQuestionOfFilesThatAreGone) {
  const auto profiles = load_profiles(options_);
  std::filesystem::remove(folder_.path("password"));
  std::filesystem::remove(options_.cacert);
  EXPECT_NO_THROW(check_readable_later(options_, *profiles));
  EXPECT_NE(profiles->find("p")->credential(fetch::Url::parse("https://h/").value()), std::nullopt);
}

}  // namespace
}  // namespace skimfs::fs::shell

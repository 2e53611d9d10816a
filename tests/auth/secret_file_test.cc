// SPDX-License-Identifier: MIT
#include "fs/auth/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/auth/folder.h"

namespace skimfs::test {
namespace {

using fs::auth::read_secret;
using fs::auth::SecretError;

class SecretFile : public ::testing::Test {
 protected:
  void refused(const std::string& path, const std::string& why) {
    try {
      read_secret(path);
      ADD_FAILURE() << "was read";
    } catch (const SecretError& error) {
      const std::string said = error.what();
      EXPECT_TRUE(said.starts_with(path + ": ")) << said;
      EXPECT_NE(said.find(why), std::string::npos) << said;
      EXPECT_EQ(said.find("canary"), std::string::npos) << said;
    }
  }
  Folder folder;
};

TEST_F(SecretFile, IsReadWhereNobodyElseCouldHave) {
  EXPECT_EQ(read_secret(folder.write("s", "canary\n")).text, "canary\n");
  EXPECT_EQ(read_secret(folder.write("empty", "")).text, "");
  EXPECT_EQ(read_secret(folder.write("most", std::string(65536, 'x'))).text.size(), 65536u);
}

// S-SEC-2
TEST_F(SecretFile, IsRefusedWhereOthersCould) {
  const std::string path = folder.write("s", "canary");
  for (const mode_t mode : {0640u, 0604u, 0620u, 0610u, 0666u}) {
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    refused(path, "chmod 600");
  }
  ASSERT_EQ(::chmod(path.c_str(), 0400), 0);
  EXPECT_EQ(read_secret(path).text, "canary");
  const std::string link = folder.path("link");
  ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
  refused(link, "symbolic link");
  refused(folder.path(""), "not a regular file");
  refused(folder.path("none"), "No such file");
  const std::string pipe = folder.path("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  refused(pipe, "not a regular file");
}

TEST_F(SecretFile, OfAnotherUserIsRefused) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string path = folder.write("s", "canary");
  ASSERT_EQ(::chown(path.c_str(), 12345, 0), 0);
  refused(path, "another user");
}

// Whom the process becomes once it has mounted.
TEST_F(SecretFile, OfOneMoreUserMayBeAllowed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to give a file away";
  const std::string path = folder.write("s", "canary");
  ASSERT_EQ(::chown(path.c_str(), 65534, 65534), 0);
  EXPECT_EQ(read_secret(path, 65534).text, "canary");
  EXPECT_THROW(read_secret(path, 1), fs::auth::SecretError);
}

TEST_F(SecretFile, ThatHoldsNoneMayBeOpenToAllAndBehindALink) {
  const std::string path = folder.write("s", "public");
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  const std::string link = folder.path("link");
  ASSERT_EQ(::symlink(path.c_str(), link.c_str()), 0);
  const auto found = fs::auth::read_public(link);
  EXPECT_EQ(found.text, "public");
  EXPECT_TRUE(found.stamp.still_there());
  folder.replace("s", "new");
  EXPECT_FALSE(found.stamp.still_there());
  for (const std::string& none :
       {folder.path("none"), folder.path(""), folder.write("large", std::string(65537, 'x'))})
    EXPECT_THROW(fs::auth::read_public(none), SecretError) << none;
}

TEST_F(SecretFile, IsBoundedAndText) {
  refused(folder.write("large", std::string(65537, 'x')), "64 KiB");
  refused(folder.write("nul", std::string("canary\0", 7)), "NUL");
}

TEST_F(SecretFile, TellsOneContentFromTheNext) {
  const std::string path = folder.write("s", "one");
  const auto stamp = read_secret(path).stamp;
  EXPECT_TRUE(stamp.still_there());
  folder.replace("s", "two");
  EXPECT_FALSE(stamp.still_there());
  ASSERT_EQ(::unlink(path.c_str()), 0);
  EXPECT_FALSE(stamp.still_there());
}

}  // namespace
}  // namespace skimfs::test

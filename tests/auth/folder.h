// SPDX-License-Identifier: MIT
//
// A folder of its own for a test's files, all of them 0600, gone with the test.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace skimfs::test {

class Folder {
 public:
  Folder() {
    std::string name = ::testing::TempDir() + "skimfs-auth.XXXXXX";
    EXPECT_NE(::mkdtemp(name.data()), nullptr);
    name_ = name;
  }
  ~Folder() { std::filesystem::remove_all(name_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  std::string path(const std::string& name) const { return name_ + "/" + name; }
  std::string write(const std::string& name, const std::string& text) const {
    const std::string file = path(name);
    const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    EXPECT_GE(fd, 0);
    EXPECT_EQ(::write(fd, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    ::close(fd);
    return file;
  }
  // As an editor does: a new file in the old one's place.
  void replace(const std::string& name, const std::string& text) const {
    std::filesystem::rename(write(name + ".new", text), path(name));
  }

 private:
  std::string name_;
};

}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
//
// What every mount test begins with: skip, loudly, where nothing can be mounted.
#pragma once

#include <gtest/gtest.h>

#include "tests/mount/mount.h"

namespace skimfs::test {

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = cannot_mount(); !why.empty()) {
      GTEST_SKIP() << "no FUSE mount possible: " << why;
    }
  }
};

}  // namespace skimfs::test

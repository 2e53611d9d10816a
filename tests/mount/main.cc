// SPDX-License-Identifier: MIT
//
// Runs the mount tests inside the sandbox; listing them needs none.
#include <gtest/gtest.h>

#include "tests/mount/sandbox.h"

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  if (!GTEST_FLAG_GET(list_tests)) skimfs::test::enter_sandbox();
  return RUN_ALL_TESTS();
}

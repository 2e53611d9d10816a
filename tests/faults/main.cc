// SPDX-License-Identifier: MIT
//
// As other mount tests, in the sandbox; with SKIMFS_FIGURES=FILE the figures go there at the end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "tests/faults/figures.h"
#include "tests/mount/sandbox.h"

namespace {

class Tell final : public ::testing::Environment {
  void TearDown() override {
    if (const char* path = std::getenv("SKIMFS_FIGURES"))
      std::ofstream(path) << skimfs::test::figures().table();
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::AddGlobalTestEnvironment(new Tell);
  if (!GTEST_FLAG_GET(list_tests)) skimfs::test::enter_sandbox();
  return RUN_ALL_TESTS();
}

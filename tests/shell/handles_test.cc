// SPDX-License-Identifier: MIT
//
// Open files behind the kernel's handles.
#include "fs/shell/handles.h"

#include <gtest/gtest.h>

namespace skimfs::fs::shell {
namespace {

// Any live object will do as an open file: nothing here looks inside.
std::shared_ptr<OpenFile> some_file(const std::shared_ptr<int>& life) {
  return {life, reinterpret_cast<OpenFile*>(life.get())};
}

TEST(Handles, AHandleLeadsToItsFile) {
  const auto life = std::make_shared<int>();
  Handles handles;
  const auto one = handles.add(some_file(life));
  const auto two = handles.add(nullptr);
  EXPECT_EQ(handles.at(one), some_file(life));
  EXPECT_EQ(handles.at(two), nullptr);
  EXPECT_EQ(handles.count(), 2u);
}

TEST(Handles, RemovingAHandleClosesItsFile) {
  const auto life = std::make_shared<int>();
  Handles handles;
  const auto kept = handles.add(some_file(life));
  handles.remove(handles.add(some_file(life)));
  EXPECT_EQ(handles.count(), 1u);
  EXPECT_EQ(life.use_count(), 2);
  handles.remove(kept);
  EXPECT_EQ(life.use_count(), 1);
}

TEST(Handles, WhatTheKernelNeverReleasedGoesWithTheMount) {
  const auto life = std::make_shared<int>();
  {
    Handles handles;
    handles.add(some_file(life));
  }
  EXPECT_EQ(life.use_count(), 1);
}

}  // namespace
}  // namespace skimfs::fs::shell

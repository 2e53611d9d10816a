// SPDX-License-Identifier: MIT
//
// The queue, for which there is no memory.
#include <gtest/gtest.h>

#include <new>
#include <optional>

#include "fetch/admission.h"
#include "fetch/host_state.h"
#include "tests/fetch/failing_memory.h"

namespace skimfs::test {
namespace {

using fetch::Priority;

// With the allocation after `n` others failing.  False: none did.
template <class Body>
bool without_allocation(long n, Body body) {
  Memory::left = n;
  const Arming arming;
  bool failed = false;
  try {
    body();
  } catch (const std::bad_alloc&) {
    failed = true;
  }
  Memory::left = -1;
  return failed;
}

TEST(AdmissionWithoutMemory, WhoCannotQueueLeavesNoTrace) {
  fetch::Host host("one:80", 4);
  fetch::Admission queue(4);
  long n = 0;
  for (; without_allocation(n, [&] { queue.enqueue(7, host, Priority::next); }); ++n)
    ASSERT_EQ(queue.next({}), std::nullopt) << "allocation " << n;
  EXPECT_GE(n, 2);
  EXPECT_EQ(queue.next({}), 7u);
}

TEST(AdmissionWithoutMemory, WhoCannotBePromotedKeepsItsTurn) {
  fetch::Host host("one:80", 4);
  for (long n = 0;; ++n) {
    fetch::Admission queue(4);
    queue.enqueue(7, host, Priority::next);
    queue.enqueue(8, host, Priority::next);
    const bool failed = without_allocation(n, [&] { queue.promote(8, host, Priority::next); });
    EXPECT_EQ(queue.next({}), failed ? 7u : 8u) << "allocation " << n;
    EXPECT_EQ(queue.next({}), failed ? 8u : 7u) << "allocation " << n;
    EXPECT_EQ(queue.next({}), std::nullopt) << "allocation " << n;
    for (int i = 0; i < 2; ++i) queue.ended(host);
    if (!failed) break;
  }
}

}  // namespace
}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
//
// Names for tests: this program's own getaddrinfo() takes the place of the C library's, for libcurl
// too.  "hangs.test" hangs, a name that was not set does not resolve.  Any thread.
#pragma once

#include <string>
#include <vector>

namespace skimfs::test {

struct FakeNames {
  // In digits, in the order they are to be tried.
  static void set(const std::string& name, std::vector<std::string> addresses);
  static unsigned lookups(const std::string& name);

  // Calls that hang now.
  static int hanging();
  static bool await_hanging(int calls);  // false: not within half a minute
  // Lets those who hang go on, and waits until they have.
  static void let_go();
};

}  // namespace skimfs::test

// SPDX-License-Identifier: MIT
#include "fetch/address.h"

#include <gtest/gtest.h>
#include <netdb.h>

#include <string>

namespace skimfs::test {
namespace {

// Both forms of the question.
bool is_public(const std::string& digits) {
  const bool by_text = fetch::is_public(std::string_view(digits));
  addrinfo hints{};
  hints.ai_flags = AI_NUMERICHOST;
  addrinfo* found = nullptr;
  if (::getaddrinfo(digits.c_str(), nullptr, &hints, &found) != 0) return by_text;
  EXPECT_EQ(fetch::is_public(*found->ai_addr), by_text) << digits;
  ::freeaddrinfo(found);
  return by_text;
}

TEST(Address, OfTheWholeInternet) {
  for (const char* each :
       {"1.1.1.1",         "8.8.8.8",     "9.255.255.255",  "11.0.0.0",         "100.63.255.255",
        "100.128.0.0",     "128.0.0.1",   "169.253.0.1",    "172.15.0.1",       "172.32.0.1",
        "192.0.1.1",       "192.167.1.1", "198.17.0.1",     "198.20.0.1",       "223.255.255.255",
        "2606:4700::1111", "2a00::1",     "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"})
    EXPECT_TRUE(is_public(each)) << each;
}

TEST(Address, OfAMachineALinkOrASite) {
  for (const char* each : {"0.0.0.0",
                           "0.1.2.3",
                           "10.0.0.1",
                           "100.64.0.1",
                           "100.127.255.255",
                           "127.0.0.1",
                           "127.255.255.255",
                           "169.254.169.254",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.168.0.1",
                           "198.18.0.1",
                           "198.19.255.255",
                           "198.51.100.1",
                           "203.0.113.1",
                           "224.0.0.1",
                           "239.1.1.1",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::1",
                           "fe80::1",
                           "fc00::1",
                           "fd12::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "3fff::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.1.2.3",
                           "::10.1.2.3",
                           "64:ff9b::a00:1",
                           "2002:a00:1::1",
                           "2002:7f00:1::"})
    EXPECT_FALSE(is_public(each)) << each;
}

TEST(Address, WhatIsNoneIsNotPublic) {
  for (const char* each : {"", "host", "1.1.1", "1.1.1.1.1", "1.1.1.1 ", "::g", "fe80::1%eth0"})
    EXPECT_FALSE(fetch::is_public(std::string_view(each))) << each;
  EXPECT_FALSE(fetch::is_public(std::string_view(std::string(500, '1'))));
}

}  // namespace
}  // namespace skimfs::test

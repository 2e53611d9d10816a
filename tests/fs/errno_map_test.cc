// SPDX-License-Identifier: MIT
#include "fs/errno_map.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "fetch/error.h"

namespace skimfs::fs {
namespace {

using fetch::Errc;

TEST(ErrnoMap, AnAbsentObjectIsAbsentByNameAndStaleInAHandle) {
  EXPECT_EQ(errno_for(Errc::missing, Asked::lookup), ENOENT);
  EXPECT_EQ(errno_for(Errc::missing, Asked::open), ENOENT);
  EXPECT_EQ(errno_for(Errc::missing, Asked::read), ESTALE);
}

TEST(ErrnoMap, TroubleOnTheWayIsNeverAbsence) {
  for (const Errc code : {Errc::unreachable, Errc::server_failed, Errc::timed_out, Errc::too_busy,
                          Errc::bad_certificate, Errc::bad_response, Errc::ranges_ignored,
                          Errc::range_refused, Errc::redirect_refused})
    for (const Asked what : {Asked::lookup, Asked::open, Asked::read, Asked::other})
      EXPECT_NE(errno_for(code, what), ENOENT) << make_error_code(code).message();
}

TEST(ErrnoMap, SystemCodesPassThrough) {
  EXPECT_EQ(errno_for(std::make_error_code(std::errc::interrupted), Asked::read), EINTR);
  EXPECT_EQ(errno_for({EMFILE, std::system_category()}, Asked::open), EMFILE);
}

TEST(ErrnoMap, TheDeadlineIsATimeout) {
  EXPECT_EQ(errno_for(Errc::timed_out, Asked::read), ETIMEDOUT);
  EXPECT_EQ(errno_for(Errc::too_busy, Asked::read), ETIMEDOUT);
}

TEST(ErrnoMap, WhomTlsRefusesIsARefusalByNameAndAnErrorInARead) {
  for (const Errc code : {Errc::bad_certificate, Errc::not_tls}) {
    EXPECT_EQ(errno_for(code, Asked::open), EACCES);
    EXPECT_EQ(errno_for(code, Asked::read), EIO);
  }
}

}  // namespace
}  // namespace skimfs::fs

// SPDX-License-Identifier: MIT
//
// The log as its reader sees it: whole lines on standard error.
#include "fs/log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

namespace skimfs::fs {
namespace {

using log::Level;

// What `speak` writes to standard error, flushed.
template <class Speak>
std::string said(Level least, Speak speak) {
  testing::internal::CaptureStderr();
  log::to_standard_error(least);
  speak();
  log::flush();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, OneEventIsOneLine) {
  EXPECT_EQ(said(Level::info, [] { log::event(Level::info, "ready", "/mnt", "dir=/mnt"); }),
            "skimfs: ev=ready dir=/mnt\n");
}

TEST(Log, AnEventWithoutTextIsItsName) {
  EXPECT_EQ(said(Level::info, [] { log::event(Level::info, "stopped", "", ""); }),
            "skimfs: ev=stopped\n");
}

TEST(Log, LessImportantEventsAreNotTold) {
  EXPECT_EQ(said(Level::warning,
                 [] {
                   log::event(Level::info, "quiet", "", "");
                   log::event(Level::warning, "loud", "", "");
                   log::set_level(Level::debug);
                   log::event(Level::debug, "detail", "", "");
                 }),
            "skimfs: ev=loud\nskimfs: ev=detail\n");
}

TEST(Log, WhatWasAskedForIsToldEachTime) {
  EXPECT_EQ(said(Level::error,
                 [] {
                   log::answer(Level::info, "status", "files=1");
                   log::answer(Level::info, "status", "files=1");
                 }),
            "skimfs: ev=status files=1\nskimfs: ev=status files=1\n");
}

TEST(Log, RepeatsAreCountedAndTheCountIsTold) {
  EXPECT_EQ(said(Level::info,
                 [] {
                   for (int i = 0; i < 5; ++i) {
                     log::event(Level::warning, "throttled", "cdn.example", "http=503");
                   }
                 }),
            "skimfs: ev=throttled http=503\n"
            "skimfs: ev=throttled about=cdn.example suppressed=4\n");
}

TEST(Log, ALineBreakInTheTextStartsNoNewLine) {
  EXPECT_EQ(
      said(Level::info, [] { log::event(Level::info, "odd", "", "a\nskimfs: ev=forged\x7f"); }),
      "skimfs: ev=odd a\\x0askimfs: ev=forged\\x7f\n");
}

TEST(Log, AnEndlessTextIsCut) {
  const std::string line =
      said(Level::info, [] { log::event(Level::info, "long", "", std::string(1u << 20, 'a')); });
  EXPECT_LT(line.size(), 5000u);
}

// A server may put braces anywhere; they are no format directives.
TEST(Log, BracesAndPercentSignsArriveAsTheyAre) {
  EXPECT_EQ(said(Level::info, [] { log::event(Level::info, "odd", "", "{} %s {0:x}"); }),
            "skimfs: ev=odd {} %s {0:x}\n");
}

TEST(Log, LinesOfManyThreadsStayWhole) {
  const std::string text = said(Level::info, [] {
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([t] {
        for (int i = 0; i < 50; ++i) {
          log::event(Level::info, "step", std::to_string(t * 100 + i), "n=1");
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  });
  std::size_t lines = 0;
  for (std::size_t at = 0; at < text.size(); ++lines) {
    EXPECT_EQ(text.compare(at, 20, "skimfs: ev=step n=1\n"), 0) << text.substr(at, 40);
    at = text.find('\n', at) + 1;
  }
  EXPECT_EQ(lines, 200u);
}

TEST(Log, TheJournalGetsPriorities) {
  testing::internal::CaptureStderr();
  struct stat status {};
  ASSERT_EQ(fstat(STDERR_FILENO, &status), 0);
  const std::string stream = std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  setenv("JOURNAL_STREAM", stream.c_str(), 1);
  log::to_standard_error(Level::debug);
  unsetenv("JOURNAL_STREAM");
  log::event(Level::error, "e", "", "");
  log::event(Level::warning, "w", "", "");
  log::event(Level::info, "i", "", "");
  log::event(Level::debug, "d", "", "");
  log::flush();
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "<3>skimfs: ev=e\n<4>skimfs: ev=w\n<6>skimfs: ev=i\n<7>skimfs: ev=d\n");
}

TEST(Log, AJournalElsewhereGetsNoPriorities) {
  setenv("JOURNAL_STREAM", "1:1", 1);
  const std::string text = said(Level::info, [] { log::event(Level::info, "i", "", ""); });
  unsetenv("JOURNAL_STREAM");
  EXPECT_EQ(text, "skimfs: ev=i\n");
}

// A pipe that nobody reads fills up and blocks its writer for ever.
TEST(Log, AReaderThatStoppedReadingDelaysNeitherCallersNorTheEnd) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  ASSERT_EQ(fcntl(ends[1], F_SETPIPE_SZ, 4096), 4096);
  const int before = dup(STDERR_FILENO);
  ASSERT_EQ(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);

  const auto begun = std::chrono::steady_clock::now();
  log::to_standard_error(Level::info);
  for (int i = 0; i < 2000; ++i) {
    log::event(Level::info, "flood", std::to_string(i), std::string(200, 'x'));
  }
  log::flush();
  const auto spent = std::chrono::steady_clock::now() - begun;

  // Read at last: what was kept arrives, and how much was not.
  std::string text(1u << 20, '\0');
  std::size_t length = 0;
  while (text.find("lost=") == std::string::npos) {
    const ssize_t got = read(ends[0], text.data() + length, text.size() - length);
    ASSERT_GT(got, 0);
    length += static_cast<std::size_t>(got);
  }
  dup2(before, STDERR_FILENO);
  for (const int fd : {before, ends[0], ends[1]}) close(fd);
  EXPECT_LT(spent, std::chrono::seconds(10));
  EXPECT_NE(text.find("skimfs: ev=log_overrun lost=14"), std::string::npos);
}

// Seen by ThreadSanitizer when a daemon moved its log to syslog and its standard error to
// /dev/null: a thread that was writing a line kept the old place alive.
TEST(Log, WhenTheLogHasMovedNothingMoreIsWrittenToTheOldPlace) {
  const int before = dup(STDERR_FILENO);
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const auto stream_of = [](int fd) {
    struct stat status {};
    EXPECT_EQ(fstat(fd, &status), 0);
    return std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
  };
  const auto scratch = [] {
    char name[] = "/tmp/skimfs-log.XXXXXX";
    const int fd = mkostemp(name, O_CLOEXEC);
    unlink(name);
    return fd;
  };
  log::to_standard_error(Level::warning);  // nothing is told yet
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&stop, t] {
      for (int i = 0; !stop; ++i)
        log::event(Level::info, "step", std::to_string(t) + "/" + std::to_string(i), "n=1");
    });
  }
  for (int round = 0; round < 20; ++round) {
    const int first = scratch(), second = scratch();
    dup2(first, STDERR_FILENO);
    setenv("JOURNAL_STREAM", stream_of(first).c_str(), 1);
    log::to_standard_error(Level::info);  // its lines begin with "<6>"
    unsetenv("JOURNAL_STREAM");
    log::to_standard_error(Level::warning);
    dup2(second, STDERR_FILENO);
    char text[4096];
    const ssize_t length = pread(second, text, sizeof text, 0);
    EXPECT_EQ(std::string_view(text, static_cast<std::size_t>(length)).find("<6>"),
              std::string_view::npos)
        << "round " << round;
    close(first);
    close(second);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  log::flush();
  dup2(before, STDERR_FILENO);
  close(before);
}

TEST(Log, EscapeLeavesOnlyPrintableAsciiWithoutSpaceAndBackslash) {
  EXPECT_EQ(log::escape("a b\\c\n\x80~"), "a\\x20b\\x5cc\\x0a\\x80~");
  EXPECT_EQ(log::escape(std::string(513, 'a')), std::string(512, 'a') + "...");
}

}  // namespace
}  // namespace skimfs::fs

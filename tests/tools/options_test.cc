// SPDX-License-Identifier: MIT
//
// The option table as a whole.
#include "fs/options.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace skimfs::fs {
namespace {

TEST(OptionTable, NamesAreUniqueAndUnderscored) {
  std::set<std::string_view> names;
  for (const Option& option : option_table()) {
    EXPECT_TRUE(names.insert(option.name).second) << option.name;
    EXPECT_EQ(option.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string::npos)
        << option.name;
  }
}

TEST(OptionTable, HasAtMostFortyRowsAndSixUsedOften) {
  const auto table = option_table();
  EXPECT_LE(table.size(), 40u);
  EXPECT_EQ(std::count_if(table.begin(), table.end(), [](const Option& o) { return o.often; }), 6);
}

TEST(OptionTable, EveryRowHasWhatHelpAndManPagesPrint) {
  for (const Option& option : option_table()) {
    EXPECT_FALSE(option.help.empty()) << option.name;
    EXPECT_FALSE(option.standard.empty()) << option.name;
    EXPECT_EQ(option.form.empty(), option.value == Option::Value::optional) << option.name;
  }
}

TEST(OptionTable, RowsOfAGroupAreNeighbours) {
  std::set<std::string_view> seen;
  std::string_view current;
  for (const Option& option : option_table()) {
    if (option.group != current) {
      EXPECT_TRUE(seen.insert(option.group).second) << option.group;
    }
    current = option.group;
  }
}

// A default that is printed but not what the code does misleads everybody who reads --help.
TEST(OptionTable, GivingTheDefaultChangesNothing) {
  for (const char* name : {"memory",        "connections", "connections_per_host",
                           "idle_timeout",  "timeout",     "format",
                           "strip",         "names",       "on_error",
                           "size_probe",    "index",       "verify",      "revalidate",
                           "validator",     "allow_other",   "umask",       "xattr",
                           "read_ahead_kb", "direct_io",   "open",        "replace_stale",
                           "start_timeout", "log",         "lanes"}) {
    const Option* option = find_option(name);
    ASSERT_NE(option, nullptr) << name;
    Options given;
    set_option(given, name, option->standard);
    const Options standard;
    EXPECT_EQ(given.memory, standard.memory);
    EXPECT_EQ(given.connections, standard.connections);
    EXPECT_EQ(given.connections_per_host, standard.connections_per_host);
    EXPECT_EQ(given.lanes, standard.lanes);
    EXPECT_EQ(given.idle_timeout, standard.idle_timeout);
    EXPECT_EQ(given.timeout, standard.timeout);
    EXPECT_EQ(given.format, standard.format);
    EXPECT_EQ(given.strip, standard.strip);
    EXPECT_EQ(given.raw_names, standard.raw_names);
    EXPECT_EQ(given.on_error, standard.on_error);
    EXPECT_EQ(given.size_probe, standard.size_probe);
    EXPECT_EQ(given.verify, standard.verify);
    EXPECT_EQ(given.revalidate, standard.revalidate);
    EXPECT_EQ(given.immutable, standard.immutable);
    EXPECT_EQ(given.validator, standard.validator);
    EXPECT_EQ(given.allow_other, standard.allow_other);
    EXPECT_EQ(given.umask, standard.umask);
    EXPECT_EQ(given.xattr, standard.xattr);
    EXPECT_EQ(given.read_ahead_kb, standard.read_ahead_kb);
    EXPECT_EQ(given.direct_io, standard.direct_io);
    EXPECT_EQ(given.skip_open, standard.skip_open);
    EXPECT_EQ(given.replace_stale, standard.replace_stale);
    EXPECT_EQ(given.start_timeout, standard.start_timeout);
    EXPECT_EQ(given.log_level, standard.log_level);
  }
}

TEST(OptionTable, DashAndUnderscoreAreEqualInNames) {
  EXPECT_EQ(find_option("connections-per-host"), find_option("connections_per_host"));
  EXPECT_NE(find_option("connections-per_host"), nullptr);
}

TEST(OptionTable, AnUnknownOptionSuggestsTheNearestName) {
  EXPECT_EQ(unknown_option("memry"), "unknown option \"memry\"; did you mean \"memory\"?");
  EXPECT_EQ(unknown_option("allow-others"),
            "unknown option \"allow-others\"; did you mean \"allow_other\"?");
  EXPECT_EQ(unknown_option("conections_per_host"),
            "unknown option \"conections_per_host\"; did you mean \"connections_per_host\"?");
}

TEST(OptionTable, AWordFarFromAllNamesSuggestsNothing) {
  EXPECT_EQ(unknown_option("vfs-cache-mode"),
            "unknown option \"vfs-cache-mode\"; skimfs --help lists them");
  EXPECT_EQ(unknown_option(""), "unknown option \"\"; skimfs --help lists them");
}

}  // namespace
}  // namespace skimfs::fs

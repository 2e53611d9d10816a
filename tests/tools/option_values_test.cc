// SPDX-License-Identifier: MIT
//
// The values of options: units, ranges, and what a refusal says.
#include "fs/option_values.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <limits>

#include "fs/options.h"

namespace skimfs::fs {
namespace {

using namespace std::chrono_literals;

Options with(std::string_view name, std::optional<std::string_view> value) {
  Options options;
  set_option(options, name, value);
  return options;
}

std::string complaint(std::string_view name, std::optional<std::string_view> value) {
  try {
    with(name, value);
  } catch (const OptionError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(OptionValues, SizesArePowersOf1024) {
  EXPECT_EQ(with("memory", "67108864").memory, 64u << 20);
  EXPECT_EQ(with("memory", "65536K").memory, 64u << 20);
  EXPECT_EQ(with("memory", "64M").memory, 64u << 20);
  EXPECT_EQ(with("memory", "2G").memory, 2ull << 30);
  EXPECT_EQ(with("memory", "1T").memory, 1ull << 40);
}

TEST(OptionValues, MemoryBelowTheMinimumNamesTheMinimum) {
  EXPECT_EQ(complaint("memory", "8M"), "memory=8M is below the minimum of 16M");
  EXPECT_EQ(complaint("memory", "16777215"), "memory=16777215 is below the minimum of 16M");
  EXPECT_EQ(with("memory", "16M").memory, 16u << 20);
}

TEST(OptionValues, ASizeThatIsNoneIsRefused) {
  const std::string reason = " is not a size such as 64M (K, M, G, T: powers of 1024)";
  for (const std::string value :
       {"64X", "64MB", "-1", "+64M", " 64M", "64 M", "M", "1.5G", "0x10"}) {
    EXPECT_EQ(complaint("memory", value), "memory=" + value + reason);
  }
}

TEST(OptionValues, ASizeBeyondTheLargestFileOffsetIsTooLarge) {
  EXPECT_EQ(complaint("memory", "8388608T"), "memory=8388608T is too large");
  EXPECT_EQ(complaint("memory", "99999999999999999999"),
            "memory=99999999999999999999 is too large");
  EXPECT_EQ(with("memory", "9223372036854775807").memory,
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
}

TEST(OptionValues, TimesTakeSecondsMinutesHoursDays) {
  EXPECT_EQ(with("timeout", "45").timeout, 45s);
  EXPECT_EQ(with("timeout", "30s").timeout, 30s);
  EXPECT_EQ(with("timeout", "5min").timeout, 5min);
  EXPECT_EQ(with("timeout", "1h").timeout, 1h);
  EXPECT_EQ(with("timeout", "2d").timeout, 48h);
}

TEST(OptionValues, ATimeThatIsNoneIsRefused) {
  for (const std::string value : {"5m", "1ms", "s", "-1s", "1 h"}) {
    EXPECT_EQ(complaint("timeout", value),
              "timeout=" + value + " is not a time such as 30s, 5min, 1h or 2d");
  }
  EXPECT_EQ(complaint("timeout", "0"), "timeout=0 is below the minimum of 1s");
  EXPECT_EQ(complaint("timeout", "36501d"), "timeout=36501d is too large");
}

TEST(OptionValues, NumbersKeepTheirRange) {
  EXPECT_EQ(with("connections", "1").connections, 1u);
  EXPECT_EQ(with("connections", "4096").connections, 4096u);
  for (const std::string value : {"0", "4097", "many", "-1", "8K", "3.5"}) {
    EXPECT_EQ(complaint("connections", value),
              "connections=" + value + " is not a number from 1 to 4096");
  }
  EXPECT_EQ(with("lanes", "8").lanes, 8u);
  for (const std::string value : {"0", "9", ""}) EXPECT_NE(complaint("lanes", value), "") << value;
}

TEST(OptionValues, AQuarterOfMemoryIsVerifiedWholeUnlessSaid) {
  EXPECT_EQ(with("memory", "64M").whole_max(), 16u << 20);
  EXPECT_EQ(with("verify_whole", "1M").whole_max(), 1u << 20);
}

TEST(OptionValues, OpensAreAskedForUnlessSaid) {
  EXPECT_FALSE(Options().skip_open);
  EXPECT_TRUE(with("open", "skip").skip_open);
  EXPECT_FALSE(with("open", "ask").skip_open);
}

TEST(OptionValues, RevalidateTakesATimeOrImmutable) {
  EXPECT_EQ(with("validator", "time").validator, Validator::time);
  EXPECT_EQ(with("validator", "size").validator, Validator::size);
  EXPECT_EQ(with("revalidate", "0").revalidate, 0s);
  EXPECT_FALSE(with("revalidate", "10s").immutable);
  EXPECT_TRUE(with("revalidate", "immutable").immutable);
  Options options = with("revalidate", "immutable");
  set_option(options, "revalidate", "10s");
  EXPECT_FALSE(options.immutable);
}

// What speaks TLS is told by it.
TEST(OptionValues, TheSchemeOfAProxyIsInSmallLetters) {
  EXPECT_EQ(with("proxy", "HTTPS://proxy:3129").proxy, "https://proxy:3129");
  EXPECT_EQ(with("proxy", "Http://[::1]:80").proxy, "http://[::1]:80");
}

TEST(OptionValues, ASwitchIsOnByItsNameAlone) {
  EXPECT_TRUE(with("allow_other", std::nullopt).allow_other);
  for (const char* word : {"on", "yes", "true", "1"}) {
    EXPECT_TRUE(with("allow_other", word).allow_other) << word;
  }
  for (const char* word : {"off", "no", "false", "0"}) {
    EXPECT_FALSE(with("replace_stale", word).replace_stale) << word;
  }
  EXPECT_EQ(complaint("allow_other", "maybe"),
            "allow_other=maybe is not one of on, off, yes, no, true, false, 1, 0");
}

TEST(OptionValues, AnEmptyValueIsNotAValue) {
  EXPECT_EQ(complaint("memory", ""), "option memory needs a value: memory=SIZE");
  EXPECT_EQ(complaint("memory", std::nullopt), "option memory needs a value: memory=SIZE");
  EXPECT_EQ(complaint("allow_other", ""), "option allow_other needs a value: allow_other=on|off");
}

TEST(OptionValues, MasksAreOctal) {
  EXPECT_EQ(with("umask", "022").umask, 022u);
  EXPECT_EQ(with("fmask", "0337").fmask, 0337u);
  EXPECT_EQ(with("dmask", "777").dmask, 0777u);
  for (const std::string value : {"0888", "1777", "u=rwx", "-2"}) {
    EXPECT_EQ(complaint("umask", value),
              "umask=" + value + " is not an octal mask such as 0222 (at most 0777)");
  }
}

TEST(OptionValues, OwnersAreNamesOrNumbers) {
  EXPECT_EQ(with("uid", "root").uid, 0u);
  EXPECT_EQ(with("uid", "4294967294").uid, 4294967294u);
  EXPECT_EQ(with("setuid", "nobody").setuid, (Account{65534, 65534}));
  EXPECT_EQ(with("setuid", "1:root").setuid, (Account{1, 0}));
  EXPECT_EQ(with("setuid", "4294967294:7").setuid, (Account{4294967294u, 7}));
  EXPECT_EQ(with("gid", "root").gid, 0u);
  EXPECT_EQ(with("gid", "12").gid, 12u);
}

TEST(OptionValues, AnUnknownOwnerIsRefused) {
  EXPECT_EQ(complaint("uid", "no such user"),
            "uid=no such user is neither a number nor a user of this machine");
  EXPECT_EQ(complaint("setuid", "no such:1"),
            "setuid=no such is neither a number nor a user of this machine");
  EXPECT_EQ(complaint("setuid", "4294967294"),
            "setuid=4294967294 has no group of its own; add one, USER:GROUP");
  EXPECT_EQ(complaint("setuid", "0:1"), "setuid=0:1 is root, who serves where setuid is not given");
  EXPECT_EQ(complaint("gid", "no such group"),
            "gid=no such group is neither a number nor a group of this machine");
  // (uid_t)-1 means "no change" to chown(2) and the kernel refuses it as an owner.
  EXPECT_EQ(complaint("uid", "4294967295"),
            "uid=4294967295 is neither a number nor a user of this machine");
}

TEST(OptionValues, ChoicesNameWhatIsAllowed) {
  EXPECT_EQ(with("on_error", "skip").on_error, OnError::skip);
  EXPECT_EQ(with("size_probe", "refuse").size_probe, SizeProbe::refuse);
  EXPECT_EQ(with("xattr", "all").xattr, XattrMode::all);
  EXPECT_TRUE(with("names", "raw").raw_names);
  EXPECT_EQ(with("format", "urls").format, "urls");
  EXPECT_EQ(with("format", "auto").format, "");
  EXPECT_EQ(with("log", "debug").log_level, log::Level::debug);
  EXPECT_EQ(complaint("on_error", "ignore"), "on_error=ignore is not one of fail, skip");
}

TEST(OptionValues, QuantitiesArePrintedInTheirLargestUnit) {
  EXPECT_EQ(size_text(0), "0");
  EXPECT_EQ(size_text(1000), "1000");
  EXPECT_EQ(size_text(128u << 20), "128M");
  EXPECT_EQ(size_text(1536u << 20), "1536M");
  EXPECT_EQ(duration_text(0s), "0");
  EXPECT_EQ(duration_text(59s), "59s");
  EXPECT_EQ(duration_text(60s), "1min");
  EXPECT_EQ(duration_text(24h), "1d");
}

}  // namespace
}  // namespace skimfs::fs

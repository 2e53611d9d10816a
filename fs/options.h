// SPDX-License-Identifier: MIT
//
// Every option of a mount, once: its name, its default, its text, how it is read.
//
// The command line, -o, --help and the man pages all come from option_table().
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

#include "fs/log.h"
#include "fs/version_pin.h"
#include "fs/verification.h"

namespace skimfs::fs {

// Whom a process becomes.
struct Account {
  std::uint32_t user = 0, group = 0;
  bool operator==(const Account&) const = default;
};

// What the user asked for is not possible.  what(): one line, what was wanted, found, to do.
struct OptionError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline constexpr std::uint64_t kLeastMemory = 16u << 20;  // bytes; below, reads could not finish

enum class OnError { fail, skip };
enum class SizeProbe { lookup, refuse };
enum class XattrMode { off, portable, all };

struct Options {
  // what
  std::string source;  // path of the manifest
  std::string mountpoint;
  std::string format;      // empty: detect; "skimfs", "urls"
  std::string base;        // base URL for relative references
  unsigned strip = 0;      // leading path components dropped (urls)
  bool raw_names = false;  // names=raw: names need not be UTF-8
  OnError on_error = OnError::fail;
  SizeProbe size_probe = SizeProbe::lookup;
  Verify verify = Verify::automatic;
  std::uint64_t verify_whole = 0;  // bytes; 0: memory / 4
  std::string auth;            // profile of what the manifest names none for; empty: none
  std::string auth_file;       // empty: the default places
  std::string index = "auto";  // where compiled manifests are kept: "auto", "off", a directory

  // how much
  std::uint64_t memory = 128u << 20;  // bytes, hard
  unsigned connections = 64;
  unsigned connections_per_host = 16;
  unsigned lanes = 1;             // network threads
  std::string cacert;             // file or directory of certificates; empty: the system's
  bool insecure_tls = false;      // any certificate will do
  bool private_addresses = false;  // where redirects of public servers may lead
  std::string proxy;              // "http://host:port"; empty: none
  std::uint64_t memory_warn = 0;  // bytes of RSS; 0: memory + 24 MiB

  // how long
  std::chrono::seconds timeout{60};  // of one request, retries included
  std::chrono::seconds idle_timeout{30};
  std::chrono::seconds revalidate{60};
  bool immutable = false;  // revalidate=immutable
  Validator validator = Validator::strict;  // where the manifest names none
  std::chrono::seconds start_timeout{60};

  // how it looks
  std::optional<std::uint32_t> uid, gid;
  std::uint32_t umask = 0222;
  std::optional<std::uint32_t> fmask, dmask;
  bool allow_other = false;
  XattrMode xattr = XattrMode::portable;

  // the kernel's side
  unsigned read_ahead_kb = 1024;  // set when root
  bool direct_io = false;
  bool skip_open = false;  // open=skip: the kernel tells of no open and no close
  std::string kernel_options;  // passed on: exec, noexec, context=...; in the grammar of -o

  // running
  bool foreground = false;
  bool sloppy = false;  // -s: unknown options warn
  bool replace_stale = true;
  bool sandbox = true;      // rights that serving files does not need are given up
  std::optional<Account> setuid;  // whom the process becomes once root has mounted
  bool debug_core = false;  // core files, and debuggers of the same user
  log::Level log_level = log::Level::info;

  std::uint64_t whole_max() const noexcept { return verify_whole != 0 ? verify_whole : memory / 4; }
};

// One option as it was given.
struct OptionText {
  std::string_view name;   // as in the table
  std::string_view value;  // empty when only the name was given

  // Throws OptionError "name=value WHY".
  [[noreturn]] void reject(std::string_view why) const;
};

// One row of the table: what --help and the man pages print, and how a value is taken over.
struct Option {
  enum class Value { required, optional };  // optional: the name alone means "on"

  std::string_view name;  // words joined by '_'
  Value value;
  std::string_view form;                     // what a value looks like: "SIZE", "fail|skip"
  std::string standard;                      // the default, from Options
  std::string_view group;                    // rows of one group are neighbours
  bool often;                                // among the six shown first by --help
  std::string_view help;                     // unit, range or formula included
  void (*set)(Options&, const OptionText&);  // throws OptionError
};

// Any thread; the same rows for the life of the process.
std::span<const Option> option_table();

// '_' and '-' are equal in names; null when there is none.
const Option* find_option(std::string_view name);

// Throws OptionError for an unknown name, a missing value, a value out of range.
void set_option(Options& options, std::string_view name, std::optional<std::string_view> value);

// `unknown option "memry"; did you mean "memory"?`
std::string unknown_option(std::string_view name);

// "64" (bytes), "128M", "1G": the largest of K M G T that divides it.  "60s", "5min", "1h".
std::string size_text(std::uint64_t bytes);
std::string duration_text(std::chrono::seconds time);

}  // namespace skimfs::fs

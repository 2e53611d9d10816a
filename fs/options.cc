// SPDX-License-Identifier: MIT
//
// The option table.
#include "fs/options.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "fs/auth/profile_text.h"
#include "fs/option_values.h"

namespace skimfs::fs {
namespace {

using Value = Option::Value;

std::string octal_text(std::uint32_t mask) {
  std::string digits = "0000";
  for (int at = 3; at > 0; --at, mask >>= 3) digits[at] = static_cast<char>('0' + (mask & 7));
  return digits;
}

std::string switch_text(bool on) { return on ? "on" : "off"; }

std::vector<Option> make_table() {
  using namespace std::chrono_literals;
  using T = const OptionText&;
  const Options standard;
  return {
      // --- memory and network
      {"memory", Value::required, "SIZE", size_text(standard.memory), "Memory and network", true,
       "hard bound of all file data held: cached, arriving, read ahead; at least 16M",
       [](Options& o, T text) { o.memory = parse_size(text, kLeastMemory); }},
      {"connections", Value::required, "N", std::to_string(standard.connections),
       "Memory and network", true, "most sockets open at once, idle ones included; 1 to 4096",
       [](Options& o, T text) { o.connections = parse_number(text, 1, 4096); }},
      {"connections_per_host", Value::required, "N", std::to_string(standard.connections_per_host),
       "Memory and network", false,
       "most sockets to one host and port, fewer while it answers 429 or 503; 1 to 4096",
       [](Options& o, T text) { o.connections_per_host = parse_number(text, 1, 4096); }},
      {"lanes", Value::required, "N", std::to_string(standard.lanes), "Memory and network", false,
       "threads that fetch: each server is one's, and the others have few of its sockets; at most "
       "connections and connections_per_host; 1 to 8",
       [](Options& o, T text) { o.lanes = parse_number(text, 1, 8); }},
      {"idle_timeout", Value::required, "TIME", duration_text(standard.idle_timeout),
       "Memory and network", false, "a socket without work is closed after this; at least 1s",
       [](Options& o, T text) { o.idle_timeout = parse_duration(text, 1s); }},
      {"timeout", Value::required, "TIME", duration_text(standard.timeout), "Memory and network",
       true, "a program's request fails with ETIMEDOUT after this, retries included; at least 1s",
       [](Options& o, T text) { o.timeout = parse_duration(text, 1s); }},
      {"cacert", Value::required, "FILE|DIR", "the system's", "Memory and network", false,
       "certificates of the authorities that are believed, instead of the system's: a PEM file, or "
       "a directory prepared by openssl-rehash(1)",
       [](Options& o, T text) {
         if (!text.value.starts_with('/')) text.reject("wanted an absolute path");
         o.cacert = text.value;
       }},
      {"insecure_tls", Value::optional, "", switch_text(standard.insecure_tls),
       "Memory and network", false,
       "believe any certificate: whoever is on the way can read and change everything",
       [](Options& o, T text) { o.insecure_tls = parse_switch(text); }},
      {"proxy", Value::required, "URL", "none", "Memory and network", false,
       "ask through this proxy, http or https, with a port and without a password; the "
       "environment's is never used",
       [](Options& o, T text) { o.proxy = parse_proxy(text); }},
      {"private_addresses", Value::required, "deny|allow", "deny", "Memory and network", false,
       "may a server of the Internet redirect to an address of this machine or network?",
       [](Options& o, T text) {
         o.private_addresses = parse_choice<bool>(text, {{"deny", false}, {"allow", true}});
       }},
      {"memory_warn", Value::required, "SIZE", "memory + 24M", "Memory and network", false,
       "log once when the process is larger than this (resident set)",
       [](Options& o, T text) { o.memory_warn = parse_size(text, 1); }},

      // --- manifest
      {"format", Value::required, "auto|skimfs|urls", "auto", "Manifest", false,
       "how the manifest is written: native, or one URL a line; auto: by its first line",
       [](Options& o, T text) {
         o.format = parse_choice<std::string>(
             text, {{"auto", ""}, {"skimfs", "skimfs"}, {"urls", "urls"}});
       }},
      {"base", Value::required, "URL", "none", "Manifest", false,
       "base of relative references, where the manifest has no @base",
       [](Options& o, T text) { o.base = text.value; }},
      {"strip", Value::required, "N", std::to_string(standard.strip), "Manifest", false,
       "leading path components dropped from a URL list; 0 to 128",
       [](Options& o, T text) { o.strip = parse_number(text, 0, 128); }},
      {"names", Value::required, "utf8|raw", "utf8", "Manifest", false,
       "raw: file names may be any bytes, not only UTF-8",
       [](Options& o, T text) {
         o.raw_names = parse_choice<bool>(text, {{"utf8", false}, {"raw", true}});
       }},
      {"on_error", Value::required, "fail|skip", "fail", "Manifest", true,
       "a bad line: refuse the mount, or leave the line out and say how many were",
       [](Options& o, T text) {
         o.on_error =
             parse_choice<OnError>(text, {{"fail", OnError::fail}, {"skip", OnError::skip}});
       }},
      {"size_probe", Value::required, "lookup|refuse", "lookup", "Manifest", false,
       "a size the manifest leaves out: ask the server at first use, or refuse the mount",
       [](Options& o, T text) {
         o.size_probe = parse_choice<SizeProbe>(
             text, {{"lookup", SizeProbe::lookup}, {"refuse", SizeProbe::refuse}});
       }},
      {"verify", Value::required, "auto|strict|off", "auto", "Manifest", false,
       "digests the manifest states: check them; refuse files that cannot be checked before a byte "
       "is given out; check none",
       [](Options& o, T text) {
         o.verify = parse_choice<Verify>(
             text, {{"auto", Verify::automatic}, {"strict", Verify::strict}, {"off", Verify::off}});
       }},
      {"verify_whole", Value::required, "SIZE", "memory / 4", "Manifest", false,
       "a file up to this size is given out after the digest of all of it was checked; at most "
       "half "
       "of memory",
       [](Options& o, T text) { o.verify_whole = parse_size(text, 1); }},
      {"index", Value::required, "auto|off|DIR", standard.index, "Manifest", false,
       "where large manifests are kept compiled, so that the next mount is at once; auto: "
       "/var/cache/skimfs, a user's in ~/.cache/skimfs",
       [](Options& o, T text) {
         const bool directory = text.value.starts_with('/');
         if (!directory && text.value != "auto" && text.value != "off")
           text.reject("wanted auto, off or an absolute path");
         o.index = text.value;
       }},
      {"auth_file", Value::required, "FILE", "/etc/skimfs/auth.conf", "Manifest", false,
       "the credential profiles that auth= of the manifest names, see skimfs-auth.conf(5); without "
       "it $CREDENTIALS_DIRECTORY/auth.conf comes first, and a user's is in ~/.config/skimfs",
       [](Options& o, T text) {
         if (!text.value.starts_with('/')) text.reject("wanted an absolute path");
         o.auth_file = text.value;
       }},
      {"auth", Value::required, "NAME", "none", "Manifest", false,
       "the profile of files for which the manifest names none",
       [](Options& o, T text) {
         if (!auth::is_profile_name(text.value)) text.reject("is no name of a profile");
         o.auth = text.value;
       }},
      {"revalidate", Value::required, "TIME|immutable", duration_text(standard.revalidate),
       "Manifest", false,
       "ask at open whether a file changed when the last answer is older; immutable: never ask",
       [](Options& o, T text) {
         o.immutable = text.value == "immutable";
         if (!o.immutable) o.revalidate = parse_duration(text, 0s);
       }},
      {"validator", Value::required, "strict|time|size", "strict", "Manifest", false,
       "what must stay the same from response to response, where the manifest does not say: the "
       "ETag, else the time, and the size; time and size; the size alone, if there is a digest",
       [](Options& o, T text) {
         o.validator = parse_choice<Validator>(text, {{"strict", Validator::strict},
                                                      {"time", Validator::time},
                                                      {"size", Validator::size}});
       }},

      // --- files as programs see them
      {"allow_other", Value::optional, "", switch_text(standard.allow_other), "Files", true,
       "other users may read too, as the permission bits say; as a user this needs "
       "user_allow_other in /etc/fuse.conf",
       [](Options& o, T text) { o.allow_other = parse_switch(text); }},
      {"uid", Value::required, "USER", "the mounting user", "Files", false,
       "owner shown, a name or a number", [](Options& o, T text) { o.uid = parse_user(text); }},
      {"gid", Value::required, "GROUP", "the mounting user's", "Files", false,
       "group shown, a name or a number", [](Options& o, T text) { o.gid = parse_group(text); }},
      {"umask", Value::required, "MASK", octal_text(standard.umask), "Files", false,
       "permission bits taken away from files and directories, octal",
       [](Options& o, T text) { o.umask = parse_mask(text); }},
      {"fmask", Value::required, "MASK", "umask", "Files", false, "the same for files only",
       [](Options& o, T text) { o.fmask = parse_mask(text); }},
      {"dmask", Value::required, "MASK", "umask", "Files", false, "the same for directories only",
       [](Options& o, T text) { o.dmask = parse_mask(text); }},
      {"xattr", Value::required, "off|portable|all", "portable", "Files", false,
       "extended attributes: none; listed are those worth copying; listed are all",
       [](Options& o, T text) {
         o.xattr = parse_choice<XattrMode>(
             text,
             {{"off", XattrMode::off}, {"portable", XattrMode::portable}, {"all", XattrMode::all}});
       }},

      // --- the kernel and the process
      {"read_ahead_kb", Value::required, "KIB", std::to_string(standard.read_ahead_kb),
       "Kernel and process", false,
       "largest kernel request for a sequential reader, in KiB, set when root; 0 to 16384",
       [](Options& o, T text) { o.read_ahead_kb = parse_number(text, 0, 16384); }},
      {"direct_io", Value::optional, "", switch_text(standard.direct_io), "Kernel and process",
       false, "bypass the page cache: faster for one pass, no shared mmap",
       [](Options& o, T text) { o.direct_io = parse_switch(text); }},
      {"open", Value::required, "ask|skip", "ask", "Kernel and process", false,
       "skip: the kernel opens and closes files without asking, so small ones are read faster; "
       "needs revalidate=immutable",
       [](Options& o, T text) {
         o.skip_open = parse_choice<bool>(text, {{"ask", false}, {"skip", true}});
       }},
      {"replace_stale", Value::optional, "", switch_text(standard.replace_stale),
       "Kernel and process", false, "unmount a dead skimfs found at DIR first",
       [](Options& o, T text) { o.replace_stale = parse_switch(text); }},
      {"sandbox", Value::optional, "", switch_text(standard.sandbox), "Kernel and process", false,
       "once mounted, give up all capabilities and the system calls that serving files does not need",
       [](Options& o, T text) { o.sandbox = parse_switch(text); }},
      {"setuid", Value::required, "USER[:GROUP]", "root stays root", "Kernel and process", false,
       "whom the process becomes, for good, once root has mounted",
       [](Options& o, T text) { o.setuid = parse_account(text); }},
      {"debug_core", Value::optional, "", switch_text(standard.debug_core), "Kernel and process",
       false, "allow core files and debuggers; they would show credentials and file data",
       [](Options& o, T text) { o.debug_core = parse_switch(text); }},
      {"start_timeout", Value::required, "TIME", duration_text(standard.start_timeout),
       "Kernel and process", false, "give up when the mount does not answer by then; at least 1s",
       [](Options& o, T text) { o.start_timeout = parse_duration(text, 1s); }},
      {"log", Value::required, "error|warning|info|debug", "info", "Kernel and process", true,
       "least important event told, to stderr with -f, else to syslog",
       [](Options& o, T text) {
         o.log_level = parse_choice<log::Level>(text, {{"error", log::Level::error},
                                                       {"warning", log::Level::warning},
                                                       {"info", log::Level::info},
                                                       {"debug", log::Level::debug}});
       }},
  };
}

std::string with_underscores(std::string_view name) {
  std::string result(name);
  std::replace(result.begin(), result.end(), '-', '_');
  return result;
}

// Levenshtein distance: single-character edits that turn `a` into `b`.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] != b[j]);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

void OptionText::reject(std::string_view why) const {
  throw OptionError(std::string(name) + "=" + std::string(value) + " " + std::string(why));
}

std::span<const Option> option_table() {
  static const std::vector<Option> table = make_table();
  return table;
}

const Option* find_option(std::string_view name) {
  const std::string wanted = with_underscores(name);
  const auto table = option_table();
  const auto row = std::find_if(table.begin(), table.end(),
                                [&](const Option& option) { return option.name == wanted; });
  return row == table.end() ? nullptr : &*row;
}

void set_option(Options& options, std::string_view name, std::optional<std::string_view> value) {
  const Option* option = find_option(name);
  if (option == nullptr) throw OptionError(unknown_option(name));
  const OptionText text{option->name, value.value_or("")};
  const bool complete = value ? !value->empty() : option->value == Option::Value::optional;
  if (!complete) {
    throw OptionError("option " + std::string(option->name) +
                      " needs a value: " + std::string(option->name) + "=" +
                      std::string(option->form.empty() ? "on|off" : option->form));
  }
  option->set(options, text);
}

std::string unknown_option(std::string_view name) {
  const std::string wanted = with_underscores(name);
  const auto table = option_table();
  const auto nearest =
      std::min_element(table.begin(), table.end(), [&](const Option& a, const Option& b) {
        return edits(wanted, a.name) < edits(wanted, b.name);
      });
  const std::string complaint = "unknown option \"" + std::string(name) + "\"";
  // A third of the letters wrong is still a slip; more is another word.
  if (edits(wanted, nearest->name) > std::max<std::size_t>(1, wanted.size() / 3)) {
    return complaint + "; skimfs --help lists them";
  }
  return complaint + "; did you mean \"" + std::string(nearest->name) + "\"?";
}

}  // namespace skimfs::fs

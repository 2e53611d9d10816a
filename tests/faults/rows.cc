// SPDX-License-Identifier: MIT
//
// One row after another, as numbered.
#include "tests/faults/rows.h"

#include <algorithm>
#include <cerrno>

namespace skimfs::test {
namespace {

using namespace std::chrono_literals;
using ProxyEnding = ProxyFault::Ending;
using Rows = std::vector<Row>;

// Not fetched by the first request for its first page.
constexpr std::uint64_t kLarge = 8u << 20;

// What is tried again until the deadline ends with its cause, or with the deadline.
const std::set<int> kRetried{EIO, ETIMEDOUT};
const std::set<int> kLengths{EIO, EOVERFLOW, ETIMEDOUT};

auto through_proxy(ProxyFault fault) {
  return [fault](Stage& stage, const Spell& spell) {
    stage.proxy.emplace(stage.origin.port());
    stage.proxy->fault(fault, spell.times, spell.after);
    return stage.proxy->base() + "/f";
  };
}

// The file's place is where `origin` redirects to; what was good there once, and is remembered,
// has expired.
auto expires(Behaviour behaviour) {
  return [behaviour](Stage& stage, const Spell& spell) {
    stage.other.emplace();
    stage.other->add("/f", kLarge);
    stage.other->behave("/f", behaviour, spell.times, std::max(spell.after, 1u));
    stage.origin.behave("/f", {.location = stage.other->url("/f?signature=secret")});
    return stage.origin.url("/f");
  };
}

// Another version from the first request on that the spell names.
auto changes(Behaviour behaviour, std::optional<std::uint64_t> size = {}) {
  return [behaviour, size](Stage& stage, const Spell& spell) {
    stage.origin.behave("/f", behaviour);
    stage.origin.change_after("/f", spell.after, size);
    return stage.origin.url("/f");
  };
}

std::string refused(Stage& stage, const Spell&) {
  stage.origin.stop_listening();
  return stage.origin.url("/f");
}

// Connects that nobody answers: a full queue drops SYNs.
std::string syn_dropped(Stage& stage, const Spell&) {
  std::uint16_t port = 0;
  stage.listener = listen_on(port, 0);
  stage.queued.push_back(connect_to(port));
  return "http://127.0.0.1:" + std::to_string(port) + "/f";
}

void add_transport(Rows& rows) {
  const auto add = [&rows](Row row) { rows.push_back(std::move(row)); };
  add({.number = "1a",
       .name = "refused",
       .put = refused,
       .outcome = kRetried,
       .events = {"connect_fail"},
       .passes = false});
  add({.number = "1b",
       .name = "reset_at_once",
       .put = through_proxy({.refuse = true}),
       .outcome = kRetried,
       .events = {"reset", "connect_fail"}});
  add({.number = "2",
       .name = "syn_dropped",
       .put = syn_dropped,
       .outcome = {ETIMEDOUT},
       .events = {"connect_timeout", "deadline"},
       .passes = false,
       .heals = false});
  add({.number = "3",
       .name = "silence",
       .behaviour = {.hold = true},
       .outcome = {ETIMEDOUT},
       .events = {"first_byte_timeout", "deadline"},
       .passes = false});
  add({.number = "4",
       .name = "stall",
       .behaviour = {.stop_after = 3000, .ending = Ending::stall},
       .outcome = {ETIMEDOUT},
       .at_probe = {0, ETIMEDOUT},
       .events = {"stall", "deadline"},
       .passes = false});
  add({.number = "4b",
       .name = "stall_in_the_head",
       .put = through_proxy({.stop_after = 30, .ending = ProxyEnding::stall}),
       .outcome = {ETIMEDOUT},
       .events = {"first_byte_timeout", "deadline"},
       .passes = false});
  add({.number = "5",
       .name = "drip",
       .behaviour = {.drip_bytes = 1, .drip_every = 1s},
       .outcome = {ETIMEDOUT},
       .events = {"slow", "stall", "deadline"},
       .passes = false});
  add({.number = "6a",
       .name = "reset",
       .behaviour = {.stop_after = 0, .ending = Ending::reset},
       .outcome = kRetried,
       .at_probe = {0, EIO, ETIMEDOUT},
       .events = {"reset"}});
  add({.number = "6b",
       .name = "reset_with_progress",
       .behaviour = {.stop_after = 100000, .ending = Ending::reset},
       .outcome = {0}});
  add({.number = "6c",
       .name = "half_close",
       .put = through_proxy({.stop_after = 100000, .ending = ProxyEnding::half_close}),
       .outcome = {0}});
  add({.number = "6d",
       .name = "cut_in_the_head",
       .put = through_proxy({.stop_after = 30}),
       .outcome = kRetried,
       .events = {"reset", "short_body", "proto"}});
  add({.number = "7",
       .name = "short_body",
       .behaviour = {.stop_after = 0, .ending = Ending::close_unsaid},
       .outcome = kRetried,
       .at_probe = {0, EIO, ETIMEDOUT},
       .events = {"short_body"}});
  add({.number = "8",
       .name = "chunked_cut",
       .behaviour = {.length = Length::chunked, .stop_after = 2000, .ending = Ending::close_unsaid},
       .outcome = kRetried,
       .at_probe = {0, EIO, ETIMEDOUT},
       .events = {"short_body"}});
  add({.number = "9",
       .name = "undeclared_cut",
       .behaviour = {.length = Length::absent, .stop_after = 2000, .ending = Ending::close_unsaid},
       .outcome = kRetried,
       .at_probe = {0, EIO, ETIMEDOUT},
       .events = {"short_body"}});
  add({.number = "9b",
       .name = "undeclared_whole",
       .behaviour = {.length = Length::absent, .ending = Ending::close},
       .outcome = {0}});
  add({.number = "10a",
       .name = "long_undeclared_body",
       .behaviour = {.length = Length::absent, .extra_bytes = 100000, .ending = Ending::close},
       .outcome = {EIO},
       .at_probe = {0, EIO},
       .events = {"long_body"}});
  add({.number = "10b",
       .name = "length_beyond_range",
       .behaviour = {.length = Length::one_more},
       .outcome = kLengths,
       .at_probe = kLengths,
       .events = {"bad_length", "short_body"}});
  add({.number = "11a",
       .name = "rubbish_after_answer",
       .behaviour = {.extra_bytes = 100000},
       .outcome = {0, EIO, ETIMEDOUT},
       .events = {"proto", "reset", "short_body"}});
  add({.number = "11b",
       .name = "second_answer_unasked",
       .behaviour = {.extra_text = "HTTP/1.1 206 Partial Content\r\nContent-Length: 4096\r\n"
                                   "Content-Range: bytes 4096-8191/150007\r\n\r\n" +
                                   std::string(4096, '!')},
       .outcome = {0, EIO, ETIMEDOUT},
       .events = {"proto", "bad_content_range", "suspect"}});
  add({.number = "16",
       .name = "closes_without_a_word",
       .behaviour = {.ending = Ending::close_unsaid},
       .outcome = {0}});
}

void add_ranges(Rows& rows) {
  const auto add = [&rows](Row row) { rows.push_back(std::move(row)); };
  add({.number = "18a",
       .name = "range_ignored",
       .behaviour = {.ranges = Ranges::ignored},
       .outcome = {0}});
  add({.number = "18b",
       .name = "range_ignored_too_large",
       .behaviour = {.ranges = Ranges::ignored},
       .outcome = {EIO},
       .events = {"range_ignored"},
       .passes = false,
       .size = 100u << 20,
       .heals = false});
  add({.number = "19",
       .name = "other_range",
       .behaviour = {.ranges = Ranges::shifted},
       .outcome = {EIO},
       .events = {"bad_content_range"}});
  add({.number = "20a",
       .name = "wider_range",
       .behaviour = {.ranges = Ranges::wider},
       .outcome = {0}});
  add({.number = "20b",
       .name = "whole_as_206",
       .behaviour = {.ranges = Ranges::whole},
       .outcome = {0, EIO},
       .events = {"bad_content_range"}});
  add({.number = "20c",
       .name = "shorter_range",
       .behaviour = {.ranges = Ranges::shorter},
       .outcome = {0}});
  add({.number = "21a",
       .name = "content_range_missing",
       .behaviour = {.content_range = ContentRange::missing},
       .outcome = {EIO},
       .events = {"bad_content_range"}});
  add({.number = "21b",
       .name = "content_range_malformed",
       .behaviour = {.content_range = ContentRange::malformed},
       .outcome = {EIO},
       .events = {"bad_content_range"}});
  add({.number = "21c",
       .name = "content_range_twice",
       .behaviour = {.content_range = ContentRange::twice},
       .outcome = {EIO},
       .events = {"bad_content_range"}});
  add({.number = "21d",
       .name = "total_unknown",
       .behaviour = {.content_range = ContentRange::unknown_total},
       .outcome = {0},
       .at_probe = {EFBIG, EIO},
       .events = {"unknown_size"}});
  add({.number = "22",
       .name = "multipart",
       .behaviour = {.ranges = Ranges::multipart},
       .outcome = {EIO},
       .events = {"multipart"}});
  add({.number = "23a",
       .name = "content_coding",
       .behaviour = {.encoding = "gzip"},
       .outcome = {EIO},
       .events = {"content_encoding"}});
  add({.number = "23b",
       .name = "content_coding_of_200",
       .behaviour = {.ranges = Ranges::ignored, .encoding = "gzip"},
       .outcome = {EIO},
       .at_probe = {EIO, EFBIG},
       .events = {"content_encoding", "range_ignored"}});
  add({.number = "25a",
       .name = "range_refused",
       .behaviour = {.ranges = Ranges::refused},
       .outcome = {EIO},
       .at_probe = {0, EIO},
       .events = {"range_refused"},
       .passes = false});
  add({.number = "25b",
       .name = "status_400",
       .behaviour = {.status = 400},
       .outcome = {EIO},
       .events = {"range_refused"},
       .passes = false});
  add({.number = "30",
       .name = "portal",
       .behaviour = {.portal = true},
       .outcome = {EIO},
       .events = {"range_ignored", "unexpected_200"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
}

void add_versions(Rows& rows) {
  const auto add = [&rows](Row row) { rows.push_back(std::move(row)); };
  // With a size that the manifest states, another one is a contradiction: EIO.
  add({.number = "24",
       .name = "refused_other_total",
       .put = changes({}, 4096),
       .outcome = {ESTALE, EIO},
       .events = {"changed"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
  add({.number = "26",
       .name = "precondition_failed",
       .put = changes({}),
       .outcome = {ESTALE},
       .events = {"changed"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
  add({.number = "27a",
       .name = "other_validators",
       .put = changes({.heed_conditions = false}),
       .outcome = {ESTALE},
       .events = {"changed"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
  add({.number = "27b",
       .name = "other_total",
       .put = changes({.heed_conditions = false}, 300000),
       .outcome = {ESTALE, EIO},
       .events = {"changed"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
  add({.number = "27c",
       .name = "other_date",
       .put = changes({.validators = Validators::date_only, .heed_conditions = false}),
       .outcome = {ESTALE},
       .events = {"changed"},
       .passes = false,
       .size = kLarge,
       .needs_pin = true});
  add({.number = "28",
       .name = "replicas_disagree",
       .behaviour = {.validators = Validators::flipping},
       .outcome = {0, EIO, ESTALE},
       .events = {"changed"},
       .passes = false});
  add({.number = "34a",
       .name = "status_404",
       .behaviour = {.status = 404},
       .outcome = {ESTALE},
       .at_probe = {ENOENT},
       .events = {"gone"},
       .passes = false});
  add({.number = "34b",
       .name = "status_410",
       .behaviour = {.status = 410},
       .outcome = {ESTALE},
       .at_probe = {ENOENT},
       .events = {"gone"},
       .passes = false});
  add({.number = "39",
       .name = "other_total_told",
       .behaviour = {.content_range = ContentRange::other_total},
       .outcome = {EIO, ESTALE},
       .at_probe = {EIO, ESTALE},
       .events = {"changed", "range_refused"},
       .passes = false});
}

void add_statuses(Rows& rows) {
  const auto add = [&rows](Row row) { rows.push_back(std::move(row)); };
  add({.number = "31a",
       .name = "target_expired_401",
       .put = expires({.status = 401}),
       .outcome = {EACCES},
       .events = {"auth", "reresolve"},
       .size = kLarge});
  add({.number = "31b",
       .name = "target_expired_403",
       .put = expires({.status = 403}),
       .outcome = {EACCES},
       .events = {"auth", "reresolve"},
       .size = kLarge});
  for (const int status : {400, 404, 410}) {
    add({.number = "31c" + std::to_string(status),
         .name = "target_expired_" + std::to_string(status),
         .put = expires({.status = status}),
         .outcome = {EACCES},
         .events = {"reresolve"},
         .size = kLarge});
  }
  add({.number = "32a",
       .name = "redirect_loop",
       .behaviour = {.location = "/f"},
       .outcome = {EIO},
       .events = {"redirect_denied"},
       .passes = false});
  add({.number = "32b",
       .name = "redirect_to_ftp",
       .behaviour = {.location = "ftp://127.0.0.1/x"},
       .outcome = {EIO},
       .events = {"redirect_denied"},
       .passes = false});
  add({.number = "32c",
       .name = "redirect_to_file",
       .behaviour = {.location = "file:///etc/passwd"},
       .outcome = {EIO},
       .events = {"redirect_denied"},
       .passes = false});
  add({.number = "33a",
       .name = "status_401",
       .behaviour = {.status = 401},
       .outcome = {EACCES},
       .events = {"auth"},
       .passes = false});
  add({.number = "33b",
       .name = "status_403",
       .behaviour = {.status = 403},
       .outcome = {EACCES},
       .events = {"auth"},
       .passes = false});
  add({.number = "35a",
       .name = "status_429",
       .behaviour = {.status = 429},
       .outcome = {ETIMEDOUT},
       .events = {"throttled"}});
  add({.number = "35b",
       .name = "status_503",
       .behaviour = {.status = 503, .retry_after = 1},
       .outcome = {ETIMEDOUT},
       .events = {"throttled"}});
  add({.number = "36a",
       .name = "status_500",
       .behaviour = {.status = 500, .extra_bytes = 5000},
       .outcome = kRetried,
       .events = {"server_error"}});
  add({.number = "36b",
       .name = "status_502",
       .behaviour = {.status = 502},
       .outcome = kRetried,
       .events = {"server_error"}});
  add({.number = "36c",
       .name = "status_504",
       .behaviour = {.status = 504},
       .outcome = kRetried,
       .events = {"server_error"}});
  add({.number = "37", .name = "head_refused", .behaviour = {.refuse_head = true}, .outcome = {0}});
}

void add_lengths(Rows& rows) {
  const auto add = [&rows](Row row) { rows.push_back(std::move(row)); };
  add({.number = "38",
       .name = "no_length",
       .behaviour = {.ranges = Ranges::ignored, .length = Length::absent, .ending = Ending::close},
       .outcome = {EIO},
       .at_probe = {EFBIG},
       .events = {"range_ignored", "unexpected_200", "unknown_size"}});
  const std::pair<const char*, Empty> empty[] = {{"empty", Empty::ok},
                                                 {"empty_416", Empty::unsatisfiable},
                                                 {"empty_400", Empty::bad_request},
                                                 {"empty_backward", Empty::backward_range}};
  char letter = 'a';
  for (const auto& [name, style] : empty) {
    const bool refused = style == Empty::bad_request;
    add({.number = std::string("40") + letter++,
         .name = name,
         .behaviour = {.empty = style},
         .outcome = {0},
         .at_probe = refused ? std::set<int>{0, EIO} : std::set<int>{0},
         .events = {"range_refused"},
         .passes = false,
         .size = 0});
  }
  letter = 'a';
  for (const auto& [name, length] :
       {std::pair{"length_negative", Length::negative}, std::pair{"length_huge", Length::huge},
        std::pair{"length_with_sign", Length::with_sign},
        std::pair{"length_hexadecimal", Length::hexadecimal},
        std::pair{"length_twice", Length::twice}, std::pair{"length_one_less", Length::one_less}}) {
    add({.number = std::string("41") + letter++,
         .name = name,
         .behaviour = {.length = length, .ending = Ending::close},
         .outcome = kLengths,
         .at_probe = {EOVERFLOW, EIO, ETIMEDOUT, 0},
         .events = {"bad_length", "short_body", "proto", "long_body"},
         .passes = false});
  }
  for (const auto& [name, total] :
       {std::pair{"total_negative", ContentRange::negative_total},
        std::pair{"total_huge", ContentRange::huge_total},
        std::pair{"total_with_sign", ContentRange::signed_total},
        std::pair{"total_hexadecimal", ContentRange::hexadecimal_total}}) {
    add({.number = std::string("41") + letter++,
         .name = name,
         .behaviour = {.content_range = total},
         .outcome = {EIO, EOVERFLOW},
         .events = {"bad_content_range", "bad_length"},
         .passes = false});
  }
  add({.number = "42a",
       .name = "headers_too_large",
       .behaviour = {.header_padding = 200000},
       .outcome = {EIO},
       .events = {"header_limit"},
       .passes = false});
  add({.number = "42b",
       .name = "informational_storm",
       .behaviour = {.informational = 1000},
       .outcome = {EIO},
       .events = {"header_limit"},
       .passes = false});
  add({.number = "42c",
       .name = "nul_in_header",
       .behaviour = {.headers = {std::string("X-Odd: a\0b", 10)}},
       .outcome = {EIO},
       .events = {"header_limit", "proto"},
       .passes = false});
  add({.number = "42d",
       .name = "folded_header",
       .behaviour = {.headers = {"X-Odd: a\r\n  b"}},
       .outcome = {0, EIO},
       .events = {"header_limit", "proto"},
       .passes = false});
}

}  // namespace

bool keeps_waiting(const Row& row) {
  return row.outcome.contains(ETIMEDOUT) || row.at_probe.contains(ETIMEDOUT);
}

std::vector<Row> all_rows() {
  Rows rows;
  add_transport(rows);
  add_ranges(rows);
  add_versions(rows);
  add_statuses(rows);
  add_lengths(rows);
  return rows;
}

}  // namespace skimfs::test

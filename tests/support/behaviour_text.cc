// SPDX-License-Identifier: MIT
//
// One table for each kind of fault: a switch's name, its values for help, and how it is set.
#include "tests/support/behaviour_text.h"

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "tests/support/arguments.h"

namespace skimfs::test {
namespace {

template <class T>
struct Switch {
  std::string name, values;
  std::function<void(T&, std::string_view)> set;  // throws std::invalid_argument
};

bool on_or_off(std::string_view text) {
  if (text == "on" || text.empty()) return true;
  if (text == "off") return false;
  throw std::invalid_argument("\"" + std::string(text) + "\" is neither on nor off");
}

template <class T, class Enum>
Switch<T> choice(std::string name, Enum T::*member,
                 std::initializer_list<std::pair<const char*, Enum>> values) {
  std::string all;
  for (const auto& [word, value] : values) all += (all.empty() ? "" : "|") + std::string(word);
  std::vector<std::pair<std::string, Enum>> table(values.begin(), values.end());
  return {std::move(name), all, [member, table, all](T& to, std::string_view text) {
            for (const auto& [word, value] : table) {
              if (word != text) continue;
              to.*member = value;
              return;
            }
            throw std::invalid_argument("\"" + std::string(text) + "\" is none of " + all);
          }};
}

template <class T, class Number>
Switch<T> count(std::string name, Number T::*member) {
  return {std::move(name), "N", [member](T& to, std::string_view text) {
            to.*member = static_cast<Number>(whole_number(std::string(text)));
          }};
}
template <class T, class Number>
Switch<T> count(std::string name, std::optional<Number> T::*member) {
  return {std::move(name), "N", [member](T& to, std::string_view text) {
            to.*member = static_cast<Number>(whole_number(std::string(text)));
          }};
}

template <class T>
Switch<T> time(std::string name, std::chrono::milliseconds T::*member) {
  return {std::move(name), "MILLISECONDS", [member](T& to, std::string_view text) {
            to.*member = std::chrono::milliseconds(whole_number(std::string(text)));
          }};
}

template <class T>
Switch<T> flag(std::string name, bool T::*member) {
  return {std::move(name), "on|off",
          [member](T& to, std::string_view text) { to.*member = on_or_off(text); }};
}

template <class T>
Switch<T> words(std::string name, std::string T::*member) {
  return {std::move(name), "TEXT", [member](T& to, std::string_view text) { to.*member = text; }};
}

const std::vector<Switch<Behaviour>>& behaviour_table() {
  using B = Behaviour;
  static const std::vector<Switch<B>> table{
      flag("hold", &B::hold),
      count("informational", &B::informational),
      count("status", &B::status),
      count("retry_after", &B::retry_after),
      words("location", &B::location),
      flag("refuse_head", &B::refuse_head),
      flag("portal", &B::portal),
      choice<B, Ranges>("ranges", &B::ranges,
                        {{"honest", Ranges::honest},
                         {"ignored", Ranges::ignored},
                         {"shifted", Ranges::shifted},
                         {"lying", Ranges::lying},
                         {"wider", Ranges::wider},
                         {"shorter", Ranges::shorter},
                         {"whole", Ranges::whole},
                         {"multipart", Ranges::multipart},
                         {"refused", Ranges::refused}}),
      choice<B, ContentRange>("content_range", &B::content_range,
                              {{"exact", ContentRange::exact},
                               {"missing", ContentRange::missing},
                               {"malformed", ContentRange::malformed},
                               {"twice", ContentRange::twice},
                               {"unknown_total", ContentRange::unknown_total},
                               {"other_total", ContentRange::other_total},
                               {"huge_total", ContentRange::huge_total},
                               {"negative_total", ContentRange::negative_total},
                               {"signed_total", ContentRange::signed_total},
                               {"hexadecimal_total", ContentRange::hexadecimal_total}}),
      choice<B, Length>("length", &B::length,
                        {{"exact", Length::exact},
                         {"absent", Length::absent},
                         {"chunked", Length::chunked},
                         {"one_less", Length::one_less},
                         {"one_more", Length::one_more},
                         {"huge", Length::huge},
                         {"negative", Length::negative},
                         {"with_sign", Length::with_sign},
                         {"hexadecimal", Length::hexadecimal},
                         {"twice", Length::twice}}),
      choice<B, Validators>("validators", &B::validators,
                            {{"both", Validators::both},
                             {"etag_only", Validators::etag_only},
                             {"date_only", Validators::date_only},
                             {"weak", Validators::weak},
                             {"none", Validators::none},
                             {"flipping", Validators::flipping}}),
      choice<B, Empty>("empty", &B::empty,
                       {{"ok", Empty::ok},
                        {"unsatisfiable", Empty::unsatisfiable},
                        {"bad_request", Empty::bad_request},
                        {"backward_range", Empty::backward_range}}),
      flag("heed_conditions", &B::heed_conditions),
      words("encoding", &B::encoding),
      count("header_padding", &B::header_padding),
      count("extra_bytes", &B::extra_bytes),
      words("extra_text", &B::extra_text),
      count("stop_after", &B::stop_after),
      count("drip_bytes", &B::drip_bytes),
      time("drip_every", &B::drip_every),
      choice<B, Ending>("ending", &B::ending,
                        {{"keep", Ending::keep},
                         {"close", Ending::close},
                         {"close_unsaid", Ending::close_unsaid},
                         {"reset", Ending::reset},
                         {"stall", Ending::stall}})};
  return table;
}

const std::vector<Switch<ProxyFault>>& fault_table() {
  using F = ProxyFault;
  static const std::vector<Switch<F>> table{
      flag("refuse", &F::refuse),
      time("delay", &F::delay),
      count("corrupt_at", &F::corrupt_at),
      count("duplicate_at", &F::duplicate_at),
      count("drip_from", &F::drip_from),
      time("drip_every", &F::drip_every),
      count("stop_after", &F::stop_after),
      choice<F, F::Ending>("ending", &F::ending,
                           {{"close", F::Ending::close},
                            {"half_close", F::Ending::half_close},
                            {"reset", F::Ending::reset},
                            {"stall", F::Ending::stall}})};
  return table;
}

const std::vector<Switch<Spell>>& spell_table() {
  static const std::vector<Switch<Spell>> table{count("times", &Spell::times),
                                                count("after", &Spell::after)};
  return table;
}

template <class T>
bool set_in(const std::vector<Switch<T>>& table, std::string_view name, std::string_view value,
            T& to) {
  for (const auto& each : table) {
    if (each.name != name) continue;
    try {
      each.set(to, value);
    } catch (const std::invalid_argument& wrong) {
      throw std::invalid_argument(std::string(name) + ": " + wrong.what());
    }
    return true;
  }
  return false;
}

template <class T>
void parse(std::string_view text, const std::vector<Switch<T>>& table, T& to, Spell& spell) {
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto equals = word.find('=');
    const std::string_view name = word.substr(0, equals);
    const std::string_view value =
        equals == word.npos ? std::string_view{} : word.substr(equals + 1);
    if (!set_in(table, name, value, to) && !set_in(spell_table(), name, value, spell)) {
      throw std::invalid_argument("there is no switch \"" + std::string(name) + "\"");
    }
  }
}

template <class T>
std::string list(const std::vector<Switch<T>>& table) {
  std::string all;
  for (const auto& each : table) all += "  " + each.name + "=" + each.values + "\n";
  for (const auto& each : spell_table()) all += "  " + each.name + "=" + each.values + "\n";
  return all;
}

}  // namespace

SpelledBehaviour parse_behaviour(std::string_view text) {
  SpelledBehaviour result;
  parse(text, behaviour_table(), result.behaviour, result.spell);
  return result;
}

SpelledFault parse_fault(std::string_view text) {
  SpelledFault result;
  parse(text, fault_table(), result.fault, result.spell);
  return result;
}

std::string behaviour_switches() { return list(behaviour_table()); }
std::string fault_switches() { return list(fault_table()); }

}  // namespace skimfs::test

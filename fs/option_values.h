// SPDX-License-Identifier: MIT
//
// How the value of one option is read: pure functions from text to a value in range.
//
// Every one throws OptionError by OptionText::reject(), so a message names option, value and limit.
#pragma once

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>

#include "fs/options.h"

namespace skimfs::fs {

// Digits, then nothing (bytes) or one of K M G T, powers of 1024.
std::uint64_t parse_size(const OptionText& text, std::uint64_t least);
// Digits, then nothing or s (seconds), min, h, d.
std::chrono::seconds parse_duration(const OptionText& text, std::chrono::seconds least);
unsigned parse_number(const OptionText& text, unsigned least, unsigned most);
// on, yes, true, 1 or the bare name; off, no, false, 0.
bool parse_switch(const OptionText& text);
// Permission bits in octal, at most 0777.
std::uint32_t parse_mask(const OptionText& text);
// "http://host:port" or https, as written.
std::string parse_proxy(const OptionText& text);
// A number, or a name of the user or group database.
std::uint32_t parse_user(const OptionText& text);
std::uint32_t parse_group(const OptionText& text);
// USER or USER:GROUP, names or numbers, not root; without GROUP the user's own.
Account parse_account(const OptionText& text);

template <class T>
T parse_choice(const OptionText& text,
               std::initializer_list<std::pair<std::string_view, T>> choices) {
  std::string allowed;
  for (const auto& [word, value] : choices) {
    if (text.value == word) return value;
    allowed += (allowed.empty() ? "" : ", ") + std::string(word);
  }
  text.reject("is not one of " + allowed);
}

}  // namespace skimfs::fs

// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/interned.h"

#include <algorithm>
#include <functional>

namespace crnpd::delivery {
namespace {

std::size_t hashOf(std::string_view text) {
    return std::hash<std::string_view>{}(text);
}

}  // namespace

std::string_view Interned::textOf(std::uint32_t number) const {
    const Text& text = texts_[number];
    return {text.bytes.get(), text.length};
}

std::uint32_t Interned::find(std::string_view text) const {
    return table_.find(hashOf(text), [&](std::uint32_t number) { return textOf(number) == text; });
}

std::uint32_t Interned::use(std::string_view text) {
    std::uint32_t number = find(text);
    if (number == noSlot) {
        number = texts_.add();
        Text& added = texts_[number];
        added.bytes.reset(new char[text.size()]);
        added.length = static_cast<std::uint32_t>(text.size());
        std::copy(text.begin(), text.end(), added.bytes.get());
        table_.add(number, hashOf(text), [this](std::uint32_t other) { return hashOf(textOf(other)); });
    }
    use(number);
    return number;
}

void Interned::release(std::uint32_t number) {
    if (--texts_[number].uses > 0) return;
    table_.remove(number, hashOf(textOf(number)),
                  [this](std::uint32_t other) { return hashOf(textOf(other)); });
    texts_.remove(number);
}

}  // namespace crnpd::delivery

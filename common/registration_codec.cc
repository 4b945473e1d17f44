// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/registration_codec.h"

#include <optional>

#include "common/record_text.h"

namespace crnpd {
namespace {

using record_text::append;
using record_text::Reader;
using record_text::shortestPair;
using record_text::shortestValue;

constexpr std::size_t shortestRegistration = std::string_view{"0:-0:"}.size();

// Whether two pairs, as they stand in the record, are in the order that normalize() makes and not the
// same. Reads each at most once, so the whole check stays linear.
bool inOrder(std::string_view before, std::string_view after) noexcept {
    Reader left(before);
    Reader right(after);
    if (const int order = left.string()->compare(*right.string()); order != 0) return order < 0;
    const std::size_t leftCount = *left.number();
    const std::size_t rightCount = *right.number();
    for (std::size_t i = 0; i < leftCount && i < rightCount; ++i) {
        if (const int order = left.string()->compare(*right.string()); order != 0) return order < 0;
    }
    return leftCount < rightCount;
}

// The grammar. `Sink` hears every part as it is read; the one that checks ignores them all.
template <typename Sink>
class Walk {
public:
    Walk(Reader& reader, Sink& sink) : reader_(reader), sink_(sink) {}

    bool record() {
        const auto registrations = reader_.count(shortestRegistration);
        if (!registrations) return false;
        sink_.registrations(*registrations);
        for (std::size_t i = 0; i < *registrations; ++i) {
            if (!registration()) return false;
        }
        return reader_.rest() == 0;
    }

private:
    bool registration() {
        const auto eventClass = reader_.string();
        if (!eventClass) return false;
        sink_.eventClass(*eventClass);
        const auto mark = reader_.mark();
        if (mark == '+') {
            const auto subclass = reader_.string();
            if (!subclass) return false;
            sink_.subclass(*subclass);
        } else if (mark != '-') {
            return false;
        }
        return pairs();
    }

    bool pairs() {
        const auto count = reader_.count(shortestPair);
        if (!count) return false;
        sink_.pairs(*count);
        std::string_view before;
        for (std::size_t i = 0; i < *count; ++i) {
            const std::size_t start = reader_.position();
            if (!pair()) return false;
            const auto here = reader_.since(start);
            if (i > 0 && !inOrder(before, here)) return false;
            before = here;
        }
        return true;
    }

    bool pair() {
        const auto name = reader_.string();
        if (!name) return false;
        const auto values = reader_.count(shortestValue);
        if (!values) return false;
        sink_.pair(*name, *values);
        for (std::size_t i = 0; i < *values; ++i) {
            const auto value = reader_.string();
            if (!value) return false;
            sink_.value(*value);
        }
        return true;
    }

    Reader& reader_;
    Sink& sink_;
};

struct Ignore {
    void registrations(std::size_t) noexcept {}
    void eventClass(std::string_view) noexcept {}
    void subclass(std::string_view) noexcept {}
    void pairs(std::size_t) noexcept {}
    void pair(std::string_view, std::size_t) noexcept {}
    void value(std::string_view) noexcept {}
};

struct Collect {
    std::vector<EventRegistration> all;

    void registrations(std::size_t count) { all.reserve(count); }
    void eventClass(std::string_view text) { all.emplace_back().eventClass = text; }
    void subclass(std::string_view text) { all.back().subclass = text; }
    void pairs(std::size_t count) { all.back().pairs.reserve(count); }
    void pair(std::string_view name, std::size_t values) {
        auto& pair = all.back().pairs.emplace_back();
        pair.name = name;
        pair.values.reserve(values);
    }
    void value(std::string_view text) { all.back().pairs.back().values.emplace_back(text); }
};

}  // namespace

std::string encodeCount(std::size_t registrations) {
    std::string out;
    append(out, registrations);
    return out;
}

void appendEncoded(std::string& out, const EventRegistration& registration) {
    append(out, std::string_view{registration.eventClass});
    out.push_back(registration.subclass ? '+' : '-');
    if (registration.subclass) append(out, std::string_view{*registration.subclass});
    append(out, registration.pairs.size());
    for (const NvPair& pair : registration.pairs)
        append(out, pair);
}

std::string encodeRegistrations(std::span<const EventRegistration> registrations) {
    auto out = encodeCount(registrations.size());
    for (const EventRegistration& registration : registrations)
        appendEncoded(out, registration);
    return out;
}

std::size_t encodedBytesAtMost(std::span<const EventRegistration> registrations) noexcept {
    constexpr std::size_t number = 21;  // 20 digits and ':'
    std::size_t bytes = number;
    for (const auto& registration : registrations) {
        bytes += 2 * number + registration.eventClass.size() + 1;
        if (registration.subclass) bytes += number + registration.subclass->size();
        for (const auto& pair : registration.pairs) {
            bytes += 2 * number + pair.name.size();
            for (const auto& value : pair.values)
                bytes += number + value.size();
        }
    }
    return bytes;
}

Result<std::vector<EventRegistration>> decodeRegistrations(std::string_view record) {
    Reader reader(record);
    Collect collect;
    if (!Walk(reader, collect).record()) {
        return Error{ErrorCode::damaged, "record of registrations is damaged at byte " +
                                             std::to_string(reader.position()) + " of " +
                                             std::to_string(record.size())};
    }
    return std::move(collect.all);
}

bool isRegistrationRecord(std::string_view record) noexcept {
    Reader reader(record);
    Ignore ignore;
    return Walk(reader, ignore).record();
}

std::size_t countRegistrations(std::string_view record) noexcept {
    return Reader(record).count(shortestRegistration).value_or(0);
}

}  // namespace crnpd

// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/etcd/post.h"

#include <charconv>
#include <system_error>

namespace crnpd::etcd {
namespace {

constexpr std::string_view posted = "posted ";
constexpr std::string_view taken = "taken ";
constexpr std::string_view answered = "answered ";
constexpr std::string_view refused = "refused";

}  // namespace

std::string encodePosted(std::string_view event) {
    return std::string(posted).append(event);
}

std::string encodeTaken(std::string_view event) {
    return std::string(taken).append(event);
}

std::string encodeAnswer(Sequence sequence) {
    return std::string(answered) + std::to_string(sequence);
}

std::string encodeRefused() {
    return std::string(refused);
}

std::optional<Post> decodePost(std::string_view text) {
    using State = Post::State;
    if (text.starts_with(posted)) return Post{State::posted, std::string(text.substr(posted.size())), 0};
    if (text.starts_with(taken)) return Post{State::taken, std::string(text.substr(taken.size())), 0};
    if (text == refused) return Post{State::refused, {}, 0};
    if (!text.starts_with(answered)) return std::nullopt;
    const auto digits = text.substr(answered.size());
    Post post{State::answered, {}, 0};
    const auto* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, post.sequence);
    if (error != std::errc{} || stop != end || post.sequence == 0) return std::nullopt;
    return post;
}

}  // namespace crnpd::etcd

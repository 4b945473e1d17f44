// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/reply.h"

#include <algorithm>
#include <utility>

#include <xercesc/framework/XMLAttr.hpp>

#include "common/xml/parser.h"
#include "common/xml/prolog.h"
#include "common/xml/text.h"

namespace crnpd::xml {
namespace {

constexpr std::size_t deepest = 64;

class ReplyCollector final : public Parser {
public:
    ReplyCollector() : Parser(nullptr) {}

    Result<Reply> read(std::string_view document, const Prolog& prolog) {
        if (auto done = run(document, prolog); !done) return done.error();
        return Reply{code_, utf8(text_)};
    }

private:
    void onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) override {
        if (++depth_ > deepest) stop({ErrorCode::invalid, "elements are nested too deeply", line()});
        if (depth_ == 1) readRoot(name, attributes, count);
        inMessage_ = depth_ == 2 && name == u"SC_STATUS_MSG";
    }

    void readRoot(std::u16string_view name, const Attributes& attributes, std::size_t count) {
        const std::string root = utf8(name);
        if (root != "SC_REPLY") {
            stop({ErrorCode::invalid, "the root element is " + quoted(root) + "; expected SC_REPLY", line()});
        }
        for (std::size_t i = 0; i < count; ++i) {
            const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
            if (std::u16string_view(attribute.getQName()) != u"STATUS_CODE") continue;
            const std::string value = utf8(attribute.getValue());
            const auto code = statusCodeNamed(value);
            if (!code)
                stop(
                    {ErrorCode::invalid, "STATUS_CODE is " + quoted(value) + ", which is not known", line()});
            code_ = *code;
            return;
        }
        stop({ErrorCode::invalid, "SC_REPLY lacks the attribute STATUS_CODE", line()});
    }

    void onText(std::u16string_view text) override {
        if (inMessage_) text_ += text;
    }

    void onEnd() override {
        --depth_;
        inMessage_ = false;
    }

    StatusCode code_ = StatusCode::ok;
    std::size_t depth_ = 0;
    bool inMessage_ = false;
    std::u16string text_;
};

}  // namespace

std::string writeReply(const Reply& reply) {
    std::string out = R"(<?xml version="1.0" encoding="UTF-8"?><SC_REPLY VERSION="1.0" STATUS_CODE=")";
    out.append(name(reply.code)).append("\"><SC_STATUS_MSG>");
    std::string line = reply.text;
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    appendContent(out, line);
    return out + "</SC_STATUS_MSG></SC_REPLY>";
}

Result<Reply> readReply(std::string_view document) noexcept {
    try {
        const auto prolog = readProlog(document);
        if (!prolog) return prolog.error();
        std::string blanked;
        if (prolog->hasDoctype()) {
            blankDoctype(document, *prolog, blanked);
            document = blanked;
        }
        return ReplyCollector().read(document, *prolog);
    } catch (...) {
        return Error{ErrorCode::noSpace, "out of memory while the reply was read"};
    }
}

}  // namespace crnpd::xml

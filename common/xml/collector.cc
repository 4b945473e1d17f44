// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/collector.h"

#include <xercesc/framework/XMLAttr.hpp>

#include "common/xml/text.h"

namespace crnpd::xml {

Result<void> Collector::collect(std::string_view document, const Prolog& prolog, std::size_t depth) {
    deepest_ = depth;
    depth_ = 0;
    return run(document, prolog);
}

void Collector::refuseAttribute(const xercesc::XMLAttr& attribute) {
    stop({ErrorCode::invalid, "attribute " + quoted(utf8(attribute.getQName())) + " is not known", line()});
}

void Collector::onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) {
    if (++depth_ > deepest_) stop({ErrorCode::invalid, "elements are nested too deeply", line()});
    if (depth_ < pairLevel_) return onOpened(depth_, attributes, count);
    if (depth_ == pairLevel_) {
        pairs().emplace_back();
    } else if (depth_ == textLevel()) {
        inName_ = name == u"NAME";
        text_.clear();
    }
    if (count != 0) refuseAttribute(*attributes.elementAt(0));
}

void Collector::onText(std::u16string_view text) {
    if (depth_ == textLevel()) text_ += text;
}

void Collector::onEnd() {
    const std::size_t level = depth_--;
    if (level < pairLevel_) return onClosed(level);
    if (level != textLevel()) return;
    NvPair& pair = pairs().back();
    if (inName_) {
        pair.name = utf8(text_);
    } else {
        pair.values.push_back(utf8(text_));
    }
}

}  // namespace crnpd::xml

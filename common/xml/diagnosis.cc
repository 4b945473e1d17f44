// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "common/xml/diagnosis.h"

#include <algorithm>
#include <utility>

#include <xercesc/framework/XMLAttr.hpp>
#include <xercesc/framework/XMLErrorCodes.hpp>

namespace crnpd::xml {
namespace {

constexpr std::size_t mostStrangers = 1000;

bool isDigits(std::u16string_view text) {
    return !text.empty() && text.find_first_not_of(u"0123456789") == std::u16string_view::npos;
}

bool isZero(std::u16string_view digits) {
    return digits.find_first_not_of(u'0') == std::u16string_view::npos;
}

enum class VersionOrder { notANumber, lower, equal, higher };

// Against 1.0, as numbers with a dot between them.
VersionOrder compareVersion(std::u16string_view version) {
    const auto dot = version.find(u'.');
    std::u16string_view major = version.substr(0, dot);
    const std::u16string_view minor = dot == std::u16string_view::npos ? u"0" : version.substr(dot + 1);
    if (!isDigits(major) || !isDigits(minor)) return VersionOrder::notANumber;
    if (isZero(major)) return VersionOrder::lower;
    major.remove_prefix(major.find_first_not_of(u'0'));
    return major == u"1" && isZero(minor) ? VersionOrder::equal : VersionOrder::higher;
}

}  // namespace

Error Diagnosis::find(std::string_view document, const Prolog& prolog, std::size_t depth, Error refusal) {
    deepest_ = depth;
    internalSubset_ = prolog.internalSubset;
    open_.assign(1, Element::outside);
    strangers_ = 0;
    root_.reset();
    problem_.reset();
    const auto done = run(document, prolog);
    if (!done && done.error().code == ErrorCode::malformed) return done.error();
    if (root_) return *std::move(root_);
    if (internalSubset_) return refusal;
    if (problem_) return *std::move(problem_);
    return done ? refusal : done.error();
}

// The subset, which is not read, may have declared it.
bool Diagnosis::passesOver(unsigned code) {
    const bool passed = internalSubset_ && code == xercesc::XMLErrs::EntityNotFound;
    if (passed) countStranger();
    return passed;
}

// Each of them costs Xerces far more than its bytes, and the document is refused in any case.
void Diagnosis::countStranger() {
    if (++strangers_ > mostStrangers)
        stop({ErrorCode::invalid, "too much in the document is unknown", line()});
}

void Diagnosis::problem(std::string text) {
    if (!problem_) problem_ = Error{ErrorCode::invalid, std::move(text), line()};
}

void Diagnosis::onStart(std::u16string_view name, const Attributes& attributes, std::size_t count) {
    const Element element = vocabulary_.named(name);
    if (open_.size() == 1) checkRoot(name, attributes, count);
    if (open_.size() > deepest_) {
        stop({ErrorCode::invalid,
              "elements are nested deeper than " + std::to_string(deepest_) + " levels; an " +
                  utf8(ruleOf(Element::root).name) + " has " + std::to_string(vocabulary_.levels),
              line()});
    }
    if (element == Element::unknown) countStranger();
    if (!problem_) checkPlace(element, name);
    if (!problem_) checkAttributes(element, attributes, count);
    if (element == Element::pair) names_ = values_ = 0;
    if (element == Element::name) ++names_;
    if (element == Element::value) ++values_;
    open_.push_back(element);
}

void Diagnosis::checkRoot(std::u16string_view name, const Attributes& attributes, std::size_t count) {
    const std::u16string_view expected = ruleOf(Element::root).name;
    if (name != expected) {
        root_ = Error{ErrorCode::invalid,
                      "the root element is " + shown(name) + "; expected " + utf8(expected), line()};
        return;
    }
    for (std::size_t i = 0; i < count; ++i) {
        const xercesc::XMLAttr& attribute = *attributes.elementAt(i);
        if (std::u16string_view(attribute.getQName()) == u"VERSION")
            checkVersion(trimmed(attribute.getValue()));
    }
}

void Diagnosis::checkVersion(std::u16string_view version) {
    const std::string text = "VERSION is " + shown(version) + "; this server speaks 1.0";
    switch (compareVersion(version)) {
        case VersionOrder::notANumber:
            root_ = Error{ErrorCode::invalid, text, line()};
            return;
        case VersionOrder::higher:
            root_ = Error{ErrorCode::versionTooHigh, text, line()};
            return;
        case VersionOrder::lower:
            root_ = Error{ErrorCode::versionTooLow, text, line()};
            return;
        case VersionOrder::equal:
            return;
    }
}

void Diagnosis::checkPlace(Element element, std::u16string_view name) {
    const Element parent = open_.back();
    if (name.find(u':') != std::u16string_view::npos) {
        return problem("element " + shown(name) + ": the protocol has no namespaces");
    }
    if (parent == Element::unknown) return;
    const bool known = element != Element::unknown && ruleOf(element).parent == parent;
    if (!known) {
        return problem("element " + shown(name) + " must not stand in " + utf8(ruleOf(parent).name) +
                       "; expected " + std::string(ruleOf(parent).content));
    }
    if (element == Element::name && names_ + values_ > 0) {
        problem("NVPAIR has one NAME, and it stands before the first VALUE");
    }
    if (element == Element::value && names_ == 0)
        problem("NVPAIR begins with NAME; a VALUE stands before it");
}

void Diagnosis::checkAttributes(Element element, const Attributes& attributes, std::size_t count) {
    if (element == Element::unknown) return;
    const ElementRule& rule = ruleOf(element);
    std::size_t found = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const std::u16string_view name = attributes.elementAt(i)->getQName();
        if (name == u"xmlns" || name.find(u':') != std::u16string_view::npos) {
            return problem("attribute " + shown(name) + " in " + utf8(rule.name) +
                           ": the protocol has no namespaces");
        }
        const auto* const known = std::find(rule.attributes.begin(), rule.attributes.end(), name);
        if (known == rule.attributes.end()) {
            return problem(utf8(rule.name) + " has no attribute " + shown(name) + "; its attributes are " +
                           std::string(rule.attributeNames));
        }
        found |= 1U << static_cast<std::size_t>(known - rule.attributes.begin());
        checkValue(element, name, attributes.elementAt(i)->getValue());
    }
    for (std::size_t i = 0; i < rule.required; ++i) {
        if ((found >> i & 1U) == 0)
            problem(utf8(rule.name) + " lacks the attribute " + utf8(rule.attributes[i]));
    }
}

void Diagnosis::checkValue(Element element, std::u16string_view name, std::u16string_view value) {
    if (element != Element::root) return;
    if (name == u"VERSION" && trimmed(value) != u"1.0") {
        return problem("VERSION is " + shown(value) + "; it must be written 1.0");
    }
    if (auto fault = vocabulary_.rootFault(name, value); !fault.empty()) problem(std::move(fault));
}

void Diagnosis::onText(std::u16string_view text) {
    const Element element = open_.back();
    if (problem_ || element == Element::name || element == Element::value || element == Element::unknown)
        return;
    if (trimmed(text).empty()) return;
    problem("text " + shown(trimmed(text)) + " must not stand in " + utf8(ruleOf(element).name) +
            "; expected " + std::string(ruleOf(element).content));
}

void Diagnosis::onEnd() {
    if (open_.back() == Element::pair && (names_ == 0 || values_ == 0)) {
        problem(names_ == 0 ? "NVPAIR has no NAME"
                            : "NVPAIR has no VALUE; it has one NAME, then one or more VALUE");
    }
    open_.pop_back();
}

}  // namespace crnpd::xml

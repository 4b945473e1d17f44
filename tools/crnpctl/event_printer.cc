// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "tools/crnpctl/event_printer.h"

#include <ostream>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "common/dump/utc.h"
#include "tools/crnpctl/printable.h"

namespace crnpd::crnpctl {
namespace {

std::string textOf(const NvPair& pair) {
    if (pair.values.size() == 1) return pair.name + "=" + pair.values.front();
    std::string list;
    for (const auto& value : pair.values)
        list += (list.empty() ? "" : ", ") + value;
    return pair.name + "=[" + list + "]";
}

}  // namespace

bool EventPrinter::print(WallTime time, const Event& event, std::string_view document) {
    switch (form_) {
        case EventForm::text:
            printText(time, event);
            break;
        case EventForm::xml:
            out_ << document << (document.ends_with('\n') ? "" : "\n");
            break;
        case EventForm::json:
            printJson(time, event);
            break;
    }
    out_.flush();
    return out_.good();
}

void EventPrinter::printText(WallTime time, const Event& event) {
    out_ << dump::utcText(time) << ' ' << printable(event.eventClass) << '/' << printable(event.subclass)
         << ' ' << printable(event.vendor) << ' ' << printable(event.publisher);
    for (const auto& pair : event.pairs)
        out_ << ' ' << printable(textOf(pair));
    out_ << '\n';
}

void EventPrinter::printJson(WallTime time, const Event& event) {
    auto pairs = nlohmann::ordered_json::array();
    for (const auto& pair : event.pairs)
        pairs.push_back({{"name", pair.name}, {"values", pair.values}});
    const nlohmann::ordered_json object{{"time", dump::utcText(time)},  {"class", event.eventClass},
                                        {"subclass", event.subclass},   {"vendor", event.vendor},
                                        {"publisher", event.publisher}, {"pairs", std::move(pairs)}};
    // Broken UTF-8 must not make dump() throw.
    out_ << object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) << '\n';
}

}  // namespace crnpd::crnpctl

// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0

#include "server/control/event_requests.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "common/crash_point.h"
#include "common/dump/utc.h"
#include "common/messages.h"
#include "common/xml/event_writer.h"

namespace crnpd::control {
namespace {

constexpr std::string_view defaultPublisher = "rgm";

Error expected(std::string_view what) {
    return {ErrorCode::invalidArgument,
            fmt::format("{} was expected; an event is {}", what,
                        R"({"class":"C","subclass":"S","pairs":[{"name":"n","values":["v"]}]}, and if need )"
                        R"(be "vendor" and "publisher")")};
}

// The text of a member. An error where it is something else, or missing without a `fallback`.
Result<std::string> textOf(const Json& object, const char* name, const std::string_view* fallback = nullptr) {
    const auto found = object.find(name);
    const bool isMissing = found == object.end() || found->is_null();
    if (isMissing && fallback != nullptr) return std::string(*fallback);
    if (isMissing || !found->is_string()) return expected(fmt::format("a text as \"{}\"", name));
    return found->get<std::string>();
}

Result<NvPair> pairIn(const Json& entry) {
    if (!entry.is_object()) return expected("an object with \"name\" and \"values\" as each pair");
    auto name = textOf(entry, "name");
    if (!name) return name.error();
    const auto values = entry.find("values");
    if (values == entry.end() || !values->is_array() || values->empty())
        return expected(R"(a list of at least one text as the "values" of each pair)");
    NvPair pair{*std::move(name), {}};
    for (const auto& value : *values) {
        if (!value.is_string()) return expected("a text as each of the \"values\"");
        pair.values.push_back(value.get<std::string>());
    }
    return pair;
}

Result<std::vector<NvPair>> pairsIn(const Json& object) {
    std::vector<NvPair> pairs;
    const auto found = object.find("pairs");
    if (found == object.end() || found->is_null()) return pairs;
    if (!found->is_array()) return expected("a list as \"pairs\"");
    for (const auto& entry : *found) {
        auto pair = pairIn(entry);
        if (!pair) return pair.error();
        pairs.push_back(*std::move(pair));
    }
    return pairs;
}

Result<Event> eventIn(const Json& request) {
    const auto object = request.find("event");
    if (object == request.end() || !object->is_object()) return expected("an object as \"event\"");
    const std::string_view empty;  // the server puts in its own
    auto eventClass = textOf(*object, "class");
    if (!eventClass) return eventClass.error();
    auto subclass = textOf(*object, "subclass");
    if (!subclass) return subclass.error();
    auto vendor = textOf(*object, "vendor", &empty);
    if (!vendor) return vendor.error();
    auto publisher = textOf(*object, "publisher", &defaultPublisher);
    if (!publisher) return publisher.error();
    auto pairs = pairsIn(*object);
    if (!pairs) return pairs.error();
    Event event{*std::move(eventClass), *std::move(subclass), *std::move(vendor), *std::move(publisher),
                *std::move(pairs)};
    if (!xml::isWritable(event))
        return Error{ErrorCode::invalidArgument,
                     "the event has a character that no XML document can have, such as a control character"};
    return event;
}

Json pairsJson(const std::vector<NvPair>& pairs) {
    auto list = Json::array();
    for (const auto& pair : pairs)
        list.push_back({{"name", pair.name}, {"values", pair.values}});
    return list;
}

Json summaryJson(const EventSummary& summary) {
    const Event none;
    const auto& event = summary.event ? *summary.event : none;
    return {{"sequence", summary.sequence}, {"class", event.eventClass},
            {"subclass", event.subclass},   {"vendor", event.vendor},
            {"publisher", event.publisher}, {"pairs", pairsJson(event.pairs)},
            {"wanted", summary.wanted},     {"delivered", summary.delivered}};
}

Result<std::size_t> mostOf(const Json& request) {
    const auto found = request.find("most");
    if (found == request.end() || found->is_null()) return usualEvents;
    if (!found->is_number_unsigned() || found->get<std::uint64_t>() > mostEvents) {
        return Error{ErrorCode::invalidArgument,
                     fmt::format("a number from 0 to {} was expected as \"most\"", mostEvents)};
    }
    return found->get<std::size_t>();
}

void refuse(const Error& error, const Peer& peer) {
    auto json = refusal(error);
    // Whoever repeats may publish twice, whoever does not may not have published at all.
    if (error.code == ErrorCode::superseded) json["unknown"] = true;
    peer.write(line(json));
}

}  // namespace

Result<Sequence> publishAndLog(Event event, Operations& operations) {
    const auto eventClass = event.eventClass;
    const auto subclass = event.subclass;
    const auto publisher = event.publisher;
    auto sequence = operations.publish(std::move(event));
    if (sequence) log(msg::eventPublished, *sequence, eventClass, subclass, publisher);
    return sequence;
}

void publish(const Json& request, Operations& operations, const Peer& peer) {
    auto event = eventIn(request);
    if (!event) return refuse(event.error(), peer);
    crashPoint("publish_read");
    const auto sequence = publishAndLog(*std::move(event), operations);
    if (!sequence) return refuse(sequence.error(), peer);
    crashPoint("before_publish_answer");
    peer.write(line({{"ok", true}, {"sequence", *sequence}}));
    crashPoint("after_publish_answer");
}

void events(const Json& request, Operations& operations, const Peer& peer) {
    const auto most = mostOf(request);
    if (!most) return refuse(most.error(), peer);
    const auto all = operations.events(*most);
    if (!all) return refuse(all.error(), peer);
    if (!peer.write(line({{"ok", true},
                          {"head", all->head},
                          {"mark", all->mark},
                          {"laggards", all->laggards},
                          {"behind", all->behind}})))
        return;
    for (const auto& summary : all->last) {
        if (!peer.write(line(summaryJson(summary)))) return;
    }
    peer.write(line({{"end", true}, {"events", all->last.size()}}));
}

Json progressJson(const Progress& progress) {
    Json json{{"position", progress.position},
              {"waiting", progress.waiting},
              {"failures", progress.failures},
              {"under_way", progress.isUnderWay},
              {"given_up", progress.isGivenUp}};
    if (progress.nextIn) json["next_in_ms"] = progress.nextIn->count();
    auto attempts = Json::array();
    for (const auto& attempt : progress.attempts) {
        attempts.push_back({{"time", dump::utcText(attempt.at)},
                            {"sequence", attempt.sequence},
                            {"result", attempt.result}});
    }
    json["attempts"] = std::move(attempts);
    return json;
}

}  // namespace crnpd::control

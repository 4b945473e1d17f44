// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "tests/support/store_folder.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

#include "common/event_codec.h"
#include "common/registration_codec.h"

namespace crnpd::store {
namespace {

CallbackAddress addressOf(RecordId id) {
    const std::string ip =
        id % 5 == 0 ? "2001:db8::" + std::to_string(id % 9000) : "192.0.2." + std::to_string(id % 250 + 1);
    return {*IpAddress::parse(ip), static_cast<std::uint16_t>(1024 + id % 60000)};
}

template <typename Records>
void eraseId(Records& records, RecordId id) {
    std::erase_if(records, [id](const auto& record) { return record.id == id; });
}

template <typename Record>
void insertSorted(std::vector<Record>& records, const Record& record) {
    const auto place = std::ranges::lower_bound(records, record.id, {}, &Record::id);
    records.insert(place, record);
}

}  // namespace

StoreFolder::StoreFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "crnpd-store-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = name;
}

StoreFolder::~StoreFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
}

std::vector<std::string> StoreFolder::files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
        names.push_back(entry.path().filename());
    std::ranges::sort(names);
    return names;
}

std::string contentOf(const std::string& path) {
    std::error_code missing;
    const auto size = std::filesystem::file_size(path, missing);
    if (missing) return {};
    std::string content(size, '\0');
    std::ifstream(path, std::ios::binary).read(content.data(), static_cast<std::streamsize>(size));
    return content;
}

void writeContent(const std::string& path, std::string_view content) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(content.data(), static_cast<std::streamsize>(content.size()));
}

ClientRecord client(RecordId id, unsigned registrations) {
    std::vector<EventRegistration> all;
    for (unsigned i = 0; i < registrations; ++i) {
        all.push_back({"EC_Cluster", "ESC_cluster_rg_state", {{"rg_name", {"group-" + std::to_string(i)}}}});
    }
    return {.id = id, .client = addressOf(id), .registrations = encodeRegistrations(all)};
}

ClientRecord largeClient(RecordId id, std::size_t bytes) {
    const std::vector<EventRegistration> all{{std::string(bytes, static_cast<char>('a' + id % 26)), {}, {}}};
    return {.id = id, .client = addressOf(id), .registrations = encodeRegistrations(all)};
}

RemovalRecord removal(RecordId id, std::int64_t atMilliseconds) {
    return {id, addressOf(id), WallTime(std::chrono::milliseconds(atMilliseconds))};
}

ForgottenRecord forgotten(RecordId id) {
    return {id, addressOf(id)};
}

EventRecord event(Sequence sequence) {
    return {sequence, encodeEvent({"EC_Cluster",
                                   "ESC_cluster_membership",
                                   "crnpd",
                                   "test",
                                   {{"number", {std::to_string(sequence)}}}})};
}

void apply(Snapshot& snapshot, BatchId batch, const std::vector<Change>& changes,
           const EventChanges& events) {
    snapshot.head = batch;
    for (const Change& change : changes) {
        const RecordId id = std::visit([](const auto& record) { return record.id; }, change);
        eraseId(snapshot.clients, id);
        eraseId(snapshot.removals, id);
        if (const auto* added = std::get_if<ClientRecord>(&change)) {
            insertSorted(snapshot.clients, *added);
            snapshot.last = std::max({snapshot.last, added->joined, added->added});
        }
        if (const auto* removed = std::get_if<RemovalRecord>(&change))
            insertSorted(snapshot.removals, *removed);
    }
    for (const auto& published : events.published) {
        snapshot.events.push_back(published);
        snapshot.last = std::max(snapshot.last, published.sequence);
    }
    for (const auto sequence : events.released)
        std::erase_if(snapshot.events, [=](const EventRecord& held) { return held.sequence == sequence; });
    if (events.mark) snapshot.mark = *events.mark;
}

}  // namespace crnpd::store

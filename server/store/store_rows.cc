// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/store/store_rows.h"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <limits>
#include <set>
#include <vector>

#include <arpa/inet.h>

#include "common/event_codec.h"
#include "common/mark_codec.h"
#include "common/registration_codec.h"

namespace crnpd::store {
namespace {

enum Column { id, ip, port, registrations, removedAt, via, joined, added };

const IpAddress unknownAddress{};

Error damagedRow(std::int64_t row, const std::string& why) {
    return {ErrorCode::damaged,
            "the table clients is damaged at row id " + std::to_string(row) + ": " + why +
                ". Nothing was changed. Restore a back-up, or mend the row with sqlite3."};
}

// With a scope that no interface has (they are positive ints) and that differs from that of every other such
// row.
IpAddress withLostInterface(const in6_addr& address, std::int64_t row) {
    constexpr std::uint32_t beyondInterfaces = 0x80000000U;
    return IpAddress::from(address, beyondInterfaces | static_cast<std::uint32_t>(row & 0x7fffffff));
}

// A link-local address whose interface is gone since it was stored. The client cannot be reached nor come
// back under it, but it is no reason not to start.
Result<IpAddress> readLost(std::string_view text, std::int64_t row) {
    const std::string bare(text.substr(0, text.find('%')));
    in6_addr address{};
    if (::inet_pton(AF_INET6, bare.c_str(), &address) != 1 || bare.size() == text.size()) {
        return Error{ErrorCode::damaged, "no IP address"};
    }
    return withLostInterface(address, row);
}

Result<IpAddress> readIp(std::string_view text, std::int64_t row) {
    auto address = IpAddress::parse(text);
    if (!address && address.error().code == ErrorCode::notFound) return readLost(text, row);
    return address;
}

Result<CallbackAddress> readAddress(const sqlite::Statement& row, std::int64_t number) {
    auto address = readIp(row.text(Column::ip), number);
    if (!address) return damagedRow(number, "ip is no IP address");
    const std::int64_t port = row.number(Column::port);
    if (port < 1 || port > std::numeric_limits<std::uint16_t>::max())
        return damagedRow(number, "port is no port");
    return CallbackAddress{*address, static_cast<std::uint16_t>(port)};
}

// Where its client spoke to. An interface that is gone, or that never was on this machine, takes the address
// with it.
Result<IpAddress> readVia(const sqlite::Statement& row, std::int64_t number) {
    if (row.type(Column::via) == SQLITE_NULL) return unknownAddress;
    auto address = IpAddress::parse(row.text(Column::via));
    if (address) return address;
    if (address.error().code == ErrorCode::notFound) return unknownAddress;
    return damagedRow(number, "via is no IP address");
}

Result<ClientRecord> readClient(const sqlite::Statement& row, std::int64_t number,
                                const CallbackAddress& client) {
    const auto record = row.text(Column::registrations);
    if (!isRegistrationRecord(record))
        return damagedRow(number, "registrations is no record of registrations");
    const auto via = readVia(row, number);
    if (!via) return via.error();
    const auto joined = row.number(Column::joined);
    const auto added = row.number(Column::added);
    if (joined < 0 || added < 0) return damagedRow(number, "joined or added is negative");
    return ClientRecord{static_cast<RecordId>(number), client,
                        std::string(record),           *via,
                        static_cast<Sequence>(joined), static_cast<Sequence>(added)};
}

// Rows with an interface. A row that has only its number was written when there was no name, or by an older
// version, so it may mean another interface than the number does today.
class LinkLocals {
public:
    void note(std::string_view text, RecordId row, const CallbackAddress& client) {
        const auto percent = text.find('%');
        if (percent == std::string_view::npos) return;
        const auto digits = text.substr(percent + 1);
        if (digits.find_first_not_of("0123456789") == std::string_view::npos) {
            byNumber_.push_back(row);
        } else {
            byName_.insert(client);
        }
    }
    // Two rows must not be the same client. The one that has a name knows whose it is.
    void settle(Snapshot& snapshot) const {
        if (byName_.empty()) return;
        for (const auto row : byNumber_) {
            settle(snapshot.clients, row);
            settle(snapshot.removals, row);
        }
    }

private:
    // `records` are in the order of their ids.
    template <typename Record>
    void settle(std::vector<Record>& records, RecordId row) const {
        const auto record = std::lower_bound(records.begin(), records.end(), row,
                                             [](const Record& one, RecordId id) { return one.id < id; });
        if (record == records.end() || record->id != row || !byName_.contains(record->client)) return;
        in6_addr address{};
        std::ranges::copy(record->client.ip.bytes(), std::begin(address.s6_addr));
        record->client.ip = withLostInterface(address, static_cast<std::int64_t>(row));
    }

    std::set<CallbackAddress> byName_;
    std::vector<RecordId> byNumber_;
};

// Appends the row to the snapshot.
Result<void> readRow(const sqlite::Statement& row, std::int64_t number, LinkLocals& linkLocals,
                     Snapshot& out) {
    auto client = readAddress(row, number);
    if (!client) return client.error();
    const auto rowId = static_cast<RecordId>(number);
    linkLocals.note(row.text(Column::ip), rowId, *client);
    const bool isClient =
        row.type(Column::registrations) == SQLITE_TEXT && row.type(Column::removedAt) == SQLITE_NULL;
    const bool isRemoval =
        row.type(Column::registrations) == SQLITE_NULL && row.type(Column::removedAt) == SQLITE_INTEGER;
    if (isClient) {
        auto record = readClient(row, number, *client);
        if (!record) return record.error();
        out.clients.push_back(std::move(*record));
    } else if (isRemoval) {
        const std::chrono::milliseconds sinceEpoch(row.number(Column::removedAt));
        out.removals.push_back({rowId, *client, WallTime(sinceEpoch)});
    } else {
        return damagedRow(number, "it is neither a client nor a removal");
    }
    return {};
}

// Looks at every page: one that is lost, or used twice, would take registrations with it and show no row
// that is wrong. 0.4 s for a million clients.
Result<void> checkPages(sqlite::Connection& connection) {
    auto check = connection.prepare("PRAGMA quick_check(1)");
    if (!check) return check.error();
    const int code = check->step();
    if (code != SQLITE_ROW) return connection.error(code, "check its pages");
    if (check->text(0) == "ok") return {};
    return Error{ErrorCode::damaged, "damaged pages: " + std::string(check->text(0)) +
                                         ". Nothing was changed. Restore a back-up."};
}

Result<void> readHead(sqlite::Connection& connection, Snapshot& out) {
    const auto head = connection.number("SELECT batch FROM head");
    if (!head) return head.error();
    const auto last = connection.number("SELECT last FROM head");
    if (!last) return last.error();
    if (*head < 0 || *last < 0) return Error{ErrorCode::damaged, "the table head holds a negative number"};
    out.head = static_cast<BatchId>(*head);
    out.last = static_cast<Sequence>(*last);
    return {};
}

Error damagedEvents(const std::string& what) {
    return {ErrorCode::damaged, what + ". Nothing was changed. Restore a back-up, or mend it with sqlite3."};
}

Result<void> readEvents(sqlite::Connection& connection, Snapshot& out) {
    auto rows = connection.prepare("SELECT sequence, event FROM events ORDER BY sequence");
    if (!rows) return rows.error();
    std::int64_t last = 0;
    int code = rows->step();
    for (; code == SQLITE_ROW; code = rows->step()) {
        const std::int64_t number = rows->number(0);
        const auto event = rows->text(1);
        if (number <= last || static_cast<Sequence>(number) > out.last || !decodeEvent(event))
            return damagedEvents("the table events is damaged at sequence " + std::to_string(number));
        last = number;
        out.events.push_back({static_cast<Sequence>(number), std::string(event)});
    }
    if (code != SQLITE_DONE) return connection.error(code, "read the table events");
    return {};
}

Result<void> readMark(sqlite::Connection& connection, Snapshot& out) {
    auto row = connection.prepare("SELECT text FROM mark");
    if (!row) return row.error();
    const int code = row->step();
    if (code == SQLITE_DONE) return {};
    if (code != SQLITE_ROW) return connection.error(code, "read the table mark");
    auto mark = decodeMark(row->text(0));
    if (!mark) return damagedEvents("the table mark is damaged: " + mark.error().text);
    out.mark = std::move(*mark);
    return {};
}

}  // namespace

Result<RowWriter> RowWriter::prepare(sqlite::Connection& connection) {
    RowWriter writer;
    const std::pair<sqlite::Statement*, const char*> all[] = {
        {&writer.put_,
         "INSERT OR REPLACE INTO clients (id, ip, port, registrations, removed_at, via, joined, added) "
         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"},
        {&writer.forget_, "DELETE FROM clients WHERE id = ?1"},
        {&writer.publish_, "INSERT INTO events (sequence, event) VALUES (?1, ?2)"},
        {&writer.release_, "DELETE FROM events WHERE sequence = ?1"},
        {&writer.mark_, "INSERT OR REPLACE INTO mark (only, text) VALUES (1, ?1)"},
    };
    for (const auto& [statement, sql] : all) {
        auto prepared = connection.prepare(sql);
        if (!prepared) return prepared.error();
        *statement = std::move(*prepared);
    }
    return writer;
}

int RowWriter::write(const Change& change) {
    return std::visit([this](const auto& record) { return write(record); }, change);
}

int RowWriter::write(const ClientRecord& record) {
    bindKey(record.id, record.client);
    put_.bind(4, std::string_view{record.registrations});
    put_.bindNull(5);
    if (record.via == unknownAddress) {
        put_.bindNull(6);
    } else {
        via_ = record.via.namedText();
        put_.bind(6, std::string_view{via_});
    }
    put_.bind(7, static_cast<std::int64_t>(record.joined));
    put_.bind(8, static_cast<std::int64_t>(record.added));
    return put_.run();
}

int RowWriter::write(const RemovalRecord& record) {
    bindKey(record.id, record.client);
    put_.bindNull(4);
    put_.bind(5, static_cast<std::int64_t>(record.removedAt.time_since_epoch().count()));
    put_.bindNull(6);
    put_.bind(7, std::int64_t{0});
    put_.bind(8, std::int64_t{0});
    return put_.run();
}

int RowWriter::write(const ForgottenRecord& record) {
    forget_.bind(1, static_cast<std::int64_t>(record.id));
    return forget_.run();
}

int RowWriter::write(const EventChanges& events) {
    int code = SQLITE_OK;
    for (const auto& [sequence, event] : events.published) {
        publish_.bind(1, static_cast<std::int64_t>(sequence));
        publish_.bind(2, std::string_view{event});
        if (code = publish_.run(); code != SQLITE_OK) return code;
    }
    for (const auto sequence : events.released) {
        release_.bind(1, static_cast<std::int64_t>(sequence));
        if (code = release_.run(); code != SQLITE_OK) return code;
    }
    if (!events.mark) return code;
    const auto text = encodeMark(*events.mark);
    mark_.bind(1, std::string_view{text});
    return mark_.run();
}

void RowWriter::bindKey(RecordId id, const CallbackAddress& client) {
    ip_ = client.ip.namedText();
    put_.bind(1, static_cast<std::int64_t>(id));
    put_.bind(2, std::string_view{ip_});
    put_.bind(3, static_cast<std::int64_t>(client.port));
}

// In the order of the ids, which is the order of the file: an id that does not ascend is a damaged tree, and
// a tree that loses or repeats a page is most likely seen here too.
Result<Snapshot> readSnapshot(sqlite::Connection& connection) {
    Snapshot snapshot;
    if (auto checked = checkPages(connection); !checked) return checked.error();
    if (auto read = readHead(connection, snapshot); !read) return read.error();
    if (auto read = readEvents(connection, snapshot); !read) return read.error();
    if (auto read = readMark(connection, snapshot); !read) return read.error();
    auto rows = connection.prepare(
        "SELECT id, ip, port, registrations, removed_at, via, joined, added FROM clients ORDER BY id");
    if (!rows) return rows.error();
    LinkLocals linkLocals;
    std::int64_t last = 0;
    int code = rows->step();
    for (; code == SQLITE_ROW; code = rows->step()) {
        const std::int64_t number = rows->number(Column::id);
        if (number <= last) return damagedRow(number, "its id does not follow " + std::to_string(last));
        last = number;
        if (auto read = readRow(*rows, number, linkLocals, snapshot); !read) return read.error();
    }
    if (code != SQLITE_DONE) return connection.error(code, "read the table clients");
    linkLocals.settle(snapshot);
    return snapshot;
}

}  // namespace crnpd::store

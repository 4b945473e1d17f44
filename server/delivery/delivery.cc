// Copyright the crnpd authors
// SPDX-License-Identifier: Apache-2.0
#include "server/delivery/delivery.h"

#include <algorithm>
#include <future>
#include <optional>
#include <utility>

#include "common/crash_point.h"
#include "common/messages.h"
#include "common/xml/event_writer.h"

namespace crnpd::delivery {
namespace {

// Rounds of beginning and settling before the loop sees to its other work.
constexpr int mostRounds = 8;
constexpr std::size_t mostBegunInARound = 256;
constexpr std::size_t mostDocuments = 1024;
constexpr std::chrono::milliseconds pauseWithoutDescriptors{100};
constexpr std::chrono::seconds longestWait{1};

// Says so as long as it lives.
class Pumping {
public:
    explicit Pumping(bool& flag) : flag_(flag) { flag_ = true; }
    ~Pumping() { flag_ = false; }
    Pumping(const Pumping&) = delete;
    Pumping& operator=(const Pumping&) = delete;

private:
    bool& flag_;
};

// Whose queue is void: whoever left, and whoever joined anew, perhaps for less than it had asked for before.
std::optional<RecordId> departed(const Committed& news) {
    if (const auto* left = std::get_if<ClientLeft>(&news)) return left->id;
    const auto* changed = std::get_if<ClientChanged>(&news);
    if (changed != nullptr && changed->how == ClientChanged::How::joined) return changed->record.id;
    return std::nullopt;
}

}  // namespace

// The way to the loop for those who may outlive the delivery.
struct Delivery::Mailbox {
    explicit Mailbox(net::Loop& to) : loop(&to) {}

    void post(net::Callback work) {
        const std::scoped_lock lock(mutex);
        if (loop != nullptr) loop->post(std::move(work));
    }
    void close() {
        const std::scoped_lock lock(mutex);
        loop = nullptr;
    }

    std::mutex mutex;
    net::Loop* loop;
};

// The ledger as the dispatcher wants it: it answers on the delivery's thread. An answer for which there is no
// memory ends the process, as nobody would give it again.
class Delivery::PostingLedger final : public Ledger {
public:
    PostingLedger(Ledger& ledger, std::shared_ptr<Mailbox> mailbox, Delivery& owner)
        : ledger_(ledger), mailbox_(std::move(mailbox)), owner_(owner) {}

    void remove(const CallbackAddress& client, NewsNumber heard, std::function<void(Removal)> done) override {
        ledger_.remove(client, heard, [this, mailbox = mailbox_, done](Removal outcome) noexcept {
            mailbox->post([this, done, outcome] { owner_.onAnswer([&] { done(outcome); }); });
        });
    }
    void keep(MarkRecord mark, std::vector<Sequence> released, std::function<void(bool kept)> done) override {
        ledger_.keep(std::move(mark), std::move(released),
                     [this, mailbox = mailbox_, done](bool kept) noexcept {
                         mailbox->post([this, done, kept] { owner_.onAnswer([&] { done(kept); }); });
                     });
    }

private:
    Ledger& ledger_;
    std::shared_ptr<Mailbox> mailbox_;
    Delivery& owner_;
};

Delivery::Delivery(const Clock& clock, const Options& options, Ledger& ledger, Courier::Permission mayBegin)
    : clock_(clock),
      mailbox_(std::make_shared<Mailbox>(loop_)),
      ledger_(std::make_unique<PostingLedger>(ledger, mailbox_, *this)),
      courier_(loop_, clock, options.sending, std::move(mayBegin),
               [this](Ticket ticket, const Courier::End& end) { onEnd(ticket, end); }),
      dispatcher_(
          clock, options.dispatch, *ledger_, [this](Ticket ticket) { courier_.drop(ticket); },
          [this](RecordId client) { return callOnOpening(client); }),
      timer_(loop_, [this] { pump(); }),
      endOfTurn_(loop_, [this] { pump(); }) {}

Delivery::~Delivery() {
    stop();
    mailbox_->close();
}

// --- from other threads

void Delivery::start(std::shared_ptr<const Snapshot> rows) {
    loop_.post([this, rows = std::move(rows)]() mutable {
        begin(*rows);
        rows.reset();
    });
    thread_ = std::thread([this] { loop_.run(); });
}

// What is counted and not posted would bar its client for ever, or everybody: so all that takes memory comes
// first.
void Delivery::hear(std::vector<Committed> news) {
    Departures departing;
    std::size_t reloads = 0;
    for (const Committed& one : news) {
        if (const auto client = departed(one)) departing.insert(*client);
        if (std::holds_alternative<AllReloaded>(one)) ++reloads;
    }
    net::Callback work = [this, news = std::move(news)] { onNews(news); };
    if (departing.empty() && reloads == 0) return loop_.post(std::move(work));
    // The loop cannot come to count them off before they are counted.
    const std::scoped_lock lock(mutex_);
    departures_.reserve(departures_.size() + departing.size());
    loop_.post(std::move(work));
    departures_.merge(departing);
    reloads_ += reloads;
}

void Delivery::apply(const Options& options) {
    loop_.post([this, options] { onNewOptions(options); });
}

void Delivery::ping(net::Callback answer) {
    loop_.post(std::move(answer));
}

void Delivery::stop() {
    {
        const std::scoped_lock lock(mutex_);
        stopping_ = true;
    }
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
    courier_.dropAll();
}

template <typename Answer>
std::optional<Answer> Delivery::ask(std::function<std::optional<Answer>()> question) {
    const auto promise = std::make_shared<std::promise<std::optional<Answer>>>();
    auto answer = promise->get_future();
    loop_.post([promise, question = std::move(question)] { promise->set_value(question()); });
    if (answer.wait_for(longestWait) != std::future_status::ready) return std::nullopt;
    return answer.get();
}

std::optional<ClientProgress> Delivery::clientProgress(const CallbackAddress& client) {
    return ask<ClientProgress>([this, client] { return dispatcher_.progress(client); });
}

std::optional<EventsProgress> Delivery::events(std::size_t most) {
    return ask<EventsProgress>([this, most] { return std::optional(dispatcher_.events(most)); });
}

// --- on the delivery's thread

// For a gate, which opens on any thread and perhaps when all this is gone.
net::Callback Delivery::callOnOpening(RecordId client) {
    return [this, mailbox = mailbox_, client]() noexcept {
        mailbox->post([this, client] { onGateOpened(client); });
    };
}

void Delivery::begin(const Snapshot& rows) noexcept {
    dispatcher_.start(rows);
    crashPoint("delivery_began");
    pump();
}

void Delivery::onGateOpened(RecordId client) noexcept {
    dispatcher_.gateOpened(client);
    pumpSoon();
}

void Delivery::onAnswer(const net::Callback& answer) noexcept {
    answer();
    pump();
}

void Delivery::onNewOptions(const Options& options) noexcept {
    dispatcher_.apply(options.dispatch);
    courier_.apply(options.sending);
    pump();
}

void Delivery::onNews(const std::vector<Committed>& news) noexcept {
    for (const Committed& one : news)
        dispatcher_.hear(one);
    onProcessed(news);
    pump();
}

void Delivery::onProcessed(const std::vector<Committed>& news) {
    const std::scoped_lock lock(mutex_);
    for (const Committed& one : news) {
        if (std::holds_alternative<AllReloaded>(one)) --reloads_;
        if (const auto client = departed(one)) departures_.erase(departures_.find(*client));
    }
}

void Delivery::onEnd(Ticket ticket, const Courier::End& end) noexcept {
    switch (end.how) {
        case Courier::End::How::delivered:
            dispatcher_.delivered(ticket);
            break;
        case Courier::End::How::failed:
            dispatcher_.failed(ticket, end.trouble);
            break;
        case Courier::End::How::postponed:
            dispatcher_.postponed(ticket);
            break;
    }
    pumpSoon();
}

void Delivery::pump() noexcept {
    const Pumping pumping(pumping_);
    for (int round = 0; round < mostRounds; ++round) {
        dispatcher_.tick();
        const std::size_t begun = beginSome();
        const std::size_t ended = courier_.settle();
        if (begun == 0 && ended == 0) return armTimer();
    }
    timer_.startOnce(std::chrono::milliseconds{0});  // in another turn: the loop has other work, too
}

// The pump goes round by itself, and what is asked for in a turn would be done before the loop looks at
// anything else.
void Delivery::pumpSoon() {
    if (!pumping_) endOfTurn_.ask();
}

void Delivery::armTimer() {
    auto at = dispatcher_.wakeAt();
    const SteadyTime now = clock_.steady();
    if (resumeAt_ > now) at = at ? std::min(*at, resumeAt_) : resumeAt_;
    if (!at) return timer_.cancel();
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*at - now);
    timer_.startOnce(std::max(wait, std::chrono::milliseconds{1}));
}

std::size_t Delivery::beginSome() {
    if (resumeAt_ > clock_.steady()) return 0;
    std::size_t begun = 0;
    while (begun < mostBegunInARound) {
        auto errand = dispatcher_.take();
        if (!errand) break;
        ++begun;
        if (!begin(*errand)) break;
    }
    return begun;
}

// False: nothing else can be begun either.
bool Delivery::begin(const Errand& errand) {
    auto document = documentOf(errand.event);
    Result<void> begun;
    {
        const std::scoped_lock lock(mutex_);
        if (stopping_ || reloads_ > 0 || departures_.contains(errand.client)) {
            dispatcher_.postponed(errand.ticket);
            return true;
        }
        begun = courier_.begin(errand.ticket, {errand.to, errand.via, std::move(document)});
    }
    if (begun) {
        outOfDescriptors_ = false;
        return true;
    }
    if (!std::exchange(outOfDescriptors_, true)) log(msg::deliveryOutOfDescriptors, begun.error().text);
    dispatcher_.postponed(errand.ticket);
    resumeAt_ = clock_.steady() + pauseWithoutDescriptors;
    return false;
}

std::shared_ptr<const std::string> Delivery::documentOf(const NumberedEvent& event) {
    if (const auto found = documents_.find(event.sequence); found != documents_.end()) return found->second;
    if (documents_.size() >= mostDocuments) documents_.clear();
    auto document = std::make_shared<const std::string>(xml::writeEvent(*event.event));
    documents_.emplace(event.sequence, document);
    return document;
}

}  // namespace crnpd::delivery

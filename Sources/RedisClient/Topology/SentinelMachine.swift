import NIOCore

/// The rule by which the words of several sentinels become the address of one primary.
///
/// An address counts while most of the sentinels that are configured name it, those that are away counted in, and once a
/// server there has said that it is a primary. Until both hold the node stays where it is. A sentinel's latest word counts,
/// asked for or announced, and once, under however many addresses it is configured. Pure: times are arguments, sentinels are numbers, in the order of the configuration.
package struct SentinelMachine: Sendable {
    package typealias Address = RedisConfiguration.Endpoint

    package enum Action: Hashable, Sendable {
        /// To be asked for the address.
        case ask(Int)
        /// The server there is to be asked whether it is a primary.
        case verify(Address)
        /// All links go there.
        case move(to: Address)
        /// Most name the address where the node is, as they were asked at this time or later.
        case confirmed(asked: NIODeadline)
        /// The node stays where it is, or nowhere.
        case stay(reason: String)
        /// Before any address was known most sentinels, or the server that they name, have said what only an operator can mend.
        case refuse(reason: String)
    }

    package typealias Failure = QuestionFailure

    /// The reason why a server that is named cannot be followed.
    package enum Rejection: Hashable, Sendable {
        /// It is no primary, or could not be asked: that may change by itself.
        case unfit(reason: String)
        /// It takes nothing from this node.
        case refused(reason: String)
    }

    private enum Word: Hashable {
        case names(Address, asked: NIODeadline)
        /// It watches no primary of this name.
        case knowsNone
        case failed(Failure)
    }

    private struct Sentinel {
        let place: Address
        /// Of the process there; nil until a link has led to it. Nobody's word counts before.
        var runID: String?
        /// Nil until its first.
        var word: Word?
        /// The question that it has not answered yet.
        var asked: NIODeadline?

        /// Whether what it said lasts until somebody mends it.
        var needsOperator: Bool {
            switch word {
            case .knowsNone, .failed(.refused): true
            case .names, .failed(.away), nil: false
            }
        }
    }

    private enum Candidate: Hashable {
        case verifying(Address)
        case rejected(Address, Rejection)
    }

    private let name: String
    private var sentinels: [Sentinel]
    /// Where the links are led; nil until an address has counted once.
    private var current: Address?
    private var candidate: Candidate?
    /// What was said last, so that it is not said again.
    private var lastSaid: Action?

    package init(_ sentinels: Sentinels) {
        name = sentinels.name
        self.sentinels = sentinels.places.map { Sentinel(place: $0) }
    }

    /// How many must name one address.
    private var majority: Int { sentinels.count / 2 + 1 }

    /// It is time to ask whoever owes no answer, and to look again at a server that was no primary.
    package mutating func ticked(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        if case .rejected(let address, _) = candidate {
            candidate = .verifying(address)
            actions.append(.verify(address))
        }
        for number in sentinels.indices where sentinels[number].asked == nil {
            sentinels[number].asked = now
            actions.append(.ask(number))
        }
        return actions
    }

    /// A link leads to it.
    ///
    /// - Parameter runID: by which it is known under another address as well.
    package mutating func identified(_ number: Int, as runID: String) -> [Action] {
        guard sentinels[number].runID != runID else { return [] }
        // What another said there is not its word.
        if sentinels[number].runID != nil { sentinels[number].word = nil }
        sentinels[number].runID = runID
        return judge()
    }

    /// - Parameter address: nil where the sentinel watches no primary of this name.
    package mutating func answered(_ number: Int, _ address: Address?) -> [Action] {
        guard let asked = sentinels[number].asked else { return [] }
        sentinels[number].asked = nil
        // What it announced since it was asked is newer.
        if case .names(_, let said) = sentinels[number].word, said > asked { return judge() }
        sentinels[number].word = address.map { .names($0, asked: asked) } ?? .knowsNone
        return judge()
    }

    package mutating func failed(_ number: Int, _ failure: Failure) -> [Action] {
        sentinels[number].asked = nil
        sentinels[number].word = .failed(failure)
        return judge()
    }

    /// It said of itself that the primary is elsewhere by now.
    package mutating func announced(_ number: Int, _ address: Address, now: NIODeadline) -> [Action] {
        sentinels[number].word = .names(address, asked: now)
        return judge()
    }

    /// The server there is a primary.
    package mutating func verified(_ address: Address) -> [Action] {
        guard candidate == .verifying(address) else { return [] }
        candidate = nil
        current = address
        return [.move(to: address)] + judge()
    }

    /// The server there is not to be followed.
    package mutating func rejected(_ address: Address, _ rejection: Rejection) -> [Action] {
        guard candidate == .verifying(address) else { return [] }
        candidate = .rejected(address, rejection)
        return judge()
    }

    private mutating func judge() -> [Action] {
        guard let (address, asked) = elected else {
            candidate = nil
            return doubt()
        }
        guard address != current else {
            candidate = nil
            return say(.confirmed(asked: asked))
        }
        switch candidate {
        case .verifying(address):
            return []
        case .rejected(address, let rejection):
            return say(Self.verdict(on: address, rejection, isFirst: current == nil))
        case .verifying, .rejected, nil:
            candidate = .verifying(address)
            return [.verify(address)]
        }
    }

    /// The address that most name, and when the last of those needed for it was asked.
    private var elected: (Address, asked: NIODeadline)? {
        var votes: [Address: [NIODeadline]] = [:]
        var voters: Set<String> = []
        for sentinel in sentinels {
            guard case .names(let address, let asked)? = sentinel.word, let runID = sentinel.runID,
                voters.insert(runID).inserted
            else { continue }
            votes[address, default: []].append(asked)
        }
        guard let (address, times) = votes.first(where: { $0.value.count >= majority }) else { return nil }
        return (address, times.sorted(by: >)[majority - 1])
    }

    private static func verdict(on address: Address, _ rejection: Rejection, isFirst: Bool) -> Action {
        switch rejection {
        case .unfit(let reason):
            return .stay(reason: "most sentinels name \(address), which cannot be used: \(reason)")
        case .refused(let reason):
            let text = "most sentinels name \(address), which refuses this node: \(reason)"
            return isFirst ? .refuse(reason: text) : .stay(reason: text)
        }
    }

    private mutating func doubt() -> [Action] {
        // At the start all are given the time to say something.
        guard !sentinels.contains(where: { $0.word == nil }) else { return [] }
        guard current == nil, sentinels.count(where: \.needsOperator) >= majority else {
            return say(.stay(reason: "\(majority) of \(sentinels.count) sentinels must name one primary: \(words)"))
        }
        return say(.refuse(reason: words))
    }

    /// The first address that leads to the same process, where it is not this one's.
    private func twin(of sentinel: Sentinel) -> Address? {
        guard let runID = sentinel.runID, let first = sentinels.first(where: { $0.runID == runID }),
            first.place != sentinel.place
        else { return nil }
        return first.place
    }

    /// What each says, for an operator.
    private var words: String {
        sentinels.map { sentinel in
            let word =
                switch sentinel.word {
                case .names(let address, _):
                    "names \(address)" + (twin(of: sentinel).map { ", as one with \($0)" } ?? "")
                case .knowsNone: "watches no primary called \(name)"
                case .failed(.away), nil: "does not answer"
                case .failed(.refused(let reason)): "refuses this node (\(reason))"
                }
            return "\(sentinel.place) \(word)"
        }.joined(separator: ", ")
    }

    private mutating func say(_ action: Action) -> [Action] {
        guard action != lastSaid else { return [] }
        lastSaid = action
        return [action]
    }
}

import NIOCore

/// The rule by which the words of a Cluster's servers become a table of who has which slot.
///
/// Of two that claim a slot the one with the higher configuration epoch has it, as in the Cluster itself, whoever says so; what one has
/// under one epoch it knows best itself, so that a slot which two give to each other is nobody's. All
/// primaries are asked for their state three times a lease; where a table is in doubt, as by a redirection, a lost link,
/// an epoch that has grown or the passing of some seconds, all are asked for who has what. Once most have answered, their words
/// alone count, so that a Cluster that was made anew with lower epochs is believed as well. A word of another Cluster than the
/// one that is followed, none of whose servers that knows, is left out, and links are made to none but servers that it knows;
/// which one is followed most of the seeds say.
/// Pure: times are arguments.
package struct ClusterMachine: Sendable {
    package typealias Address = RedisConfiguration.Endpoint

    package enum Action: Hashable, Sendable {
        /// To be asked how the Cluster stands.
        case askState(Address)
        /// To be asked who has which slot.
        case askSlots(Address)
        /// All links follow it.
        case use(SlotTable)
        /// Servers with these ids belong to the Cluster, and no others; nil where ids tell nothing.
        case admit(Set<String>?)
        /// Most primaries have said that the Cluster stands, as they were asked at this time or later.
        case confirmed(asked: NIODeadline)
        /// Most have not, for a while; or nobody knows who has what.
        case doubtful(reason: String)
        /// Before anything was known all that answered have said what only an operator can mend.
        case refuse(reason: String)
        /// One of those that the node was told of belongs to another Cluster than the one that is followed.
        case leftOut(Address)
        /// Links to it are not needed any more.
        case forget(Address)
        /// `ticked` is to be called then, besides its turn.
        case wake(at: NIODeadline)
    }

    private struct Server {
        var stateAsked: NIODeadline?
        /// When it was asked for what it said last, if that was that all is well.
        var fine: NIODeadline?
        var slotsAsked = false
        /// As it said last.
        var epoch: Int64?
        var failure: QuestionFailure?
        /// Whether it named nobody who has a slot as it was asked last.
        var knowsNobody = false
        /// Whether it belongs to another Cluster, as it said last.
        var isStranger = false
        /// Whether that was told since it last was of this one, and when it was.
        var isLeftOut = false
        var leftOutAt: NIODeadline?
    }

    private struct Known {
        let primary: ClusterWord.Primary
        /// Whether it says so itself.
        let isOwn: Bool
    }

    private struct Said {
        let place: Address
        let word: ClusterWord
    }

    private struct Round {
        let began: NIODeadline
        var owing: Set<Address>
        var words: [Said] = []
        /// Of another Cluster than the one that is followed.
        var strange: [Said] = []
    }

    private let seeds: [Address]
    private let slots: [KeySlot]
    private let lease: TimeAmount
    private var servers: [Address: Server] = [:]
    /// What is known of each primary, by its id.
    private var known: [String: Known] = [:]
    /// The ids of all that belong to the Cluster that is followed; none before there is one.
    private var members: Set<String> = []
    /// Whether servers call themselves by other ids than others call them.
    private var isMisnamed = false
    /// As was told last.
    private var admitted: Set<String>?
    private var table = SlotTable()
    private var round: Round?
    private var lastRound: NIODeadline?
    private var isInDoubt = true
    /// Since when a seed has named a Cluster, while none is followed.
    private var firstNamed: NIODeadline?
    /// Since when another Cluster is where this one was.
    private var anewSince: NIODeadline?
    private var lastSaid: Action?

    /// Two rounds begin at least this far apart.
    private static let leastPause = TimeAmount.milliseconds(100)
    /// Without any doubt a round begins after this time.
    private static let mostPause = TimeAmount.seconds(5)
    /// Two servers that answer in turn at one address are told of once in this time.
    private static let silence = TimeAmount.seconds(10)
    /// For so long other seeds may contradict the first that names a Cluster.
    private static let contradiction = TimeAmount.milliseconds(500)

    /// - Parameters:
    ///   - slots: those that are asked for.
    ///   - lease: for how long a server's word holds.
    package init(seeds: [Address], slots: [KeySlot], lease: Duration) {
        self.seeds = seeds
        self.slots = slots
        self.lease = TimeAmount(lease)
    }

    /// Whom to ask: the primaries, and the seeds while none is known or when most say nothing.
    private var asked: [Address] {
        guard !table.primaries.isEmpty else { return seeds }
        let silent = table.primaries.filter { servers[$0].map { $0.failure != nil || $0.isStranger } ?? false }
        guard silent.count * 2 >= table.primaries.count else { return table.primaries }
        return table.primaries + seeds.filter { !table.primaries.contains($0) }
    }

    /// Called three times a lease.
    package mutating func ticked(now: NIODeadline) -> [Action] {
        var actions: [Action] = []
        for place in asked where servers[place, default: Server()].stateAsked == nil {
            servers[place, default: Server()].stateAsked = now
            actions.append(.askState(place))
        }
        actions += choose(now: now)
        if let round, now - round.began >= lease { actions += finish(round, now: now) }
        // No server says that somebody has by now what nobody had.
        let isWhole = table.places.count == slots.count && anewSince == nil
        if !isWhole || lastRound.map({ now - $0 >= Self.mostPause }) ?? true { isInDoubt = true }
        return actions + look(now: now) + judge(now: now)
    }

    /// A server has redirected, a link was lost, or a subscription was ended.
    package mutating func doubted(now: NIODeadline) -> [Action] {
        isInDoubt = true
        return choose(now: now) + look(now: now)
    }

    /// A server was asked how the Cluster stands.
    package mutating func answered(_ place: Address, _ state: ClusterState, now: NIODeadline) -> [Action] {
        guard let server = servers[place], let asked = server.stateAsked else { return [] }
        servers[place]?.stateAsked = nil
        servers[place]?.failure = nil
        // Another Cluster's is none of this one's.
        servers[place]?.fine = state.isFine && !server.isStranger ? asked : nil
        if servers[place]?.epoch != state.epoch { isInDoubt = true }
        servers[place]?.epoch = state.epoch
        return look(now: now) + judge(now: now)
    }

    /// A server was asked who has what.
    package mutating func answered(_ place: Address, _ word: ClusterWord, now: NIODeadline) -> [Action] {
        servers[place]?.slotsAsked = false
        servers[place]?.failure = nil
        servers[place]?.knowsNobody = word.primaries.isEmpty
        guard round?.owing.remove(place) != nil else { return look(now: now) }
        var actions: [Action] = []
        if members.isEmpty, !word.primaries.isEmpty {
            round?.words.append(Said(place: place, word: word))
            actions = choose(now: now)
        } else if isStrange(word) {
            servers[place]?.isStranger = true
            servers[place]?.fine = nil
            round?.strange.append(Said(place: place, word: word))
        } else {
            servers[place]?.isStranger = false
            servers[place]?.isLeftOut = false
            round?.words.append(Said(place: place, word: word))
            believe(word)
            actions = admit() + use()
        }
        if let round, round.owing.isEmpty { actions += finish(round, now: now) + look(now: now) }
        return actions
    }

    /// A server could not be asked.
    package mutating func failed(_ place: Address, _ failure: QuestionFailure, now: NIODeadline) -> [Action] {
        servers[place]?.stateAsked = nil
        servers[place]?.slotsAsked = false
        servers[place]?.failure = failure
        servers[place]?.fine = nil
        guard round?.owing.remove(place) != nil else { return judge(now: now) }
        var actions = choose(now: now)
        if let round, round.owing.isEmpty { actions += finish(round, now: now) + look(now: now) }
        return actions + judge(now: now)
    }

    private mutating func look(now: NIODeadline) -> [Action] {
        guard isInDoubt, round == nil else { return [] }
        if let lastRound, now - lastRound < Self.leastPause { return [.wake(at: lastRound + Self.leastPause)] }
        let places = asked.filter { servers[$0]?.slotsAsked != true }
        guard !places.isEmpty else { return [] }
        isInDoubt = false
        lastRound = now
        round = Round(began: now, owing: Set(places))
        var actions: [Action] = []
        for place in places {
            servers[place, default: Server()].slotsAsked = true
            actions.append(.askSlots(place))
            // Who was demoted and promoted again must be known as such soon.
            if servers[place]?.stateAsked == nil {
                servers[place]?.stateAsked = now
                actions.append(.askState(place))
            }
        }
        return actions
    }

    /// Follows the Cluster that most of the seeds name, or of which the most have been heard in a while, the first of two.
    private mutating func choose(now: NIODeadline) -> [Action] {
        guard members.isEmpty, let named = round?.words.filter({ !$0.word.primaries.isEmpty }), !named.isEmpty else {
            return []
        }
        let groups = named.map { one in named.filter { !$0.word.members.isDisjoint(with: one.word.members) } }
        let most = groups.reduce([]) { $0.count < $1.count ? $1 : $0 }
        let since = firstNamed ?? now
        firstNamed = since
        guard most.count * 2 > seeds.count || round?.owing.isEmpty == true || now - since >= Self.contradiction else {
            return [.wake(at: since + Self.contradiction)]
        }
        firstNamed = nil
        for said in most { believe(said.word) }
        for said in named where isStrange(said.word) {
            servers[said.place]?.isStranger = true
            servers[said.place]?.fine = nil
            round?.words.removeAll { $0.place == said.place }
            round?.strange.append(said)
        }
        return admit() + use()
    }

    /// At once, since what has a higher epoch is true whatever others say.
    private mutating func believe(_ word: ClusterWord) {
        Self.take(word, into: &known)
        guard !word.primaries.isEmpty else { return }
        members.formUnion(word.members)
        isMisnamed = isMisnamed || word.isMisnamed
    }

    private mutating func finish(_ round: Round, now: NIODeadline) -> [Action] {
        self.round = nil
        let (words, told) = believed(in: round, now: now)
        guard !words.isEmpty else { return told }
        var said: [String: Known] = [:]
        for word in words { Self.take(word, into: &said) }
        // A seed's word alone serves until those that it names have been asked.
        guard table.primaries.isEmpty || words.count * 2 > table.primaries.count else { return told }
        known = said
        let served = words.filter { !$0.primaries.isEmpty }
        members = served.reduce(into: []) { $0.formUnion($1.members) }
        isMisnamed = served.contains(where: \.isMisnamed)
        return told + admit() + use() + forgetOthers()
    }

    private static func take(_ word: ClusterWord, into known: inout [String: Known]) {
        for primary in word.primaries {
            let isOwn = primary.id == word.speaker
            if let old = known[primary.id] {
                guard primary.epoch >= old.primary.epoch else { continue }
                guard primary.epoch > old.primary.epoch || isOwn || !old.isOwn else { continue }
            }
            known[primary.id] = Known(primary: primary, isOwn: isOwn)
        }
    }

    /// The words of a round that count. Those of another Cluster do only where it is at most of the primaries' addresses for a lease,
    /// and the former one at none: then it was made anew in its place.
    private mutating func believed(in round: Round, now: NIODeadline) -> (words: [ClusterWord], told: [Action]) {
        if let anew = madeAnew(in: round) {
            anewSince = anewSince ?? now
            guard let anewSince, now - anewSince >= lease else { return ([], []) }
            self.anewSince = nil
            for said in anew { servers[said.place]?.isStranger = false }
            return (anew.map(\.word), [])
        }
        anewSince = nil
        var told: [Action] = []
        for said in round.strange where servers[said.place]?.isLeftOut == false {
            servers[said.place]?.isLeftOut = true
            if let last = servers[said.place]?.leftOutAt, now - last < Self.silence { continue }
            servers[said.place]?.leftOutAt = now
            told.append(.leftOut(said.place))
        }
        return (round.words.map(\.word), told)
    }

    /// What is said at most of the primaries' addresses of one other Cluster; nil where one of the former is left.
    private func madeAnew(in round: Round) -> [Said]? {
        let isLeft = round.words.contains { table.primaries.contains($0.place) && !$0.word.primaries.isEmpty }
        guard !isLeft else { return nil }
        let strange = round.strange.filter { table.primaries.contains($0.place) }
        return strange.lazy
            .map { one in strange.filter { !$0.word.members.isDisjoint(with: one.word.members) } }
            .first { $0.count * 2 > table.primaries.count }
    }

    /// Whether a word is of another Cluster than the one that is followed; one of a server that has met no other yet is of none.
    private func isStrange(_ word: ClusterWord) -> Bool {
        !members.isEmpty && !word.primaries.isEmpty && members.isDisjoint(with: word.members)
    }

    /// Links to whoever is not asked any more.
    private mutating func forgetOthers() -> [Action] {
        let needed = Set(table.primaries + seeds)
        let others = servers.keys.filter { !needed.contains($0) }
        for place in others { servers[place] = nil }
        return others.map { .forget($0) }
    }

    private mutating func admit() -> [Action] {
        let next = isMisnamed ? nil : members
        guard next != admitted else { return [] }
        admitted = next
        return [.admit(next)]
    }

    private mutating func use() -> [Action] {
        let primaries = known.values.map(\.primary)
        var places: [KeySlot: Address] = [:]
        for slot in slots {
            let owner = primaries.filter { $0.has(slot) }.max { ($0.epoch, $0.id) < ($1.epoch, $1.id) }
            if let owner { places[slot] = owner.place }
        }
        let owners = primaries.filter { ownsAny($0, beside: primaries) }.sorted { $0.id < $1.id }
        let next = SlotTable(places: places, primaries: owners.map(\.place))
        guard next != table else { return [] }
        table = next
        return [.use(next)]
    }

    /// Whether not all that it claims is another's by a higher epoch.
    private func ownsAny(_ primary: ClusterWord.Primary, beside others: [ClusterWord.Primary]) -> Bool {
        let higher = others.filter { $0.epoch > primary.epoch }.flatMap(\.slots)
        return primary.slots.contains { range in
            // The first that is nobody else's, gone forward to from range to range.
            var slot = Int(range.lowerBound)
            while let other = higher.first(where: { $0.contains(UInt16(slot)) }) {
                slot = Int(other.upperBound) + 1
                if slot > range.upperBound { return false }
            }
            return true
        }
    }

    private mutating func judge(now: NIODeadline) -> [Action] {
        guard !table.primaries.isEmpty else { return doubt() }
        let fine = table.primaries.compactMap { servers[$0]?.fine }.sorted(by: >)
        let majority = table.primaries.count / 2 + 1
        if fine.count >= majority, now - fine[majority - 1] < lease {
            return say(.confirmed(asked: fine[majority - 1]))
        }
        return say(
            .doubtful(
                reason: "\(majority) of \(table.primaries.count) primaries must say that the Cluster stands, and "
                    + "\(fine.count { now - $0 < lease }) do"))
    }

    private mutating func doubt() -> [Action] {
        var reasons: [String] = []
        var (isServed, isRefused) = (false, false)
        for place in seeds {
            switch servers[place]?.failure {
            case .refused(let reason):
                isRefused = true
                reasons.append("\(place) refuses this node (\(reason))")
            case .away: reasons.append("\(place) does not answer")
            case nil:
                // It owes an answer.
                guard servers[place]?.knowsNobody == true else { return [] }
                isServed = true
                reasons.append("\(place) knows of no server that has slots")
            }
        }
        let reason = reasons.joined(separator: ", ")
        return say(isRefused && !isServed ? .refuse(reason: reason) : .doubtful(reason: reason))
    }

    private mutating func say(_ action: Action) -> [Action] {
        guard action != lastSaid else { return [] }
        lastSaid = action
        return [action]
    }
}

import DequeModule

/// The sharded channels of a Cluster: which are wanted, on which server each stands, and what has been sent there, as a
/// machine without I/O.
///
/// A slot stands once all its channels are confirmed by the server that has it. Errors name no channel, so what was sent to
/// a server is kept in order; a `sunsubscribe` that nobody asked for says that the slot has gone from there.
package struct ShardSubscriptions {
    package typealias Address = RedisConfiguration.Endpoint

    package enum Action: Hashable, Sendable {
        case subscribe([String], at: Address)
        case unsubscribe([String], at: Address)
        /// To be echoed behind what was subscribed there.
        case mark(String, at: Address)
        /// Redis has confirmed the channel, in answer to the latest wish for it.
        case confirmed(String)
        case stands(KeySlot, afterBreak: Bool)
        case lost(KeySlot)
        /// Who has the slot is to be found out.
        case doubt
    }

    private enum Standing: Hashable {
        case away
        case asked(Address)
        case stands(Address)

        var place: Address? {
            switch self {
            case .away: nil
            case .asked(let place), .stands(let place): place
            }
        }
    }

    private struct Shard {
        var channels = SubscriptionSet()
        var standing = Standing.away
        /// How often its channels have been asked for as a whole: answers to what was asked before say nothing.
        var turn = 0
        var hasStood = false
    }

    private struct Sent {
        let slot: KeySlot
        let turn: Int
        let isSubscription: Bool
        /// Each is answered by itself, in this order.
        let channels: [String]
        var answered = 0
    }

    private var shards: [KeySlot: Shard] = [:]
    private var table = SlotTable()
    /// What each connected server has not answered yet.
    private var sent: [Address: Deque<Sent>] = [:]

    /// Channels named in one command.
    private static let batch = 500

    package init() {}

    package mutating func wanted(_ channels: [String]) -> [Action] {
        var actions: [Action] = []
        for (slot, names) in Dictionary(grouping: channels, by: { KeySlot(of: $0) }) {
            var fresh: [String] = []
            for name in names {
                switch shards[slot, default: Shard()].channels.subscribe(name) {
                case .send: fresh.append(name)
                case .confirmed: actions.append(.confirmed(name))
                case .wait: break
                }
            }
            guard let shard = shards[slot] else { continue }
            if let place = shard.standing.place {
                actions += send(fresh, slot, isSubscription: true, at: place)
            } else {
                actions += begin(slot)
            }
        }
        return actions
    }

    package mutating func unwanted(_ channels: [String]) -> [Action] {
        var actions: [Action] = []
        for (slot, names) in Dictionary(grouping: channels, by: { KeySlot(of: $0) }) {
            let gone = names.filter { shards[slot]?.channels.unsubscribe($0) == true }
            if let place = shards[slot]?.standing.place {
                actions += send(gone, slot, isSubscription: false, at: place)
            }
        }
        return actions
    }

    package mutating func mapped(_ table: SlotTable) -> [Action] {
        self.table = table
        var actions: [Action] = []
        for slot in shards.keys where shards[slot]?.standing.place.map({ $0 != table[slot] }) ?? true {
            actions += lose(slot) + begin(slot)
        }
        return actions
    }

    package mutating func connected(_ place: Address) -> [Action] {
        sent[place] = []
        return shards.keys.filter { table[$0] == place }.flatMap { begin($0) }
    }

    package mutating func disconnected(_ place: Address) -> [Action] {
        sent[place] = nil
        return shards.keys.filter { shards[$0]?.standing.place == place }.flatMap { lose($0) }
    }

    /// What has failed is tried again.
    package mutating func ticked() -> [Action] {
        shards.keys.filter { shards[$0]?.standing == .away }.flatMap { begin($0) }
    }

    /// Whether what comes from there over a channel of this slot is to be heard.
    package func hears(_ slot: KeySlot, at place: Address) -> Bool { shards[slot]?.standing.place == place }

    /// `ssubscribe` came; nil where it was not asked for.
    package mutating func subscribed(_ channel: String, at place: Address) -> [Action]? {
        guard let answered = answered(channel, at: place, isSubscription: true) else { return nil }
        return take(channel, answered)
    }

    /// `sunsubscribe` came, asked for or not.
    package mutating func unsubscribed(_ channel: String, at place: Address) -> [Action] {
        if let answered = answered(channel, at: place, isSubscription: false) { return take(channel, answered) ?? [] }
        let slot = KeySlot(of: channel)
        guard shards[slot]?.standing.place == place else { return [] }
        return lose(slot) + [.doubt]
    }

    /// An error came in answer to what was sent first; whether it was to a command of this machine.
    package mutating func refused(at place: Address) -> [Action]? {
        guard let first = sent[place]?.popFirst() else { return nil }
        guard first.isSubscription, shards[first.slot]?.turn == first.turn,
            shards[first.slot]?.standing.place == place
        else { return [] }
        return lose(first.slot) + [.doubt]
    }

    /// A mark came back.
    package mutating func marked(_ text: String, at place: Address) -> [Action] {
        let words = text.split(separator: ":")
        guard words.count == 2, let number = UInt16(words[0]), let turn = Int(words[1]) else { return [] }
        let slot = KeySlot(number: number)
        guard let shard = shards[slot], shard.turn == turn, shard.standing == .asked(place) else { return [] }
        shards[slot]?.standing = .stands(place)
        shards[slot]?.hasStood = true
        return [.stands(slot, afterBreak: shard.hasStood)]
    }

    private mutating func begin(_ slot: KeySlot) -> [Action] {
        guard let place = table[slot], sent[place] != nil, shards[slot]?.standing == .away else { return [] }
        let names = shards[slot]?.channels.connected() ?? []
        let turn = (shards[slot]?.turn ?? 0) + 1
        shards[slot]?.turn = turn
        shards[slot]?.standing = .asked(place)
        return send(names, slot, isSubscription: true, at: place) + [.mark("\(slot.number):\(turn)", at: place)]
    }

    private mutating func lose(_ slot: KeySlot) -> [Action] {
        guard let shard = shards[slot], shard.standing != .away else { return [] }
        shards[slot]?.standing = .away
        shards[slot]?.channels.disconnected()
        if case .stands = shard.standing { return [.lost(slot)] }
        return []
    }

    private mutating func send(
        _ names: [String], _ slot: KeySlot, isSubscription: Bool, at place: Address
    ) -> [Action] {
        stride(from: 0, to: names.count, by: Self.batch).map { start in
            let some = Array(names[start..<min(start + Self.batch, names.count)])
            sent[place]?.append(
                Sent(slot: slot, turn: shards[slot]?.turn ?? 0, isSubscription: isSubscription, channels: some))
            return isSubscription ? .subscribe(some, at: place) : .unsubscribe(some, at: place)
        }
    }

    /// Counts one answer to what was sent first, if that was of this kind and is about this channel: a slot's leaving, of
    /// which nobody asked, comes between.
    private mutating func answered(_ channel: String, at place: Address, isSubscription: Bool) -> Sent? {
        guard let first = sent[place]?.first, first.isSubscription == isSubscription,
            first.channels[first.answered] == channel
        else { return nil }
        if first.answered + 1 == first.channels.count {
            sent[place]?.removeFirst()
        } else {
            sent[place]?[0].answered += 1
        }
        return first
    }

    private mutating func take(_ channel: String, _ answered: Sent) -> [Action]? {
        guard let shard = shards[answered.slot], shard.turn == answered.turn, shard.standing != .away else { return [] }
        guard let isSubscribed = shards[answered.slot]?.channels.answered(channel) else { return nil }
        return isSubscribed ? [.confirmed(channel)] : []
    }
}

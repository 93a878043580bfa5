import Synchronization

/// All who read something of a room by one handle; safe from any thread. Where nobody reads nothing is kept.
final class RoomReaders: Sendable {
    fileprivate struct Open {
        var nextID = 0
        var isLeft = false
        var messages: [Int: Reader<MartletClient.Room.Item>] = [:]
        var changes: [Int: Reader<MartletClient.Room.Change>] = [:]
        var members: [Int: Reader<[MartletClient.Member]>] = [:]
        var governing: [Int: Reader<MartletClient.RoomChange>] = [:]
    }

    private let limit: Int
    private let open = Mutex(Open())

    /// - Parameter limit: of what waits for one reader.
    init(limit: Int) {
        self.limit = limit
    }

    var isLeft: Bool { open.withLock { $0.isLeft } }
    var hasMemberReaders: Bool { open.withLock { !$0.members.isEmpty } }

    // MARK: Readers

    func readMessages() -> (id: Int, reader: Reader<MartletClient.Room.Item>) {
        let reader = Reader(
            Backlog<MartletClient.Room.Item>(limit: limit) { item in
                switch item {
                case .message(let message): .gap(after: message.position)
                case .gap: item
                }
            })
        return (open.withLock { $0.add(reader, \.messages) }, reader)
    }

    func readChanges() -> (id: Int, reader: Reader<MartletClient.Room.Change>) {
        let reader = Reader(Backlog<MartletClient.Room.Change>(limit: limit) { _ in .gap })
        return (open.withLock { $0.add(reader, \.changes) }, reader)
    }

    /// A list takes the place of the one before it.
    func readMembers() -> (id: Int, reader: Reader<[MartletClient.Member]>) {
        let reader = Reader(Backlog<[MartletClient.Member]>(limit: 1) { _ in nil })
        return (open.withLock { $0.add(reader, \.members) }, reader)
    }

    func readGoverning() -> (id: Int, reader: Reader<MartletClient.RoomChange>) {
        let reader = Reader(Backlog<MartletClient.RoomChange>(limit: limit) { _ in nil })
        return (open.withLock { $0.add(reader, \.governing) }, reader)
    }

    func end(_ id: Int) {
        open.withLock { open in
            open.messages[id] = nil
            open.changes[id] = nil
            open.members[id] = nil
            open.governing[id] = nil
        }
    }

    // MARK: What they are told

    func tell(_ item: MartletClient.Room.Item) {
        for reader in open.withLock({ Array($0.messages.values) }) { reader.append(item) }
    }

    func tell(_ change: MartletClient.Room.Change) {
        for reader in open.withLock({ Array($0.changes.values) }) { reader.append(change) }
    }

    func tell(_ change: MartletClient.RoomChange) {
        for reader in open.withLock({ Array($0.governing.values) }) { reader.append(change) }
    }

    func tell(_ members: [MartletClient.Member]) {
        for reader in open.withLock({ Array($0.members.values) }) { reader.append(members) }
    }

    /// Ends whatever is being read.
    func finish() {
        let readers = open.withLock { open in
            defer { (open.messages, open.changes, open.members, open.governing) = ([:], [:], [:], [:]) }
            return open
        }
        for reader in readers.messages.values { reader.finish() }
        for reader in readers.changes.values { reader.finish() }
        for reader in readers.members.values { reader.finish() }
        for reader in readers.governing.values { reader.finish() }
    }

    /// Ends it for good; answers false where that was done before.
    func leave() -> Bool {
        let isFirst = open.withLock { open in
            defer { open.isLeft = true }
            return !open.isLeft
        }
        finish()
        return isFirst
    }
}

extension RoomReaders.Open {
    fileprivate mutating func add<Element>(
        _ reader: Reader<Element>, _ place: WritableKeyPath<RoomReaders.Open, [Int: Reader<Element>]>
    ) -> Int {
        nextID += 1
        self[keyPath: place][nextID] = reader
        return nextID
    }
}

/// Something for each of a few rooms: of one without memory of its own, as small as an array while they are few, found
/// without a search when they are many.
package struct RoomTable<Value: Sendable>: Sendable {
    package typealias Element = (key: RoomName, value: Value)

    @usableFromInline enum Storage: Sendable {
        case none
        case one(RoomName, Value)
        case few([Element])
        case many([RoomName: Value])
    }

    @usableFromInline var storage = Storage.none

    /// So many are searched one by one.
    private static var searched: Int { 8 }

    package init() {}

    package var count: Int {
        switch storage {
        case .none: 0
        case .one: 1
        case .few(let list): list.count
        case .many(let table): table.count
        }
    }

    package var isEmpty: Bool { count == 0 }

    package var keys: [RoomName] {
        switch storage {
        case .none: []
        case .one(let room, _): [room]
        case .few(let list): list.map { $0.key }
        case .many(let table): Array(table.keys)
        }
    }

    package subscript(room: RoomName) -> Value? {
        /// Seen through by other modules, which else would call it unspecialized several times for each join.
        @inlinable get {
            switch storage {
            case .none: nil
            case .one(let known, let value): known == room ? value : nil
            case .few(let list): list.first { $0.key == room }?.value
            case .many(let table): table[room]
            }
        }
        set {
            if let newValue { put(newValue, room) } else { removeValue(forKey: room) }
        }
    }

    @discardableResult
    package mutating func removeValue(forKey room: RoomName) -> Value? {
        switch take() {
        case .none:
            return nil
        case .one(let known, let value):
            guard known != room else { return value }
            storage = .one(known, value)
            return nil
        case .few(var list):
            defer { storage = list.count == 1 ? .one(list[0].key, list[0].value) : .few(list) }
            return list.firstIndex { $0.key == room }.map { list.remove(at: $0).value }
        case .many(var table):
            defer { storage = table.isEmpty ? .none : .many(table) }
            return table.removeValue(forKey: room)
        }
    }

    private mutating func put(_ value: Value, _ room: RoomName) {
        switch take() {
        case .none:
            storage = .one(room, value)
        case .one(let known, let before):
            storage = known == room ? .one(room, value) : .few([(known, before), (room, value)])
        case .few(var list):
            if let place = list.firstIndex(where: { $0.key == room }) {
                list[place].value = value
            } else {
                list.append((room, value))
            }
            let isLong = list.count > RoomTable.searched
            storage = isLong ? .many(Dictionary(uniqueKeysWithValues: list.map { ($0.key, $0.value) })) : .few(list)
        case .many(var table):
            table[room] = value
            storage = .many(table)
        }
    }

    /// Takes the storage out, so that a change of it copies nothing.
    private mutating func take() -> Storage {
        defer { storage = .none }
        return storage
    }
}

extension RoomTable: Sequence {
    package func makeIterator() -> AnyIterator<Element> {
        switch storage {
        case .none:
            return AnyIterator { nil }
        case .one(let room, let value):
            return AnyIterator(CollectionOfOne((key: room, value: value)).makeIterator())
        case .few(let list):
            return AnyIterator(list.makeIterator())
        case .many(let table):
            var rest = table.makeIterator()
            return AnyIterator { rest.next().map { ($0.key, $0.value) } }
        }
    }
}

/// A connection's number within its hub.
package typealias ConnectionNumber = UInt64

/// A connection by its number.
package protocol Numbered: AnyObject {
    var number: ConnectionNumber { get }
}

/// Connections of one loop, each at most once: as small as an array while they are few, and left without a search when
/// they are many.
struct ConnectionList<Member: Numbered> {
    private enum Storage {
        case few([Member])
        case many(Crowd)
    }

    /// A list that knows where each one stands. It has one holder, the list whose storage it is.
    private final class Crowd {
        var members: [Member]
        var slots: [ConnectionNumber: Int] = [:]

        init(_ members: [Member]) {
            self.members = members
            for (slot, member) in members.enumerated() { slots[member.number] = slot }
        }
    }

    private var storage = Storage.few([])

    private static var searchedMembers: Int { 16 }

    var members: [Member] {
        switch storage {
        case .few(let members): members
        case .many(let crowd): crowd.members
        }
    }

    var isEmpty: Bool {
        switch storage {
        case .few(let members): members.isEmpty
        case .many(let crowd): crowd.members.isEmpty
        }
    }

    func contains(_ number: ConnectionNumber) -> Bool {
        switch storage {
        case .few(let members): members.contains { $0.number == number }
        case .many(let crowd): crowd.slots[number] != nil
        }
    }

    /// Whether it was not there before.
    mutating func add(_ member: Member) -> Bool {
        guard !contains(member.number) else { return false }
        switch storage {
        case .few(var members):
            // So that the list has one holder, which appends in place.
            storage = .few([])
            members.append(member)
            storage = members.count > ConnectionList.searchedMembers ? .many(Crowd(members)) : .few(members)
        case .many(let crowd):
            crowd.slots[member.number] = crowd.members.count
            crowd.members.append(member)
        }
        return true
    }

    /// The one that was taken out, if any; another may take its place.
    mutating func remove(_ number: ConnectionNumber) -> Member? {
        switch storage {
        case .few(var members):
            guard let slot = members.firstIndex(where: { $0.number == number }) else { return nil }
            storage = .few([])
            members.swapAt(slot, members.count - 1)
            let removed = members.removeLast()
            storage = .few(members)
            return removed
        case .many(let crowd):
            guard let slot = crowd.slots.removeValue(forKey: number) else { return nil }
            crowd.members.swapAt(slot, crowd.members.count - 1)
            let removed = crowd.members.removeLast()
            if slot < crowd.members.count { crowd.slots[crowd.members[slot].number] = slot }
            if crowd.members.isEmpty { storage = .few([]) }
            return removed
        }
    }
}

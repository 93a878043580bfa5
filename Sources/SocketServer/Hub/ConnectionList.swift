/// A connection's number within its hub.
package typealias ConnectionNumber = UInt64

/// A connection by its number.
package protocol Numbered: AnyObject {
    var number: ConnectionNumber { get }
}

/// Connections of one loop, each at most once: as small as an array while they are few, and left without a search when
/// they are many.
struct ConnectionList<Member: Numbered> {
    private(set) var members: [Member] = []
    /// Where each one stands; empty while a search is as cheap.
    private var slots: [ConnectionNumber: Int] = [:]

    private static var searchedMembers: Int { 16 }

    var isEmpty: Bool { members.isEmpty }

    func contains(_ number: ConnectionNumber) -> Bool { slot(of: number) != nil }

    /// Whether it was not there before.
    mutating func add(_ member: Member) -> Bool {
        guard slot(of: member.number) == nil else { return false }
        members.append(member)
        if !slots.isEmpty {
            slots[member.number] = members.count - 1
        } else if members.count > ConnectionList.searchedMembers {
            for (slot, member) in members.enumerated() { slots[member.number] = slot }
        }
        return true
    }

    /// The one that was taken out, if any; another may take its place.
    mutating func remove(_ number: ConnectionNumber) -> Member? {
        guard let slot = slot(of: number) else { return nil }
        slots[number] = nil
        let removed = members[slot]
        let last = members.removeLast()
        guard last.number != number else { return removed }
        members[slot] = last
        if !slots.isEmpty { slots[last.number] = slot }
        return removed
    }

    private func slot(of number: ConnectionNumber) -> Int? {
        slots.isEmpty ? members.firstIndex { $0.number == number } : slots[number]
    }
}

import GatewayCore

/// One page of a room's members, put together of steps of HSCAN.
///
/// What a step brings depends on what is in the hash by then, so that a page ends between two steps, and what came before its
/// place has been told whatever becomes of the hash. One that cannot hold what a single step brings, such as all of a small
/// room, tells the first of it by name; the next leaves those out as far as that step went and no farther. Nobody who is there
/// all the while is left out; some are told twice where the hash has changed its size meanwhile, and all where another server
/// answers than before, in whose order the place means nothing.
package struct MemberWalk {
    /// Steps that a page takes at most: one may bring less than it was asked for.
    private static let steps = 8

    private let limit: Int
    private var place: MemberCursor
    private var taken = 0
    /// What the next step is asked for where the last brought too much.
    private var narrowed: Int?
    private var seen: Set<UserID> = []
    package private(set) var members: [Member] = []
    package private(set) var isOver = false
    /// Nil where nobody is left, or the walk is not over.
    package private(set) var next: MemberCursor?

    package init(from place: MemberCursor, limit: Int) {
        self.place = place
        self.limit = limit
    }

    /// Where the next step begins.
    package var from: UInt64 { place.scan }

    /// How many members it is asked for, about.
    package var count: Int {
        // What is in no smaller step came in parts: one that goes farther would not tell which those are.
        if let told = place.told, told.end != 0 { return 1 }
        // Somewhat less than there is room for, since a step goes on until it has so many and brings what lies at its end.
        return narrowed ?? max(1, wanted - wanted / 8)
    }

    /// Whether the next step has to say which server it is taken at: only one that brings all at once need not.
    ///
    /// - Parameter size: how many members the room has, about.
    package func mustName(ofRoomOf size: Int) -> Bool { place.scan != 0 || place.told != nil || size > count }

    private var wanted: Int { limit - members.count }

    package mutating func take(_ step: MembersScan) {
        taken += 1
        let isStart = place.scan == 0 && place.told == nil
        guard isStart || step.server != nil && step.server == place.server else { return begin() }
        let told = place.told.flatMap { MemberCursor.isPast(step.next, $0.end) ? nil : $0 }
        let found = step.members.filter { !seen.contains($0.userId) && told?.has($0) != true }
            .sorted { MemberCursor.isBefore($0.userId.string, $1.userId.string) }
        guard found.count <= wanted else { return refuse(found, of: step) }
        add(found[...])
        narrowed = nil
        place = MemberCursor(server: step.server, scan: step.next, told: told?.end == step.next ? nil : told)
        if step.next == 0 {
            isOver = true
        } else if wanted == 0 || taken == MemberWalk.steps {
            end()
        }
    }

    /// All from the beginning; whom this page has told already it does not tell again.
    private mutating func begin() {
        (place, narrowed) = (.start, nil)
        if taken == MemberWalk.steps { end() }
    }

    private mutating func refuse(_ found: [Member], of step: MembersScan) {
        let isWhole = place.scan == 0 && step.next == 0
        if count > 1, !isWhole, taken < MemberWalk.steps {
            narrowed = max(1, count / 8)
        } else {
            if members.isEmpty, let last = found.prefix(wanted).last {
                add(found.prefix(wanted))
                place.server = step.server
                place.told = MemberCursor.Told(end: step.next, after: last.userId.string)
            }
            end()
        }
    }

    private mutating func add(_ found: ArraySlice<Member>) {
        members += found
        seen.formUnion(found.map(\.userId))
    }

    private mutating func end() {
        (isOver, next) = (true, place)
    }
}

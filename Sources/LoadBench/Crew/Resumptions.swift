/// The sessions that members come back with, and who has yet to come back.
struct Resumptions {
    /// By room: the epoch of its stream.
    var epochs: [String]
    /// By member: the head of its room when it was resumed.
    var heads: [UInt64] = []
    /// The next member to look at; nil while nobody is to come back.
    var next: Int?
    /// How many are cut off and have not begun to come back.
    var away = 0

    /// By member.
    private var sessions: [String] = []
    /// Whether members have been cut off.
    private(set) var hasBegun = false

    init(rooms: Int) {
        epochs = Array(repeating: "", count: rooms)
    }

    mutating func keep(_ session: String, of member: Int) {
        if member >= sessions.count { sessions += repeatElement("", count: member + 1 - sessions.count) }
        sessions[member] = session
    }

    /// What a member says that it had before; nil before the first cut.
    func session(of member: Int) -> String? { hasBegun && member < sessions.count ? sessions[member] : nil }

    mutating func cut(members: Int) {
        hasBegun = true
        next = nil
        heads = Array(repeating: 0, count: members)
    }
}

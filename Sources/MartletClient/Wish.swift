import GatewayCore

/// A room that somebody holds: it is joined on every connection until nobody does.
struct Wish: Sendable {
    let room: RoomName
    /// What is told to each of those who hold it.
    var handles: [ObjectIdentifier: RoomReaders] = [:]
    /// To be joined with, once.
    var since: ClientPosition?
    /// Why it is not joined, until another connection or token.
    var refusal: MartletClient.Failure?
    /// Whether it has been joined before.
    var wasJoined = false
    var roster = Roster()

    var hasMemberReaders: Bool { handles.values.contains { $0.hasMemberReaders } }

    func tell(_ item: MartletClient.Room.Item) { for readers in handles.values { readers.tell(item) } }

    func tell(_ change: MartletClient.Room.Change) { for readers in handles.values { readers.tell(change) } }

    func tell(_ change: MartletClient.RoomChange) { for readers in handles.values { readers.tell(change) } }

    func tellMembers() {
        guard let members = roster.members else { return }
        for readers in handles.values { readers.tell(members) }
    }

    /// Ends whatever is being read.
    func finish() { for readers in handles.values { readers.finish() } }
}

import GatewayCore
import NIOCore

/// Rosters of rooms as members that know no versions of them are told of them: of steps that were lost by what two readings
/// differ by.
extension Hub {
    /// Longer than a Redis that was emptied takes to be given back what it had.
    private static let patience = TimeAmount.seconds(10)

    /// Tells of steps as they come, or of the roster's having changed unseen where there are none.
    func tell(_ change: RosterChange, to others: OtherMembers) {
        guard change.events.isEmpty else { return tell(RosterPortion(change), to: others) }
        guard let receipt = others.roster?.lose(at: change.version) else { return }
        follow(receipt, RosterPortion(change), to: others)
    }

    func tell(_ steps: RosterPortion, to others: OtherMembers) {
        guard let receipt = others.roster?.receive(steps) else { return }
        follow(receipt, steps, to: others)
    }

    private func follow(_ receipt: ToldRoster.Receipt, _ steps: RosterPortion, to others: OtherMembers) {
        switch receipt {
        case .nothing: break
        case .tell(let known): tell(steps, to: others, from: known)
        case .lost(let known): tell(RosterPortion(lost: steps.change, from: known), to: others, from: known)
        case .behind:
            let room = steps.change.room
            eventLoop.scheduleTask(in: Hub.patience) { [self] in
                if rooms[room]?.others?.roster?.isOverdue() == true { readAgain(room) }
            }
        case .read: readAgain(steps.change.room)
        }
    }

    private func tell(_ steps: RosterPortion, to others: OtherMembers, from known: Int64) {
        let written = WrittenSteps(steps.change, in: others.dialect, by: writer)
        sendAway(others.tell(steps, written, from: known))
    }

    // MARK: Reading

    func readAgain(_ room: RoomName) {
        rosterReads.add(room)
        readRosters()
    }

    private func readRosters() {
        while let room = rosterReads.next() {
            guard rooms[room]?.others?.roster != nil else {
                rosterReads.ended()
                continue
            }
            // It ends by itself, with an answer: the directory gives one within its own time.
            Task { [self] in
                do throws(DirectoryError) {
                    enqueue(.roster(room, .success(try await presenceDirectory.roster(of: room))))
                } catch {
                    enqueue(.roster(room, .failure(error)))
                }
            }
        }
    }

    func rosterRead(_ room: RoomName, _ result: Result<ReadRoster, DirectoryError>) {
        rosterReads.ended()
        defer { readRosters() }
        guard let hubRoom = rooms[room], let others = hubRoom.others else { return }
        guard case .success(let found) = result else { return readLater(room, others) }
        let change = RosterChange(
            room: room, events: [], members: found.members.count, version: found.version, timestamp: wallMilliseconds)
        switch others.roster?.read(found.members, of: change) {
        case .tell(let portions): for portion in portions { tell(portion, to: others, from: portion.first) }
        case .again: readLater(room, others)
        case .nothing, nil: break
        }
    }

    private func readLater(_ room: RoomName, _ others: OtherMembers) {
        guard let pause = others.roster?.pause(fraction: .random(in: 0...1)) else { return }
        eventLoop.scheduleTask(in: .nanoseconds(pause.nanoseconds)) { [self] in readAgain(room) }
    }

    // MARK: Newcomers

    /// Whether one that has read who is in a room is not told so yet, since it could not be told what comes behind that: it
    /// reads it again once what was lost is known.
    func waitsForRoster(_ connection: SocketHandler, _ answer: SessionMachine.Answer) -> Bool {
        guard case .rosterRead(var joined, let id, .success(let version)) = answer, connection.isOpen,
            let others = rooms[joined.room]?.others, others.mustReadAgain(connection, knows: version)
        else { return false }
        joined.members = nil
        retryLater(.newcomer(PageRead(connection: connection, id: id, subject: .roster(joined))))
        return true
    }

    /// At a tick.
    func reconsider(_ page: PageRead) {
        guard case .roster(let joined) = page.subject, page.connection.isOpen else { return }
        if rooms[joined.room]?.others?.roster?.isBehind == true { return retryLater(.newcomer(page)) }
        read(page)
    }
}

/// All members of a room.
struct ReadRoster: Sendable {
    var members: [Member] = []
    /// Of the roster that they are at least.
    var version = Int64.max
}

extension PresenceDirectory {
    /// Page by page.
    func roster(of room: RoomName) async throws(DirectoryError) -> ReadRoster {
        var found = ReadRoster()
        var known: Set<UserID> = []
        var cursor: String?
        repeat {
            let page = try await members(of: room, limit: 1000, cursor: cursor)
            found.version = min(found.version, page.rosterVersion)
            found.members += page.members.filter { known.insert($0.userId).inserted }
            cursor = page.next
        } while cursor != nil
        return found
    }
}

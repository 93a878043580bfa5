import Dialects
import GatewayCore
import NIOCore

/// Members that speak another dialect than the gateway's own. They have no positions: what is missed is missed.
extension Hub {
    /// Messages wait for each other up to this size, as for all members.
    private static let outgoingLimitBytes = 1 << 16

    // MARK: The way in

    /// What a subscriber to the last message of a room is answered with.
    static let lastMessage = Portion(bytes: 1 << 17, atLeastOne: true)

    /// A listener becomes a member at once.
    func enterOther(_ listener: Listener, isKept: Bool) {
        let hubRoom = listener.room
        // What is on its way to the members is not for this one.
        send(hubRoom)
        hubRoom.stopAwaiting(listener)
        end(listener)
        hubRoom.addOther(listener.connection, isKept: isKept)
        guard isKept, let others = hubRoom.others, others.roster == nil else { return }
        let told = hubRoom.bundle.flatMap { $0.steps.isEmpty ? nil : $0.steps.first } ?? hubRoom.roster?.version
        others.roster = ToldRoster(at: told ?? 0)
    }

    /// - Parameter joined: with all who are in the room, as the connection has been told.
    func release(_ joined: Joined, to connection: SocketHandler, knows version: Int64) {
        guard let hubRoom = rooms[joined.room], let others = hubRoom.others else { return }
        send(hubRoom)
        guard let kept = others.release(connection, who: joined.members ?? [], knows: version) else {
            return sendAway([connection])
        }
        connection.writeApart(kept)
    }

    func enroll(_ connection: SocketHandler, _ enrollment: Enrollment, as member: Identity) {
        let id = connection.id.description
        presence.join(enrollment.room, connection: id, as: member.userId, info: member.info) { [self] result in
            enqueue(.answer(connection, .enrolled(enrollment, result: result)))
        }
    }

    /// Reads all who are in a room in a short task; the steps behind the first page's version are told again.
    func readRoster(_ joined: Joined, id: RequestID?, for connection: SocketHandler) {
        Task { [self] in
            var whole = joined
            do throws(DirectoryError) {
                let found = try await presenceDirectory.roster(of: joined.room)
                whole.members = found.members
                let answer = SessionMachine.Answer.rosterRead(whole, id: id, result: .success(found.version))
                enqueue(.answer(connection, answer, ends: .pageRead))
            } catch {
                enqueue(.answer(connection, .rosterRead(joined, id: id, result: .failure(error)), ends: .pageRead))
            }
        }
    }

    // MARK: Messages

    /// One more for the end of the turn.
    func append(_ message: RoomMessage, to others: OtherMembers, of hubRoom: HubRoom) {
        if hubRoom.members.isEmpty {
            if others.outgoing == nil { sending.add(hubRoom) }
            hubRoom.position = message.position
        }
        var buffer = others.outgoing ?? ByteBuffer()
        others.outgoing = nil
        writer.write(.message(message), in: others.dialect, into: &buffer)
        others.outgoing = buffer
        others.outgoingMessages += 1
        guard buffer.readableBytes >= Hub.outgoingLimitBytes else { return }
        send(hubRoom)
        feedOverfull()
    }

    func send(to others: OtherMembers) {
        guard let frames = others.outgoing else { return }
        others.outgoing = nil
        for member in others.members { others.write(frames, to: member) }
        countDeliveredToOthers(others.outgoingMessages * others.members.count)
        others.outgoingMessages = 0
    }

    /// A message by itself, which one of them may not be sent.
    func send(_ message: RoomMessage, to others: OtherMembers, but leftOut: SocketHandler?) {
        let frames = writer.frames(.message(message), in: others.dialect)
        for member in others.members where member !== leftOut {
            others.write(frames, to: member)
            countDeliveredToOthers(1)
        }
    }

    private static let restBetweenLosses = Duration.seconds(30)

    /// Messages of a room are lost to its members, who are nowhere told what there is: they are sent away, by which pages that
    /// want to have all know that there may be more to fetch.
    func tellLoss(to others: OtherMembers, of room: RoomName) {
        if let count = lossesTold.happened(at: now) {
            logger.warning(
                "messages were lost to clients of an app, which are to come back",
                metadata: ["roomId": "\(room)", "clients": "\(others.members.count)", "losses": "\(count)"])
        }
        // Who has just come back is not sent away again at once: a loop that is too far behind would do nothing else.
        sendAway(others.members.filter { now - $0.began >= Hub.restBetweenLosses })
    }

    /// Tells some of a room's members how many connections are in it; what was held back goes first.
    func tellCount(_ connections: Int, of room: RoomName, to listed: (OtherMembers) -> [SocketHandler]) {
        guard let hubRoom = rooms[room], let others = hubRoom.others else { return }
        let members = listed(others)
        guard !members.isEmpty else { return }
        send(hubRoom)
        let frames = writer.frames(.counted(room, connections: connections), in: others.dialect)
        guard frames.readableBytes > 0 else { return }
        for member in members { others.write(frames, to: member) }
    }

    /// Each at its time, so that they do not all come back at once.
    func sendAway(_ members: [SocketHandler]) {
        for member in members where !member.machine.isSentAway {
            let pause = departures.next(now: now, perSecond: configuration.drainRate)
            member.drain(afterMilliseconds: Int(pause.milliseconds))
        }
    }
}

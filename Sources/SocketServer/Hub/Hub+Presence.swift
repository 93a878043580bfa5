import GatewayCore
import NIOCore

/// Who comes and goes in rooms, and signals between members.
extension Hub {
    private static let bundleTime = TimeAmount.milliseconds(250)

    /// A followed room's roster has changed.
    func take(_ change: RosterChange) {
        guard let hubRoom = rooms[change.room] else { return }
        hubRoom.roster = RosterState(members: change.members, version: change.version, timestamp: change.timestamp)
        guard !hubRoom.members.isEmpty else { return }
        guard change.members > configuration.presenceBundleAbove, !change.events.isEmpty else {
            tellBundle(of: hubRoom)
            return tell(change, in: hubRoom)
        }
        bundle(change, in: hubRoom)
    }

    /// Tells every member that may know of it, but not the connection that made the step.
    private func tell(_ change: RosterChange, in hubRoom: HubRoom) {
        let makers = change.events.compactMap { $0.connection.flatMap { ConnectionID($0) } }
        let isOpen = settings.showsPresence(in: hubRoom.name)
        let buffer = frame(.presence(change))
        for member in hubRoom.members where member.machine.seesPresence(in: hubRoom.name, ruled: isOpen) {
            guard makers.contains(member.id) else {
                member.write(buffer)
                continue
            }
            var others = change
            others.events.removeAll { $0.connection.flatMap { ConnectionID($0) } == member.id }
            if !others.events.isEmpty { member.write(frame(.presence(others))) }
        }
    }

    // MARK: Bundles

    private func bundle(_ change: RosterChange, in hubRoom: HubRoom) {
        if let bundle = hubRoom.bundle {
            bundle.add(change)
        } else {
            hubRoom.bundle = RosterBundle(change)
            bundling.append(hubRoom)
            if bundling.count == 1 {
                eventLoop.scheduleTask(in: Hub.bundleTime) { [self] in
                    tellBundles()
                    flush()
                }
            }
        }
        if hubRoom.bundle?.isFull == true { tellBundle(of: hubRoom) }
    }

    private func tellBundles() {
        let due = bundling
        bundling = []
        for hubRoom in due { tellBundle(of: hubRoom) }
    }

    /// Tells what has been gathered for a room, if anything; whoever entered meanwhile gets only what came after.
    func tellBundle(of hubRoom: HubRoom) {
        guard let bundle = hubRoom.bundle else { return }
        hubRoom.bundle = nil
        let isOpen = settings.showsPresence(in: hubRoom.name)
        let buffer = frame(bundle, latest: bundle.events.count)
        let compressed = hubRoom.compressingMembers > 0 ? frameAgain(buffer) : buffer
        for member in hubRoom.members where member.machine.seesPresence(in: hubRoom.name, ruled: isOpen) {
            if let known = bundle.newcomers[member.number] {
                let count = bundle.count(after: known)
                guard count > 0 else { continue }
                member.write(frame(bundle, latest: count))
                // Each newcomer has a frame of its own; hundreds of them at once would take tens of megabytes.
                member.flushIfDirty()
            } else {
                member.write(member.isCompressing ? compressed : buffer)
            }
        }
    }

    // MARK: Signals

    /// Hands a signal to the user's connections of this loop that are in the room; the inbox knows which those are.
    func take(_ signal: Signal) {
        guard let inbox = rooms[RoomName(inboxOf: signal.to)] else { return }
        var receivers: [ConnectionNumber: SocketHandler] = [:]
        for member in inbox.members { receivers[member.number] = member }
        for (number, listener) in inbox.pending { receivers[number] = listener.connection }
        var buffer: ByteBuffer?
        for receiver in receivers.values where receiver.machine.takesSignals(in: signal.room) {
            let frame = buffer ?? frame(.signal(signal))
            buffer = frame
            receiver.write(frame)
        }
    }
}

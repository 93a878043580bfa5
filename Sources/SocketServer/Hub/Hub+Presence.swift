import GatewayCore
import NIOCore

/// Who comes and goes in rooms, and signals between members.
extension Hub {
    private static let bundleTime = TimeAmount.milliseconds(250)

    /// A followed room's roster has changed.
    func receive(_ change: RosterChange) {
        guard let hubRoom = rooms[change.room] else { return }
        hubRoom.roster = RosterState(members: change.members, version: change.version, timestamp: change.timestamp)
        guard hubRoom.hasMembers else {
            hubRoom.bundle?.restart(after: change)
            return
        }
        if let bundle = hubRoom.bundle, change.events.isEmpty || !bundle.isContinued(by: change) {
            tellBundle(of: hubRoom)
            bundle.restart(after: change)
            return tell(change, in: hubRoom)
        }
        guard !change.events.isEmpty else { return tell(change, in: hubRoom) }
        if change.members > configuration.presenceBundleAbove || !isToldAtOnce(change, hubRoom.bundle) {
            bundle(change, in: hubRoom)
        } else {
            let bundle = hubRoom.bundle ?? openBundle(of: hubRoom, after: change)
            bundle.restart(after: change)
            for event in change.events { bundle.pace.told(event.userId, now: now) }
            bundle.told(change.events, now: now)
            tell(change, in: hubRoom)
        }
    }

    /// As `seesPresence`, for one of many members; `ruled` as the machine has it.
    private func sees(_ member: SocketHandler, in hubRoom: HubRoom, ruled: Bool) -> Bool {
        guard member.machine.seesPresence(in: hubRoom.name, ruled: ruled) else { return false }
        return !hubRoom.isGoverned || hubRoom.outlook.showsPresence(to: member.machine.identity?.userId)
    }

    /// Whether nothing waits before it, and none of its users has been told of just now.
    private func isToldAtOnce(_ change: RosterChange, _ bundle: RosterBundle?) -> Bool {
        guard let bundle else { return true }
        guard bundle.allowsUpdates(now: now) || !change.events.contains(where: { $0.kind == .update }) else {
            return false
        }
        return bundle.steps.isEmpty && change.events.allSatisfy { bundle.pace.allowsAtOnce($0.userId, now: now) }
    }

    /// Tells every member that may know of it, but not the connection that made the step.
    private func tell(_ change: RosterChange, in hubRoom: HubRoom) {
        if let others = hubRoom.others { tell(change, to: others) }
        guard !hubRoom.members.isEmpty else { return }
        let makers = change.events.compactMap { $0.connection.flatMap { ConnectionID($0) } }
        let isOpen = settings.showsPresence(in: hubRoom.name)
        let buffer = writer.frame(.presence(change))
        for member in hubRoom.members where sees(member, in: hubRoom, ruled: isOpen) {
            guard makers.contains(member.id) else {
                member.write(buffer)
                continue
            }
            var others = change
            others.events.removeAll { $0.connection.flatMap { ConnectionID($0) } == member.id }
            if !others.events.isEmpty { member.write(writer.frame(.presence(others))) }
        }
    }

    // MARK: Bundles

    private func bundle(_ change: RosterChange, in hubRoom: HubRoom) {
        var before = change
        before.version -= Int64(change.events.count)
        let bundle = hubRoom.bundle ?? openBundle(of: hubRoom, after: before)
        bundle.add(change)
        if bundle.steps.isFull { tellBundle(of: hubRoom) }
    }

    private func openBundle(of hubRoom: HubRoom, after change: RosterChange) -> RosterBundle {
        let bundle = RosterBundle(after: change)
        hubRoom.bundle = bundle
        if bundling.add(hubRoom) { scheduleBundles() }
        return bundle
    }

    private func scheduleBundles() {
        eventLoop.scheduleTask(in: Hub.bundleTime) { [self] in
            tellBundles()
            flush()
        }
    }

    private func tellBundles() {
        let now = now
        for hubRoom in bundling.takeAll() {
            guard let bundle = hubRoom.bundle else { continue }
            bundle.pace.forget(now: now)
            if bundle.steps.isEmpty, bundle.pace.isEmpty, bundle.allowsUpdates(now: now) {
                hubRoom.bundle = nil
                continue
            }
            let mayTell =
                bundle.steps.hasUpdates
                ? bundle.allowsUpdates(now: now) : bundle.steps.users.allSatisfy { bundle.pace.allows($0, now: now) }
            if mayTell { tellBundle(of: hubRoom) }
            _ = bundling.add(hubRoom)
        }
        if !bundling.isEmpty { scheduleBundles() }
    }

    /// Tells what has been gathered for a room, if anything; whoever entered meanwhile gets only what came after.
    private func tellBundle(of hubRoom: HubRoom) {
        guard let bundle = hubRoom.bundle, !bundle.steps.isEmpty else { return }
        let isOpen = settings.showsPresence(in: hubRoom.name)
        let change = bundle.change(after: bundle.steps.first)
        if let others = hubRoom.others { tell(RosterPortion(change, of: bundle.steps), to: others) }
        let written = bundle.written()
        let buffer = writer.frame(.presence(change))
        let compressed = hubRoom.compressingMembers > 0 ? writer.frameAgain(buffer) : buffer
        for member in hubRoom.members where sees(member, in: hubRoom, ruled: isOpen) {
            if let known = bundle.newcomers[member.number] {
                guard known < bundle.steps.last else { continue }
                if let written {
                    let count = Int(clamping: bundle.steps.last - known)
                    member.write(writer.frame(bundle.latest, events: written.suffix(count)))
                } else {
                    member.write(writer.frame(.presence(bundle.change(after: known))))
                }
                // Each newcomer has a frame of its own; hundreds of them at once would take tens of megabytes.
                member.flushIfDirty()
            } else {
                member.write(member.isCompressing ? compressed : buffer)
            }
        }
        // A large room's steps are never told at once: the clock alone keeps their pace.
        if bundle.latest.members <= configuration.presenceBundleAbove {
            for event in change.events { bundle.pace.told(event.userId, now: now) }
        }
        bundle.told(change.events, now: now)
        bundle.restart()
    }

    /// Tells one member what has been gathered for its room, and nothing of it again.
    func tellBundle(of hubRoom: HubRoom, to member: SocketHandler) {
        guard let bundle = hubRoom.bundle, member.dialect == nil, hubRoom.hasMember(member.number) else { return }
        let known = bundle.newcomers[member.number] ?? bundle.steps.first
        guard known < bundle.steps.last else { return }
        if seesPresence(member, in: hubRoom) {
            member.write(writer.frame(.presence(bundle.change(after: known))))
        }
        bundle.record(member.number, knows: bundle.steps.last)
    }

    // MARK: Signals

    /// Hands a signal to the user's connections of this loop that are in the room; the inbox knows which those are.
    func receive(_ signal: Signal) {
        guard let inbox = rooms[RoomName(inboxOf: signal.to)] else { return }
        var receivers: [ConnectionNumber: SocketHandler] = [:]
        for member in inbox.members { receivers[member.number] = member }
        for connection in inbox.pending.connections where connection.dialect == nil {
            receivers[connection.number] = connection
        }
        var buffer: ByteBuffer?
        for receiver in receivers.values where receiver.machine.takesSignals(in: signal.room) {
            // Nothing keeps a signal: one that its receiver does not read is lost to it rather than kept without end.
            guard !receiver.isOverfull else {
                metrics.signalsDropped.increment()
                continue
            }
            let frame = buffer ?? writer.frame(.signal(signal))
            buffer = frame
            receiver.write(frame)
        }
    }
}

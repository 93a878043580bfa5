import GatewayCore

/// What Redis is asked about rooms.
extension Router {
    /// Asks where a room stands, and what its log holds there.
    func position(
        of track: Track, _ part: LogPart?, reply: @escaping @Sendable (Result<PositionAnswer, BackendError>) -> Void
    ) {
        let room = track.room
        let question = AskPosition(
            room, hasRoster: rules.now.presence(of: room) == .full, limits: rules.now.log(of: room), reading: part,
            knownSettings: track.machine.knownSettings, candidate: names.epoch())
        store.read(question) { reply($0.mapError(BackendError.init)) }
    }

    /// Asks where many rooms stand; what has no answer is asked again.
    func compare(_ tracks: [Track]) {
        for (partition, all) in Dictionary(grouping: tracks, by: { Partition(of: $0.room) }) {
            for start in stride(from: 0, to: all.count, by: ReadHeads.most) {
                compare(Array(all[start..<min(start + ReadHeads.most, all.count)]), in: partition)
            }
        }
    }

    private func compare(_ batch: [Track], in partition: Partition) {
        let asked = batch.map { $0.machine.position }
        store.call(ReadHeads(of: batch.map(\.room), in: partition)) { [self] result in
            guard case .success(let heads) = result else { return compareLater(batch) }
            for ((track, asked), head) in zip(zip(batch, asked), heads) where tracks[track.room] === track {
                let moved = track.machine.compared(
                    head.position, rosterVersion: head.rosterVersion, settingsVersion: head.settingsVersion,
                    asked: asked, conditions(of: track))
                perform(moved, track)
            }
        }
    }
}

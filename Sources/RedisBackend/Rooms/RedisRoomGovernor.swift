import GatewayCore

/// The settings of rooms, as Redis keeps them.
struct RedisRoomGovernor: RoomGovernor {
    /// The first in which nodes heed settings.
    private static let format = 3

    let store: Store
    let rules: RoomRules
    /// The name of the store's link.
    let link: String

    func state(of room: RoomName) async throws(BackendError) -> RoomState {
        guard room.takesSettings else { return .absent }
        do {
            return try await store.read(ReadSettings(of: room))
        } catch {
            throw BackendError(error)
        }
    }

    func govern(
        _ room: RoomName, by settings: RoomSettings, replacing version: Int64
    ) async throws(GovernError) -> Int64 {
        guard rules.presence(of: room) == .full || !settings.keepsOut else { throw .noRoster }
        return try await change(room, .set(settings), at: version)
    }

    func close(_ room: RoomName, at version: Int64, withLog: Bool) async throws(GovernError) -> Int64 {
        try await change(room, .close(withLog: withLog), at: version)
    }

    private func change(
        _ room: RoomName, _ change: Govern.Change, at version: Int64
    ) async throws(GovernError) -> Int64 {
        let answer: Govern.Answer
        do {
            let borne = try await store.send(.field("format", of: store.keys.deployment))
            guard borne.flatMap({ Int($0) }) ?? 0 >= RedisRoomGovernor.format else { throw GovernError.nodesDiffer }
            answer = try await store.call(Govern(room, change, replacing: version, link: link))
        } catch let error as GovernError {
            throw error
        } catch let error as CallError {
            throw .backend(BackendError(error))
        } catch {
            throw .backend(.unavailable(reason: "\(error)"))
        }
        switch answer {
        case .changed(let version): return version
        case .moved(let version): throw .moved(to: version)
        }
    }
}

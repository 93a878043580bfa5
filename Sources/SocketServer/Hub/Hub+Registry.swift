import GatewayCore

/// What the registry is asked for connections of this loop, and told of them.
extension Hub {
    func register(_ connection: SocketHandler, resuming session: String?) {
        guard let identity = connection.machine.identity else { return }
        let entry = PresenceConnection(
            id: connection.id.description, userId: identity.userId, address: connection.address?.description ?? "")
        let resumption = session.map { session in
            SessionResumption(session: session, info: identity.info) { [settings] room in
                settings.rules.allows(.join, in: room, for: identity)
            }
        }
        presence.connect(entry, resuming: resumption) { [self] result in post(.registered(connection, result)) }
    }

    func enroll(_ connection: SocketHandler, in room: RoomName, info: [UInt8]) {
        presence.join(room, connection: connection.id.description, info: info) { [self] result in
            post(.enrolled(connection, room: room, result))
        }
    }

    func signal(_ signal: Signal, id: RequestID?, from connection: SocketHandler) {
        presence.signal(signal, connection: connection.id.description) { [self] result in
            post(.signalled(connection, id: id, result))
        }
    }

    /// Reads a page of members in a short task; a session has only a few under way.
    func readMembers(of room: RoomName, limit: Int, cursor: String?, id: RequestID?, for connection: SocketHandler) {
        Task { [self] in
            do throws(DirectoryError) {
                let page = try await members(of: room, limit: limit, cursor: cursor)
                post(.members(connection, id: id, room: room, .success(page)))
            } catch {
                post(.members(connection, id: id, room: room, .failure(error)))
            }
        }
    }

    /// As many members as fit into a frame, one at least: a cursor is the directory's, so a page cannot be cut here.
    private func members(
        of room: RoomName, limit: Int, cursor: String?
    ) async throws(DirectoryError) -> MemberPage {
        var limit = limit
        while true {
            let page = try await presenceDirectory.members(of: room, limit: limit, cursor: cursor)
            let bytes = page.members.reduce(0) { $0 + $1.info.count + 2 * $1.userId.string.utf8.count + 64 }
            let count = min(limit, page.members.count)
            guard bytes > settings.limits.maxPageBytes, count > 1 else { return page }
            limit = max(1, min(count - 1, count * settings.limits.maxPageBytes / bytes))
        }
    }
}

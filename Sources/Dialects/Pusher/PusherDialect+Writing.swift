#if Node
    import GatewayCore

    extension PusherDialect {
        package func write(_ event: ServerEvent, _ text: ([UInt8]) -> Void) {
            switch event {
            case .message(let message): text(frame(of: message))
            case .presence(let change): write(change, text)
            case .welcome: text(greeting)
            case .joined(_, let joined): write(joined, text)
            case .authenticated(let id?, _):
                if let userData = id.userData { text(signedIn(userData)) }
            case .pong: text(Array(#"{"event":"pusher:pong","data":{}}"#.utf8))
            case .error(let id?, let error) where id.userData == nil: text(refusal(of: id, error))
            case .error(_, let error):
                text(PusherRefusal.text(code: code(of: error.code), message: error.message))
            case .counted(let room, let connections):
                if app.tellsSubscriptionCount, let frame = count(connections, in: room) { text(frame) }
            case .room(let change) where change.endsMembership:
                guard let channel = name(of: change.room) else { return }
                var id: [UInt8] = []
                JSONWriter.append(string: channel, to: &id)
                text(refusal(of: RequestID(json: id), RequestError(.forbidden, "the channel is closed to this user")))
            case .watching(_, let users):
                let known = users.filter { $0.refusal == nil }
                let (online, offline) = (known.filter(\.isOnline), known.filter { !$0.isOnline })
                if let frame = watchlist(online: online.map(\.userId), offline: offline.map(\.userId)) { text(frame) }
            case .status(let change):
                let user = [change.userId]
                let told = change.isOnline ? watchlist(online: user) : watchlist(offline: user)
                if let told { text(told) }
            // What has no word in this protocol, or is never meant for its clients.
            case .authenticated, .room, .seen, .resumed, .left, .ack, .history, .members, .acknowledged,
                .turn, .ordered, .redacted, .signal, .gap, .epoch, .reconnect:
                break
            }
        }

        /// What a room is called here; nil where it has no name here.
        private func name(of room: RoomName) -> String? {
            room.isInbox ? PusherChannel(room, of: app)?.name : app.own(room.string)
        }

        private func isPresence(_ room: RoomName) -> Bool {
            app.own(room.string)?.utf8.starts(with: "presence-".utf8) ?? false
        }

        // MARK: Frames

        private var greeting: [UInt8] {
            var data: [UInt8] = []
            JSONWriter.append(#"{"socket_id":"#, to: &data)
            JSONWriter.append(string: socketID.description, to: &data)
            JSONWriter.append(#","activity_timeout":"#, to: &data)
            JSONWriter.append(integer: app.activitySeconds, to: &data)
            JSONWriter.append("}", to: &data)
            return frame("pusher:connection_established", data: data)
        }

        private func signedIn(_ userData: ArraySlice<UInt8>) -> [UInt8] {
            var data: [UInt8] = []
            JSONWriter.append(#"{"user_data":"#, to: &data)
            data.append(contentsOf: userData)
            JSONWriter.append("}", to: &data)
            return frame("pusher:signin_success", data: data)
        }

        private func write(_ joined: Joined, _ text: ([UInt8]) -> Void) {
            guard let channel = name(of: joined.room) else { return }
            let data = joined.members.map(roster) ?? Array("{}".utf8)
            text(frame("pusher_internal:subscription_succeeded", channel: channel, data: data))
            switch joined.last {
            case .message(let message): text(frame(of: message))
            case .absent: text(frame("pusher:cache_miss", channel: channel, data: Array("{}".utf8)))
            case nil: break
            }
        }

        /// Nil of a presence channel, whose members are told by name.
        private func count(_ connections: Int, in room: RoomName) -> [UInt8]? {
            guard !isPresence(room), let channel = name(of: room) else { return nil }
            var data: [UInt8] = []
            JSONWriter.append(#"{"subscription_count":"#, to: &data)
            JSONWriter.append(integer: connections, to: &data)
            JSONWriter.append("}", to: &data)
            return frame("pusher_internal:subscription_count", channel: channel, data: data)
        }

        /// Users of other apps, of whom nobody here is told, are left out.
        private func roster(_ members: [Member]) -> [UInt8] {
            var (ids, hash): ([UInt8], [UInt8]) = ([], [])
            hash.reserveCapacity(members.reduce(0) { $0 + $1.info.count + 64 })
            var count = 0
            for member in members {
                guard let name = app.name(of: member.userId) else { continue }
                if count > 0 {
                    JSONWriter.append(",", to: &ids)
                    JSONWriter.append(",", to: &hash)
                }
                count += 1
                JSONWriter.append(string: name, to: &ids)
                JSONWriter.append(string: name, to: &hash)
                JSONWriter.append(":", to: &hash)
                hash.append(contentsOf: member.info)
            }
            var data: [UInt8] = []
            data.reserveCapacity(ids.count + hash.count + 64)
            JSONWriter.append(#"{"presence":{"ids":["#, to: &data)
            data.append(contentsOf: ids)
            JSONWriter.append(#"],"hash":{"#, to: &data)
            data.append(contentsOf: hash)
            JSONWriter.append(#"},"count":"#, to: &data)
            JSONWriter.append(integer: count, to: &data)
            JSONWriter.append("}}", to: &data)
            return data
        }

        /// A user who stays and is shown otherwise has no word here.
        private func write(_ change: RosterChange, _ text: ([UInt8]) -> Void) {
            guard isPresence(change.room), let channel = name(of: change.room) else { return }
            for event in change.events {
                guard let user = app.name(of: event.userId) else { continue }
                var data: [UInt8] = []
                JSONWriter.append(#"{"user_id":"#, to: &data)
                JSONWriter.append(string: user, to: &data)
                switch event.kind {
                case .join:
                    JSONWriter.append(#","user_info":"#, to: &data)
                    data.append(contentsOf: event.info ?? Identity.noInfo)
                    JSONWriter.append("}", to: &data)
                    text(frame("pusher_internal:member_added", channel: channel, data: data))
                case .leave:
                    JSONWriter.append("}", to: &data)
                    text(frame("pusher_internal:member_removed", channel: channel, data: data))
                case .update: break
                }
            }
        }

        /// Nil where it would tell of nobody.
        private func watchlist(online: [UserID] = [], offline: [UserID] = []) -> [UInt8]? {
            var data: [UInt8] = []
            for (name, users) in [("online", online), ("offline", offline)] {
                let names = users.compactMap { app.name(of: $0) }
                guard !names.isEmpty else { continue }
                JSONWriter.append(data.isEmpty ? #"{"events":[{"name":"# : #",{"name":"#, to: &data)
                JSONWriter.append(string: name, to: &data)
                JSONWriter.append(#","user_ids":["#, to: &data)
                for (index, name) in names.enumerated() {
                    if index > 0 { JSONWriter.append(",", to: &data) }
                    JSONWriter.append(string: name, to: &data)
                }
                JSONWriter.append("]}", to: &data)
            }
            guard !data.isEmpty else { return nil }
            JSONWriter.append("]}", to: &data)
            return frame("pusher_internal:watchlist_events", data: data)
        }

        /// A payload that is a string goes as it is, any other as a string that holds its text.
        /// What begins as the protocol's own events do is none of those, whoever named it so.
        private func eventName(of message: RoomMessage) -> String {
            guard let name = message.event?.string else { return "message" }
            let isOfProtocol = ["pusher:", "pusher_internal:"].contains { name.utf8.starts(with: $0.utf8) }
            return isOfProtocol ? "message" : name
        }

        private func frame(of message: RoomMessage) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(message.payload.count + message.payload.count / 8 + 256)
            JSONWriter.append(#"{"event":"#, to: &bytes)
            JSONWriter.append(string: eventName(of: message), to: &bytes)
            JSONWriter.append(#","channel":"#, to: &bytes)
            JSONWriter.append(string: name(of: message.room) ?? "", to: &bytes)
            JSONWriter.append(#","data":"#, to: &bytes)
            if message.payload.first == UInt8(ascii: "\"") {
                bytes.append(contentsOf: message.payload)
            } else {
                JSONWriter.append(text: message.payload, to: &bytes)
            }
            if isPresence(message.room), message.userId != .system, !message.userId.isNobody,
                let user = app.name(of: message.userId)
            {
                JSONWriter.append(#","user_id":"#, to: &bytes)
                JSONWriter.append(string: user, to: &bytes)
            }
            JSONWriter.append("}", to: &bytes)
            return bytes
        }

        /// `data` becomes a string that holds it, as old clients need it.
        private func frame(_ event: StaticString, channel: String? = nil, data: [UInt8]) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(data.count + data.count / 4 + 256)
            JSONWriter.append(#"{"event":""#, to: &bytes)
            JSONWriter.append(event, to: &bytes)
            JSONWriter.append("\"", to: &bytes)
            if let channel {
                JSONWriter.append(#","channel":"#, to: &bytes)
                JSONWriter.append(string: channel, to: &bytes)
            }
            JSONWriter.append(#","data":"#, to: &bytes)
            JSONWriter.append(text: data, to: &bytes)
            JSONWriter.append("}", to: &bytes)
            return bytes
        }

        // MARK: Errors

        /// - Parameter id: the channel's name, as the client wrote it.
        private func refusal(of id: RequestID, _ error: RequestError) -> [UInt8] {
            var bytes: [UInt8] = []
            JSONWriter.append(#"{"event":"pusher:subscription_error","channel":"#, to: &bytes)
            bytes.append(contentsOf: id.json)
            JSONWriter.append(#","data":{"type":"#, to: &bytes)
            let isSignature = error.code == .unauthorized
            JSONWriter.append(string: isSignature ? "AuthError" : "SubscriptionError", to: &bytes)
            JSONWriter.append(#","error":"#, to: &bytes)
            JSONWriter.append(string: error.message, to: &bytes)
            JSONWriter.append(#","status":"#, to: &bytes)
            JSONWriter.append(integer: status(of: error.code), to: &bytes)
            JSONWriter.append("}}", to: &bytes)
            return bytes
        }

        private func status(of code: ErrorCode) -> Int {
            switch code {
            case .unauthorized: 401
            case .forbidden, .notMember: 403
            case .notFound: 404
            case .conflict, .versionRequired: 409
            case .tooLarge: 413
            case .rateLimited: 429
            case .unavailable: 503
            case .badRequest, .misdirected: 400
            }
        }

        /// Of an error that leaves the connection open; nil where the protocol has none that does not end it.
        private func code(of code: ErrorCode) -> UInt16? {
            switch code {
            case .rateLimited: 4301
            case .unauthorized: 4009
            case .badRequest, .forbidden, .notFound, .notMember, .conflict, .versionRequired, .tooLarge, .misdirected,
                .unavailable:
                nil
            }
        }
    }

    /// Requests of this protocol have no ids: what they are answered under is the channel's name, or what was signed of a user.
    extension RequestID {
        /// In brackets, so that it is no channel's name.
        init(userData: [UInt8]) { self.init(json: [UInt8(ascii: "[")] + userData + [UInt8(ascii: "]")]) }

        /// As it came; nil where this is a channel's name.
        fileprivate var userData: ArraySlice<UInt8>? {
            json.first == UInt8(ascii: "[") ? json.dropFirst().dropLast() : nil
        }
    }
#endif

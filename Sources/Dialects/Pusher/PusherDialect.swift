// Programs that use MartletClient alone have no hashes.
#if Node
    import GatewayCore

    /// Pusher's protocol, version 5 to 7, as one connection of an app speaks it.
    ///
    /// It holds whose the connection is, so that signatures can be checked, and nothing that changes: any thread may use it.
    package final class PusherDialect: Dialect {
        package let app: PusherApp
        package let socketID: PusherSocketID

        private static let maxInfoBytes = 1024
        private static let longestWatchlist = 100

        package init(app: PusherApp, socketID: PusherSocketID) {
            self.app = app
            self.socketID = socketID
        }

        // MARK: Reading

        package func read(_ frame: UnsafeRawBufferPointer) -> Heard {
            guard let frame = PusherFrame(frame) else {
                let error = RequestError(.badRequest, "not a JSON object with the name of an event")
                return .malformed(MalformedRequest(error: error))
            }
            switch frame.event {
            case "pusher:ping": return .request(ClientRequest(command: .ping))
            case "pusher:pong": return .nothing
            case "pusher:subscribe": return subscribe(frame.fields)
            case "pusher:unsubscribe": return unsubscribe(frame.fields)
            case "pusher:signin": return signIn(frame.fields)
            case let name where name.hasPrefix("client-"): return event(name, frame)
            default: return .nothing
            }
        }

        private func subscribe(_ fields: PusherFields) -> Heard {
            guard let name = fields.text("channel"), let id = fields.json("channel").map(RequestID.init(json:)) else {
                return refuse(nil, .badRequest, "channel: missing")
            }
            guard let channel = PusherChannel(name), let room = channel.room(of: app) else {
                return refuse(id, .badRequest, "channel: \(PusherChannel.rule)")
            }
            var subscription = Subscription(room, isSigned: channel.isSigned)
            subscription.tellsLast = channel.isCache
            subscription.takesEvents = app.hasClientEvents && channel.takesClientEvents
            guard channel.isSigned else { return .request(ClientRequest(id: id, command: .subscribe(subscription))) }
            // Without it the connection's user is shown, who has signed in.
            let data = channel.isPresence ? fields.text("channel_data") : nil
            subscription.isShown = channel.isPresence
            guard let auth = fields.text("auth"),
                PusherSignature.admits(
                    auth, socketID: socketID.description, channel: name, data: data, app: app)
            else { return refuse(id, .unauthorized, "Invalid signature") }
            if let data {
                switch member(of: PusherFields(Array(data.utf8)), id: "user_id", info: "user_info") {
                case .success(let member): subscription.member = member
                case .failure(let error): return refuse(id, error.code, "channel_data: \(error.message)")
                }
            }
            return .request(ClientRequest(id: id, command: .subscribe(subscription)))
        }

        private func unsubscribe(_ fields: PusherFields) -> Heard {
            guard let room = fields.text("channel").flatMap({ PusherChannel($0) })?.room(of: app) else {
                return .nothing
            }
            return .request(ClientRequest(command: .leave(room: room)))
        }

        private func signIn(_ fields: PusherFields) -> Heard {
            guard let data = fields.text("user_data"), let auth = fields.text("auth"),
                PusherSignature.signsIn(auth, socketID: socketID.description, userData: data, app: app)
            else { return refuse(nil, .unauthorized, "Invalid signature") }
            switch member(of: PusherFields(Array(data.utf8)), id: "id", info: "user_info") {
            case .success(let user):
                let watched = watchlist(of: PusherFields(Array(data.utf8)))
                let command = ClientCommand.signIn(user, watching: watched)
                let id = fields.json("user_data").map(RequestID.init(userData:))
                return .request(ClientRequest(id: id, command: command))
            case .failure(let error): return refuse(nil, error.code, "user_data: \(error.message)")
            }
        }

        /// Whom an app's backend has named, and what is shown of it.
        private func member(of fields: PusherFields, id: String, info: String) -> Result<Identity, RequestError> {
            guard let name = fields.name(id) else {
                return .failure(RequestError(.badRequest, "\(id) must be a string or a whole number"))
            }
            guard let user = app.user(named: name) else {
                return .failure(RequestError(.badRequest, "\(id) \(UserID.rule)"))
            }
            let shown = fields.json(info) ?? Identity.noInfo
            guard shown.count <= PusherDialect.maxInfoBytes else {
                return .failure(
                    RequestError(.tooLarge, "\(info) is longer than \(PusherDialect.maxInfoBytes) bytes"))
            }
            return .success(Identity(userId: user, info: shown == Array("null".utf8) ? Identity.noInfo : shown))
        }

        /// The first hundred of those whom the user watches, and of these whom there can be.
        private func watchlist(of fields: PusherFields) -> [UserID] {
            fields.texts(in: "watchlist", upTo: PusherDialect.longestWatchlist).compactMap { app.user(named: $0) }
        }

        private func event(_ name: String, _ frame: PusherFrame) -> Heard {
            guard app.hasClientEvents else { return refuse(nil, .forbidden, "this app has no client events") }
            guard let event = EventName(name) else { return refuse(nil, .badRequest, "event: \(EventName.rule)") }
            guard let channel = frame.channel.flatMap({ PusherChannel($0) }), let room = channel.room(of: app) else {
                return refuse(nil, .badRequest, "channel: \(PusherChannel.rule)")
            }
            guard channel.takesClientEvents else {
                return refuse(nil, .forbidden, "client events go to private and presence channels alone")
            }
            let data = frame.data ?? Array("null".utf8)
            guard data.count <= app.maxEventBytes else {
                return refuse(nil, .tooLarge, "data is longer than \(app.maxEventBytes) bytes")
            }
            var message = MessageCommand(room: room, event: event, payload: data)
            message.echo = false
            message.isVolatile = true
            return .request(ClientRequest(command: .message(message)))
        }

        private func refuse(_ id: RequestID?, _ code: ErrorCode, _ message: String) -> Heard {
            .malformed(MalformedRequest(id: id, error: RequestError(code, message), isReadable: true))
        }

        // MARK: Closing

        /// Never 4300 or above, by which clients would stay away for good; who is thrown out stays away by 4009.
        package var tellsCounts: Bool { app.tellsSubscriptionCount }

        package func farewell(_ reason: CloseReason) -> UInt16 { PusherDialect.code(of: reason) }

        /// All codes that a client can be closed with.
        package static let closeCodes = CloseReason.allCases.map(code) + PusherRefusal.all.map(\.code)

        private static func code(of reason: CloseReason) -> UInt16 {
            switch reason {
            case .normal, .protocolError, .unsupportedData, .notUTF8, .messageTooLarge, .internalError: reason.code
            case .goingAway: 4200
            case .heartbeatMissed: 4201
            case .unauthorized, .forbidden: 4009
            case .replaced: 4004
            case .malformed, .tooSlow, .tooManyRequests, .unavailable: 4100
            }
        }

        /// Some libraries look at no code of a close frame, and come back only where an event has told them to.
        package func lastWords(_ code: UInt16, _ text: String) -> [UInt8]? {
            (4000..<4300).contains(code) ? PusherRefusal.text(code: code, message: text) : nil
        }
    }
#endif

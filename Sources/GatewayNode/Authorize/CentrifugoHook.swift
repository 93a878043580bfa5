import Dialects
import GatewayCore

/// The questions and answers as Centrifugo's connect, subscribe and publish proxies spell them, so that a backend made for
/// those can be asked.
///
/// A channel is a room. Headers are passed on as such, and a token as `Authorization: Bearer`.
enum CentrifugoHook {
    static func request(for question: Question) -> HookRequest {
        var body: [UInt8] = []
        JSONWriter.append(#"{"client":"#, to: &body)
        JSONWriter.append(string: question.connectionId, to: &body)
        JSONWriter.append(#","transport":"websocket","protocol":"json","encoding":"json""#, to: &body)
        let path: String
        switch question.subject {
        case .connect: path = "/connect"
        case .join(let room):
            path = "/subscribe"
            append(question, room, to: &body)
        case .publish(let room, let payload):
            path = "/publish"
            append(question, room, to: &body)
            JSONWriter.append(#","data":"#, to: &body)
            body += payload
        }
        body.append(UInt8(ascii: "}"))
        return HookRequest(path: path, fields: fields(of: question.shown), body: body)
    }

    /// With one `Authorization` at the most: the handshake's counts where no token was shown.
    private static func fields(of shown: Presented) -> [HookRequest.Field] {
        let fields = shown.headers.map { HookRequest.Field(name: $0.name, value: $0.value) }
        guard let token = shown.token else { return fields }
        let others = fields.filter { $0.name.lowercased() != "authorization" }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return others }
        return others + [HookRequest.Field(name: "Authorization", value: "Bearer \(token)")]
    }

    private static func append(_ question: Question, _ room: RoomName, to body: inout [UInt8]) {
        JSONWriter.append(#","user":"#, to: &body)
        JSONWriter.append(string: question.userId?.string ?? "", to: &body)
        JSONWriter.append(#","channel":"#, to: &body)
        JSONWriter.append(string: room.string, to: &body)
    }

    static func answer(
        _ object: HookObject, to question: Question, mayBeGuest: Bool, at now: HookTime
    ) throws(HookProblem) -> HookAnswer {
        HookAnswer(ruling: try ruling(object, to: question, mayBeGuest: mayBeGuest, at: now), holds: .zero)
    }

    private static func ruling(
        _ object: HookObject, to question: Question, mayBeGuest: Bool, at now: HookTime
    ) throws(HookProblem) -> Ruling {
        if let denial = denial(object, "disconnect", told: "reason") ?? denial(object, "error", told: "message") {
            return .denied(denial)
        }
        guard let result = try object.object("result") else {
            throw HookProblem("its answer has neither result, error nor disconnect")
        }
        switch question.subject {
        case .connect: break
        case .join:
            guard try result.number("expire_at") ?? 0 <= 0 else {
                throw HookProblem("its yes to a room has an expire_at, which is not kept here", isNeverPassed: true)
            }
            return .allowed(Grant())
        case .publish:
            guard try result.value("data") == nil, try (result.text("b64data") ?? "").isEmpty else {
                throw HookProblem("its yes changes the message (data), which is not done here", isNeverPassed: true)
            }
            guard try result.boolean("skip_history") != true else {
                throw HookProblem(
                    "its yes is to a message that is not to be kept (skip_history), which is not done here",
                    isNeverPassed: true)
            }
            return .allowed(Grant())
        }
        // Nobody in particular, who is a guest here or none.
        let name = try result.text("user") ?? ""
        guard !name.isEmpty || question.userId != nil || mayBeGuest else { return .denied(Denial(.unauthorized)) }
        var grant = Grant(userId: name.isEmpty ? nil : try result.user("user"))
        if let info = try result.value("info"), case .object = info.kind { grant.info = try result.info("info") }
        let channels = try (result.texts("channels") ?? []) + result.names("subs")
        grant.joins = try HookObject.rooms(channels, "channels")
        if let end = try result.number("expire_at"), end > 0 {
            let left = end * 1000 - Double(now.wall)
            guard left > 0 else { return .denied(Denial(.unauthorized)) }
            if left < 0x1p42 { grant.endsAt = now.monotonic + .milliseconds(Int64(left)) }
        }
        return .allowed(grant)
    }

    /// The no that a field is, whatever else is wrong with it; nil where it is not there.
    private static func denial(_ object: HookObject, _ field: StaticString, told text: StaticString) -> Denial? {
        guard object.has(field) else { return nil }
        let said = try? object.object(field)
        let number = said.flatMap { try? $0.number("code") }
        return Denial(code(number), told: said.flatMap { try? $0.text(text) })
    }

    /// Those that say that nobody is known: unauthorized, token expired, invalid token; and HTTP's own.
    private static let unknown: Set<Double> = [101, 109, 401, 3500, 4401]

    private static func code(_ number: Double?) -> Denial.Code {
        number.map { unknown.contains($0) } ?? false ? .unauthorized : .forbidden
    }
}

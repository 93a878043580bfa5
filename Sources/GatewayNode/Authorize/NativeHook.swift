import Dialects
import GatewayCore

/// The questions and answers as Martlet spells them.
enum NativeHook {
    /// An answer holds no longer than this, whatever it says.
    static let longestHold = Duration.seconds(86_400)
    /// An end that is later is none.
    private static let longestGrant = 0x1p32

    static func body(of question: Question) -> [UInt8] {
        var body = essence(of: question)
        JSONWriter.append(#","connectionId":"#, to: &body)
        JSONWriter.append(string: question.connectionId, to: &body)
        body.append(UInt8(ascii: "}"))
        return body
    }

    /// What is equal in this is the same question.
    static func key(of question: Question) -> [UInt8] {
        question.isAnonymous ? body(of: question) : essence(of: question)
    }

    /// All of it but the name of the connection.
    private static func essence(of question: Question) -> [UInt8] {
        var body: [UInt8] = []
        JSONWriter.append(#"{"action":"#, to: &body)
        JSONWriter.append(string: question.action, to: &body)
        if let user = question.userId {
            JSONWriter.append(#","userId":"#, to: &body)
            JSONWriter.append(string: user.string, to: &body)
        }
        if let token = question.shown.token {
            JSONWriter.append(#","token":"#, to: &body)
            JSONWriter.append(string: token, to: &body)
        }
        switch question.subject {
        case .connect: break
        case .join(let room): append(room, to: &body)
        case .publish(let room, let payload):
            append(room, to: &body)
            JSONWriter.append(#","payload":"#, to: &body)
            body += payload
        }
        JSONWriter.append(#","headers":{"#, to: &body)
        for (index, header) in question.shown.headers.enumerated() {
            if index > 0 { body.append(UInt8(ascii: ",")) }
            JSONWriter.append(string: header.name, to: &body)
            body.append(UInt8(ascii: ":"))
            JSONWriter.append(string: header.value, to: &body)
        }
        JSONWriter.append(#"},"address":"#, to: &body)
        JSONWriter.append(string: question.shown.address, to: &body)
        return body
    }

    private static func append(_ room: RoomName, to body: inout [UInt8]) {
        JSONWriter.append(#","roomId":"#, to: &body)
        JSONWriter.append(string: room.string, to: &body)
    }

    static func answer(_ object: HookObject, at now: HookTime) throws(HookProblem) -> HookAnswer {
        // A no is a no, whatever else is wrong with it.
        if object.says(false, "allow") {
            let code = (try? object.text("code")).flatMap(Denial.Code.init(rawValue:))
            let message = try? object.text("message")
            return HookAnswer(ruling: .denied(Denial(code ?? .forbidden, told: message)), holds: .zero)
        }
        guard try object.boolean("allow") != nil else { throw HookProblem("its answer has no allow") }
        var grant = Grant(
            userId: try object.user("userId"), info: try object.info("info"), rooms: try object.grants("rooms"),
            joins: try HookObject.rooms(try object.texts("join") ?? [], "join"))
        if let seconds = try object.number("expires") {
            guard seconds > 0 else { throw HookProblem("its expires is over already") }
            if seconds < longestGrant { grant.endsAt = now.monotonic + .milliseconds(Int64(seconds * 1000)) }
        }
        var holds = Duration.zero
        if let seconds = try object.number("cacheSeconds") {
            guard seconds >= 0 else { throw HookProblem("its cacheSeconds is below 0") }
            holds = min(longestHold, .milliseconds(Int64(min(seconds, longestGrant) * 1000)))
        }
        return HookAnswer(ruling: .allowed(grant), holds: holds)
    }
}

extension Question {
    /// What is asked for, as the backend is told.
    var action: String {
        switch subject {
        case .connect: "connect"
        case .join: "join"
        case .publish: "publish"
        }
    }
}

extension Denial {
    /// What a close frame has room for (RFC 6455, section 5.5).
    private static let longestText = 120

    /// With the backend's words, cut to what a close frame holds, without what does not print; nil for its code's own.
    init(_ code: Code, told text: String?) {
        guard let text, !text.isEmpty else {
            self.init(code)
            return
        }
        var shown = ""
        for scalar in text.unicodeScalars where scalar.properties.generalCategory != .control {
            guard shown.utf8.count + String(scalar).utf8.count <= Denial.longestText else { break }
            shown.unicodeScalars.append(scalar)
        }
        self.init(code, shown)
    }
}

import GatewayCore
import Webhooks

/// What a backend answered cannot be gone by; the text is for the log, and holds nothing of the answer.
package struct HookProblem: Error, Hashable, CustomStringConvertible {
    package let description: String
    /// Whether nobody is let pass for it, whatever the settings say: it may be of the client's own making, or is more of a
    /// no than of a failure.
    package let isNeverPassed: Bool

    init(_ description: String, isNeverPassed: Bool = false) {
        self.description = description
        self.isNeverPassed = isNeverPassed
    }
}

/// A request as it goes out.
package struct HookRequest: Hashable, Sendable {
    package struct Field: Hashable, Sendable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Behind the URL.
    package var path = ""
    package var fields: [Field] = []
    package var body: [UInt8]
}

/// An answer that counts, and for how long the same need not be asked again.
package struct HookAnswer: Hashable, Sendable {
    package var ruling: Ruling
    package var holds: Duration

    package init(ruling: Ruling, holds: Duration) {
        self.ruling = ruling
        self.holds = holds
    }
}

/// The two clocks by which ends are told.
package struct HookTime: Sendable {
    package let monotonic: MonotonicTime
    /// Milliseconds since 1970.
    package let wall: Int64

    package init(monotonic: MonotonicTime, wall: Int64) {
        self.monotonic = monotonic
        self.wall = wall
    }
}

extension HookSettings.Format {
    package func request(for question: Question) -> HookRequest {
        switch self {
        case .martlet: HookRequest(body: NativeHook.body(of: question))
        case .centrifugo: CentrifugoHook.request(for: question)
        }
    }

    /// - Parameters:
    ///   - status: of the answer; anything but 200 counts for nothing.
    ///   - takesGuests: whether one who shows no token may be let in without a user.
    package func answer(
        _ status: UInt, _ body: [UInt8]?, to question: Question, takesGuests: Bool = false, at now: HookTime
    ) throws(HookProblem) -> HookAnswer {
        guard status == 200 else {
            throw HookProblem(RequestFailure.reason(ofStatus: status), isNeverPassed: mayBeTheClients(status))
        }
        guard let body else { throw HookProblem("its answer is cut off, or longer than \(HookCaller.maxBytes) bytes") }
        let mayBeGuest = takesGuests && question.userId == nil && question.shown.token == nil
        let answer = try body.withUnsafeBytes { read($0, to: question, mayBeGuest: mayBeGuest, at: now) }.get()
        guard case .allowed(let grant) = answer.ruling else { return answer }
        switch (grant.userId, question.userId) {
        case (nil, nil) where !mayBeGuest: throw HookProblem("its answer lets somebody in and does not say whom")
        case (let named?, let asked?) where named != asked:
            throw HookProblem("its answer is about another user", isNeverPassed: true)
        default: return answer
        }
    }

    /// Whether such an answer may be to what the client has sent: headers that are too large, or tell of nobody who may log in.
    private func mayBeTheClients(_ status: UInt) -> Bool {
        (300..<500).contains(status) && status != 408 && status != 429
    }

    private func read(
        _ text: UnsafeRawBufferPointer, to question: Question, mayBeGuest: Bool, at now: HookTime
    ) -> Result<HookAnswer, HookProblem> {
        do throws(HookProblem) {
            let object = try HookObject(text)
            return switch self {
            case .martlet: .success(try NativeHook.answer(object, at: now))
            case .centrifugo: .success(try CentrifugoHook.answer(object, to: question, mayBeGuest: mayBeGuest, at: now))
            }
        } catch {
            return .failure(error)
        }
    }
}

import GatewayCore
import RedisClient

/// A call of a script of `Lua/`: each script has a type, which alone knows the order of its keys and arguments and what
/// its reply means.
package protocol Script: Sendable {
    associatedtype Answer: Sendable

    /// The file, behind the openings that it shares with others.
    var file: RedisScript { get }

    /// The keys and arguments, in the order in which the file names them.
    func spelled(with keys: Keys) -> ScriptCall

    /// Nil where the reply has another shape than the file says.
    func read(_ reply: RedisReply) -> Answer?
}

/// A script that reads, and writes what it finds to be new: another run of Redis closes a room's epoch.
package protocol ReadingScript: Script {
    /// The same, for a Redis that takes no writes just now: it fails only where there is something to be written.
    var unwrittenFile: RedisScript { get }
}

/// A reading script as it is called where Redis takes no writes.
package struct Unwritten<Reading: ReadingScript>: Script {
    private let script: Reading

    package init(_ script: Reading) {
        self.script = script
    }

    package var file: RedisScript { script.unwrittenFile }

    package func spelled(with keys: Keys) -> ScriptCall { script.spelled(with: keys) }

    package func read(_ reply: RedisReply) -> Reading.Answer? { script.read(reply) }
}

/// An answer that a reply tells by itself.
package protocol ScriptAnswer: Sendable {
    init?(_ reply: RedisReply)
}

extension Script where Answer: ScriptAnswer {
    package func read(_ reply: RedisReply) -> Answer? { Answer(reply) }
}

/// Redis has done it; the reply says no more than that.
package struct Done: ScriptAnswer {
    package init(_ reply: RedisReply) {}
}

/// The keys and arguments of one call, all of one partition.
package struct ScriptCall: Sendable {
    package let keys: [Key]
    /// Where the script publishes, or what the channels begin with on which it does.
    let channels: [Key]
    package let arguments: [RedisArgument]

    init(keys: [Key], arguments: [RedisArgument], publishingOn channels: [Key] = []) {
        self.keys = keys
        self.channels = channels
        self.arguments = arguments
    }

    /// The keys as the call declares them: the file's own first.
    ///
    /// Of a Cluster one more stands behind them, which is never there: so a slot that is half moved refuses all calls alike,
    /// instead of running some of them where nobody is subscribed. A script names and counts its own keys itself.
    package func declared(by deployment: Keys) -> [String] {
        var names = keys.map(\.name)
        if deployment.isSharded, let first = keys.first { names.append(deployment.none(beside: first)) }
        return names
    }

    /// The slot of all its keys.
    var slot: KeySlot { keys.first?.slot ?? Keys.indexSlot }

    /// Whether keys and channels are all of one partition, or all of the deployment as a whole.
    var isOfOnePartition: Bool {
        let partition = keys.first?.partition
        return keys.allSatisfy { $0.partition == partition } && channels.allSatisfy { $0.partition == partition }
    }
}

/// The reason why a call of a script has no answer.
package enum CallError: Error, Sendable, Equatable {
    /// As the link says.
    case failed(RedisError)
    /// It was answered in another shape than the script's, or the command's.
    case unreadable(call: String)
}

extension CallError {
    /// Whether Redis takes no writes just now: it has too few replicas, its disk has failed it, or it is full.
    var isRefusedWrite: Bool { ["NOREPLICAS", "MISCONF", "OOM"].contains(refusal?.code) }

    /// The number of a call that was sent again and refused so, though it may have been carried out before; nil for any
    /// other.
    var refusedRetry: Int64? {
        if isRefusedWrite, case .failed(.replyToRetry(_, _, let number)) = self { number } else { nil }
    }

    /// Why Redis refuses it to this caller, by a right that its user lacks, itself or in a script; nil for any other reason.
    var refusalOfCaller: String? {
        guard let refusal else { return nil }
        let isOfScript = refusal.message.hasPrefix("The user executing the script")
        return refusal.code == "NOPERM" || isOfScript ? "\(refusal.code) \(refusal.message)" : nil
    }

    /// What Redis says of a right that its user lacks; nil for any other reason.
    var denial: String? { refusal.flatMap { $0.code == "NOPERM" ? "NOPERM \($0.message)" : nil } }

    private var refusal: (code: String, message: String)? {
        switch self {
        case .failed(.reply(let code, let message)), .failed(.replyToRetry(let code, let message, _)): (code, message)
        case .failed, .unreadable: nil
        }
    }
}

extension CallError: CustomStringConvertible {
    package var description: String {
        switch self {
        case .failed(let error): "\(error)"
        case .unreadable(let call): "\(call) answered in another shape"
        }
    }
}

extension BackendError {
    /// What a call without an answer means for whoever asked.
    init(_ error: CallError) {
        switch error {
        case .failed(.reply("BARRED", let reason)) where RoomBar(reason) != nil:
            self = RoomBar(reason).map { .barred($0) } ?? .unavailable(reason: reason)
        case .failed(let error): self.init(error)
        case .unreadable: self = .unavailable(reason: "\(error)")
        }
    }
}

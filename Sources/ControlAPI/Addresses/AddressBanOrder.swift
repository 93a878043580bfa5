import Dialects
import GatewayCore
import Hummingbird

/// `PUT /v1/addresses/bans`: `{"cidr":"203.0.113.0/24","seconds":3600,"reason":"…"}`, the reason optional.
struct AddressBanOrder: Sendable {
    let range: AddressRange
    let seconds: Int
    let reason: String

    /// A year, as for bans of users.
    static let maxSeconds = 31_536_000
    static let maxReasonBytes = 200

    /// - Throws: `bad_request` naming the field.
    init(_ body: [UInt8]) throws {
        (range, seconds, reason) = try body.withUnsafeBytes { bytes in
            let fields = try ObjectFields(
                of: ObjectFields.value(of: bytes), named: ["cidr", "seconds", "reason"], path: "the body")
            guard let seconds = fields["seconds"]?.integer, (1...AddressBanOrder.maxSeconds).contains(seconds) else {
                throw RequestError(
                    .badRequest, "seconds: must be an integer from 1 to \(AddressBanOrder.maxSeconds)")
            }
            return (
                try AddressRange(named: fields.string("cidr")), seconds,
                try fields.reason(upTo: AddressBanOrder.maxReasonBytes) ?? ""
            )
        }
    }

    func answer(from bans: any AddressBans) async throws -> Response {
        let ban: AddressBan
        do throws(AddressBanError) {
            ban = try await bans.ban(range, seconds: seconds, reason: reason)
        } catch {
            switch error {
            case .full:
                throw RequestError(.conflict, "there are as many bans as there may be: lift some, or ban wider blocks")
            case .backend(let error): throw error
            }
        }
        var answer: [UInt8] = []
        JSONWriter.append(ban: ban, to: &answer)
        return .json(answer)
    }
}

/// `DELETE /v1/addresses/bans?cidr=`.
struct AddressBanLift: Sendable {
    let range: AddressRange

    init(target: RequestTarget) throws(RequestError) {
        range = try AddressRange(named: target.value("cidr"))
    }

    func answer(from bans: any AddressBans) async throws -> Response {
        guard try await bans.lift(range) else { throw Refusal.notFound("\(range) is not banned as such") }
        var answer: [UInt8] = []
        JSONWriter.append(#"{"cidr":"#, to: &answer)
        JSONWriter.append(string: range.description, to: &answer)
        JSONWriter.append("}", to: &answer)
        return .json(answer)
    }
}

extension AddressRange {
    /// A range as a request names it.
    fileprivate init(named text: String?) throws(RequestError) {
        guard let text else { throw RequestError(.badRequest, "cidr: missing") }
        guard let range = AddressRange(text) else {
            throw RequestError(.badRequest, "cidr: must be an address, or a block such as 203.0.113.0/24")
        }
        self = range
    }
}

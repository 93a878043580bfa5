#if canImport(FoundationEssentials)
    public import FoundationEssentials
#else
    public import Foundation
#endif

/// Payloads as values of the program, by their JSON.
extension MartletClient.Room {
    /// What a reader of values gets.
    public enum Incoming<Value: Sendable>: Sendable {
        case value(Value, MartletClient.Message)
        /// Another program's payload, perhaps; the stream goes on.
        case unreadable(MartletClient.Message, MartletClient.Failure)
        /// Something is lost, so load your state anew; it goes on after this position.
        case gap(after: MartletClient.Position)
    }

    /// What comes from here on, as `messages` is read, each payload decoded.
    public func messages<Value: Decodable & Sendable>(
        as type: Value.Type, decoder: JSONDecoder = JSONDecoder()
    ) -> some AsyncSequence<Incoming<Value>, Never> & Sendable {
        messages.map { item -> Incoming<Value> in
            switch item {
            case .gap(let position): return .gap(after: position)
            case .message(let message):
                do throws(MartletClient.Failure) {
                    return .value(try message.decode(type, decoder: decoder), message)
                } catch {
                    return .unreadable(message, error)
                }
            }
        }
    }

    /// Stores a value as JSON and sends it to the members, as `publish(_:msgType:dedupe:)` does.
    ///
    /// - Throws: `invalid` where the value cannot be encoded.
    @discardableResult
    public func publish(
        encoding value: some Encodable, msgType: Int = 1, dedupe: String? = nil, encoder: JSONEncoder = JSONEncoder()
    ) async throws(MartletClient.Failure) -> MartletClient.Ack {
        try await publish(try MartletClient.json(value, encoder), msgType: msgType, dedupe: dedupe)
    }

    /// Tells one other member a value that is not stored, as `signal(_:to:)` does.
    ///
    /// - Throws: `invalid` where the value cannot be encoded.
    public func signal(
        encoding value: some Encodable, to user: String, encoder: JSONEncoder = JSONEncoder()
    ) async throws(MartletClient.Failure) {
        try await signal(try MartletClient.json(value, encoder), to: user)
    }
}

extension MartletClient.Message {
    /// The payload as a value.
    ///
    /// - Throws: `invalid` where it is none of this type.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws(MartletClient.Failure) -> Value {
        try MartletClient.value(type, payload, decoder)
    }
}

extension MartletClient.Signal {
    /// The payload as a value.
    ///
    /// - Throws: `invalid` where it is none of this type.
    public func decode<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws(MartletClient.Failure) -> Value {
        try MartletClient.value(type, payload, decoder)
    }
}

extension MartletClient.Member {
    /// What the user's token says of them, as a value.
    ///
    /// - Throws: `invalid` where it is none of this type.
    public func decodeInfo<Value: Decodable>(
        _ type: Value.Type = Value.self, decoder: JSONDecoder = JSONDecoder()
    ) throws(MartletClient.Failure) -> Value {
        try MartletClient.value(type, info, decoder)
    }
}

extension MartletClient {
    static func json(_ value: some Encodable, _ encoder: JSONEncoder) throws(Failure) -> [UInt8] {
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw .invalid("payload: \(error)")
        }
    }

    fileprivate static func value<Value: Decodable>(
        _ type: Value.Type, _ bytes: [UInt8], _ decoder: JSONDecoder
    ) throws(Failure) -> Value {
        do {
            return try decoder.decode(type, from: Data(bytes))
        } catch {
            throw .invalid("payload: \(error)")
        }
    }
}

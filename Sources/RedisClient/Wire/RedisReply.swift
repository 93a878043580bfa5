import CRespReader

/// One reply, or one value inside it: a view of a flat copy that all values of the reply share.
///
/// Accessors never trap: what the reply is not is nil.
package struct RedisReply: Sendable {
    private let node: resp_node
    /// The nodes of the whole reply, then its bytes.
    private let storage: [UInt8]
    /// Where in the storage the bytes begin.
    private let arena: Int

    init(node: resp_node, storage: [UInt8], arena: Int) {
        self.node = node
        self.storage = storage
        self.arena = arena
    }

    /// The integer; also of a string that spells one in decimal, as scripts and hashes give it.
    package var integer: Int64? {
        if node.type == RESP_INTEGER.rawValue { return node.value }
        guard node.holdsBytes else { return nil }
        return withBytes { Int64(String(decoding: $0, as: UTF8.self)) }
    }

    /// The text of a string, status or error; what is not UTF-8 in it is replaced by U+FFFD.
    package var string: String? {
        guard node.holdsBytes else { return nil }
        return withBytes { String(decoding: $0, as: UTF8.self) }
    }

    /// The bytes of a string, status or error.
    package var bytes: [UInt8]? {
        guard node.holdsBytes else { return nil }
        return withBytes { Array($0) }
    }

    package var isNull: Bool { node.type == RESP_NULL.rawValue }

    /// Whether it is an error reply. At the root it never is: callers get those as `RedisError`.
    package var isError: Bool { node.type == RESP_ERROR.rawValue }

    /// How many elements the array has; 0 where it is none.
    package var count: Int { node.type == RESP_ARRAY.rawValue ? Int(node.count) : 0 }

    /// The elements, or nil where it is no array.
    package var array: [RedisReply]? {
        guard node.type == RESP_ARRAY.rawValue else { return nil }
        return (0..<count).map { self[$0] }
    }

    /// An element of an array; null where there is none at this index.
    package subscript(index: Int) -> RedisReply {
        guard index >= 0, index < count else {
            return RedisReply(node: resp_node(type: RESP_NULL.rawValue, count: 0, value: 0), storage: [], arena: 0)
        }
        let offset = (Int(node.value) + index) * MemoryLayout<resp_node>.stride
        let child = storage.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: resp_node.self) }
        return RedisReply(node: child, storage: storage, arena: arena)
    }

    /// The bytes of a string, status or error without a copy, valid inside the body; empty for anything else.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try storage.withUnsafeBytes { whole in
            guard node.holdsBytes else { return try body(UnsafeRawBufferPointer(start: nil, count: 0)) }
            let start = arena + Int(node.value)
            return try body(UnsafeRawBufferPointer(rebasing: whole[start..<start + Int(node.count)]))
        }
    }
}

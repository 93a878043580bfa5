import CRespReader

/// Turns the bytes of one connection into replies. It owns hiredis's reader and frees it; not thread-safe.
package final class ReplyReader {
    private let reader: OpaquePointer

    /// Returns nil when memory is out.
    package init?(maxReplyBytes: Int) {
        guard let reader = resp_reader_create(max(maxReplyBytes, 1024)) else { return nil }
        self.reader = reader
    }

    deinit {
        resp_reader_free(reader)
    }

    /// Hands each reply that these bytes complete to the body, which may keep no part of it and returns whether
    /// to go on.
    package func read(_ bytes: UnsafeRawBufferPointer, _ body: (BorrowedReply) -> Bool) throws(RedisError) {
        guard bytes.count > 0 else { return }
        resp_reader_feed(reader, bytes.baseAddress, bytes.count)
        var reply = resp_reply()
        while true {
            switch resp_reader_next(reader, &reply) {
            case 1:
                guard body(BorrowedReply(reply)) else { return }
            case 0:
                return
            default:
                throw .protocolViolation(String(cString: resp_reader_error(reader)))
            }
        }
    }
}

/// A reply in the reader's memory, valid until the reader goes on.
package struct BorrowedReply {
    private let reply: resp_reply

    init(_ reply: resp_reply) {
        self.reply = reply
    }

    var root: resp_node { reply.nodes[0] }

    var isError: Bool { root.type == RESP_ERROR.rawValue }

    /// How many elements the array at the root has; nil where the root is no array.
    var elementCount: Int? {
        root.type == RESP_ARRAY.rawValue ? Int(root.count) : nil
    }

    func element(_ index: Int) -> resp_node {
        reply.nodes[Int(root.value) + index]
    }

    /// The bytes of a string, status or error; empty for anything else.
    func bytes(of node: resp_node) -> UnsafeRawBufferPointer {
        guard node.holdsBytes, node.count > 0, let base = reply.bytes else {
            return UnsafeRawBufferPointer(start: nil, count: 0)
        }
        return UnsafeRawBufferPointer(start: base + Int(node.value), count: Int(node.count))
    }

    func string(of node: resp_node) -> String {
        String(decoding: bytes(of: node), as: UTF8.self)
    }

    /// A copy that may be kept.
    package func copied() -> RedisReply {
        let root = self.root
        switch root.type {
        case RESP_INTEGER.rawValue, RESP_NULL.rawValue:
            return RedisReply(node: root, storage: [], arena: 0)
        default:
            let arena = reply.node_count * MemoryLayout<resp_node>.stride
            let total = arena + reply.byte_count
            let storage = [UInt8](unsafeUninitializedCapacity: total) { target, initializedCount in
                target.baseAddress?.withMemoryRebound(to: UInt8.self, capacity: total) { base in
                    UnsafeMutableRawPointer(base).copyMemory(from: reply.nodes, byteCount: arena)
                    if let bytes = reply.bytes, reply.byte_count > 0 {
                        (base + arena).update(from: bytes, count: reply.byte_count)
                    }
                }
                initializedCount = total
            }
            return RedisReply(node: root, storage: storage, arena: arena)
        }
    }
}

extension resp_node {
    var holdsBytes: Bool {
        type == RESP_STRING.rawValue || type == RESP_STATUS.rawValue || type == RESP_ERROR.rawValue
    }
}

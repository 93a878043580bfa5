import GatewayCore
import RedisClient

/// Closing connections that somebody marked: the kick of a backend, a session that went on elsewhere, one connection
/// too many. The word about it usually comes over the node's channel; a beat tells where it did not.
extension PresenceRegistry {
    /// Reads the node's marks in all partitions.
    ///
    /// - Parameter count: how often connections were marked by then, nil where that is not known.
    func readMarks(as count: Int64? = nil) {
        loop.assertInEventLoop()
        if let count { marksRead = count }
        for partition in Partition.all { readMarks(in: partition) }
    }

    func readMarks(in partition: Partition) {
        let key = store.keys.marks(partition)
        entered()
        store.link.send(["HGETALL", .string(key.name)]) { [self] result in
            defer { left() }
            // The next beat asks again.
            guard case .success(let reply) = result else { return marksRead = nil }
            for index in stride(from: 0, to: reply.count - 1, by: 2) {
                guard let id = reply[index].string, let mark = reply[index + 1].string else { continue }
                obey(mark, id, key)
            }
        }
    }

    /// A mark is `node code text`; it is kept until its connection has gone.
    private func obey(_ mark: String, _ id: String, _ key: Key) {
        let fields = mark.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: false)
        guard fields.count == 3, fields[0] == nodeId else { return }
        guard held[id] != nil else {
            store.link.send(["HDEL", .string(key.name), .string(id)]) { _ in }
            return
        }
        marked.insert(id)
        let reason = UInt16(fields[1]).flatMap(CloseReason.init(rawValue:)) ?? .forbidden
        onClose(.close(connection: id, reason: reason, text: String(fields[2])))
    }

    /// The connection has gone: its mark has done its work.
    func forgetMark(_ connection: PresenceConnection) {
        guard marked.remove(connection.id) != nil else { return }
        let key = store.keys.marks(Partition(of: connection.userId.string))
        store.link.send(["HDEL", .string(key.name), .string(connection.id)]) { _ in }
    }
}
